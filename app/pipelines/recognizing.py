"""What a person asks of the actions in a video, checked before any work starts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.action_results import NONE_OF_THESE
from app.pipelines.requests import check_fps
from app.wording import printable
from models.errors import RequestError

DEFAULT_CLASSIFIER = "action_classifier"
DEFAULT_READER = "compact"  # names actions with labels that people type
SHORTEST_S, LONGEST_S = 0.1, 600.0  # from one segment to the next
MOST_LABELS = 40
LONGEST_LABEL = 80
# More than so many letters is not a list that anybody typed.
LONGEST_LIST = 2 * MOST_LABELS * LONGEST_LABEL
_BETWEEN = re.compile(r"[,;\n\r、，；]")
_AROUND = " \t\"'“”„«»*•·.-–"


@dataclass(frozen=True, slots=True)
class RecognizeRequest:
    """Which checkpoint names the actions; with `labels` it is the reader of texts instead.

    `every_s` is for checkpoints that look at segments: from the start of one to that of the next;
    None puts them side by side. The others look at `fps` frames a second.
    """

    checkpoint: str = DEFAULT_CLASSIFIER
    labels: tuple[str, ...] = ()
    fps: float = 2.0
    every_s: float | None = None

    def __post_init__(self) -> None:
        check_labels(self.labels)
        check_fps(self.fps)
        if self.every_s is not None and not SHORTEST_S <= self.every_s <= LONGEST_S:
            raise RequestError(
                f"Segments begin every {SHORTEST_S:g} to {LONGEST_S:g} seconds, not every "
                f"{self.every_s}."
            )


def read_labels(text: str) -> tuple[str, ...]:
    """A list as people type it, with commas or on lines of their own; each label once.

    Raises:
        RequestError: there are too many, or one of them is no label.
    """
    if len(text) > LONGEST_LIST:
        raise RequestError(
            f"The list of labels is too long; at most {MOST_LABELS} labels of {LONGEST_LABEL} "
            "letters are looked for."
        )
    found = dict[str, str]()
    for part in _BETWEEN.split(text):
        label = printable(part).strip(_AROUND)
        if label:
            found.setdefault(label.casefold(), label)
    if text.strip() and not found:
        raise RequestError(
            "There is no label in that list; write what may happen, such as: pouring coffee, "
            "clapping, empty room."
        )
    labels = tuple(found.values())
    check_labels(labels)
    return labels


def check_labels(labels: Sequence[str]) -> None:
    """Raises RequestError."""
    if len(labels) > MOST_LABELS:
        raise RequestError(
            f"At most {MOST_LABELS} labels can be told apart at once, not {len(labels)}."
        )
    for label in labels:
        if len(label) > LONGEST_LABEL:
            raise RequestError(
                f"A label has at most {LONGEST_LABEL} letters; shorten “{label[:30]}…”."
            )
        if label.casefold() == NONE_OF_THESE:
            raise RequestError(
                f"“{NONE_OF_THESE}” is among the answers in any case; leave it out of the list."
            )
