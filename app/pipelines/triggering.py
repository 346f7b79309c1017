"""What a person asks of the events in a video, checked before any work starts."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from app.pipelines.query import parse_query, tidy
from app.pipelines.requests import check_fps
from app.wording import clock
from models.errors import RequestError
from models.types import Pixels

DEFAULT_EVENT = "trigger_detector"
DEFAULT_DESCRIBER = "captioner"
DEFAULT_DETECTOR = "compact_detector"
DEFAULT_READER = "compact"  # scores words and example pictures
# Probability from which words, a picture or a change are more likely there than not.
EVEN = 0.5
DEFAULT_EVENTS = 20
MOST_EVENTS = 200
MOST_TRIGGERS = 8
MOST_EXAMPLES = 8
SCENE, MOTION = "change of scene", "change of motion"
CHANGES = {
    SCENE: SCENE, "scene change": SCENE, "scene": SCENE, "cut": SCENE,
    MOTION: MOTION, "motion change": MOTION, "motion": MOTION,
}  # fmt: skip
NONE = "none"
_OWN_THRESHOLD = re.compile(r"^(.*\S)\s*@\s*([0-9.,]+\s*%?)\s*$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class TriggerAsked:
    """One thing to look for, in exactly one way; `threshold` None is the one that suits it.

    `event` is the name of a model with a trained event, `change` one of SCENE and MOTION.
    Several examples are of one thing: a frame matches that is like any of them.
    """

    event: str | None = None
    words: str = ""
    pictures: tuple[Pixels, ...] = field(default=(), compare=False, repr=False)  # RGB [H, W, 3]
    at_s: tuple[float, ...] = ()  # moments of the video itself
    change: str | None = None
    threshold: float | None = None

    def __post_init__(self) -> None:
        examples = len(self.pictures) + len(self.at_s)
        ways = (self.event, self.words.strip(), examples, self.change)
        if sum(bool(way) for way in ways) != 1:
            raise RequestError(
                "A trigger is a trained event, words, example pictures or a change; give one."
            )
        if self.words.strip():
            parse_query(self.words)
        if self.change is not None and self.change not in (SCENE, MOTION):
            raise RequestError(f"A change is a “{SCENE}” or a “{MOTION}”, not {self.change!r}.")
        if examples > MOST_EXAMPLES:
            raise RequestError(f"At most {MOST_EXAMPLES} examples are compared, not {examples}.")
        if not all(map(math.isfinite, self.at_s)):
            raise RequestError("The moment of an example must be a time in seconds.")
        if self.threshold is not None:
            check_threshold(self.threshold)

    @property
    def kind(self) -> str:
        if self.event:
            return "event"
        if self.change:
            return "change"
        return "words" if self.words.strip() else "example"

    @property
    def name(self) -> str:
        """As it is shown again; of a trained event the model knows a better one."""
        if self.event or self.change:
            return str(self.event or self.change)
        if self.words.strip():
            return tidy(self.words)
        if self.at_s:
            return "like " + " or ".join(clock(at) for at in self.at_s)
        return "like the example" if len(self.pictures) == 1 else "like the examples"


@dataclass(frozen=True, slots=True)
class TriggerRequest:
    """What to look for, and with what to look closer.

    `threshold` is for triggers that have none of their own; `describer` and `detector` are None
    for none. Where one of these two cannot be had, events are found all the same.
    """

    triggers: tuple[TriggerAsked, ...] = (TriggerAsked(event=DEFAULT_EVENT),)
    threshold: float | None = None
    max_events: int = DEFAULT_EVENTS
    describer: str | None = DEFAULT_DESCRIBER
    detector: str | None = DEFAULT_DETECTOR
    fps: float = 2.0

    def __post_init__(self) -> None:
        if not self.triggers:
            raise RequestError("Say what to look for, such as: a person enters.")
        if len(self.triggers) > MOST_TRIGGERS:
            raise RequestError(
                f"At most {MOST_TRIGGERS} triggers are looked for at once, "
                f"not {len(self.triggers)}."
            )
        names = [(trigger.kind, trigger.name.casefold()) for trigger in self.triggers]
        if len(set(names)) < len(names):
            twice = next(trigger.name for trigger in self.triggers
                         if names.count((trigger.kind, trigger.name.casefold())) > 1)  # fmt: skip
            raise RequestError(f"“{twice}” is there twice; leave one of them out.")
        if self.threshold is not None:
            check_threshold(self.threshold)
        if not 1 <= self.max_events <= MOST_EVENTS:
            raise RequestError(
                f"Events must be between 1 and {MOST_EVENTS}, not {self.max_events}."
            )
        check_fps(self.fps)

    def threshold_of(self, trigger: TriggerAsked) -> float | None:
        return self.threshold if trigger.threshold is None else trigger.threshold


def check_threshold(threshold: float) -> None:
    """Raises RequestError."""
    if not 0 < threshold <= 1:
        raise RequestError(f"A threshold must be above 0 and at most 1, not {threshold}.")


def read_trigger(text: str, events: Iterable[str] = (DEFAULT_EVENT,)) -> TriggerAsked:
    """A trigger as people type it: a name of `events`, a change, or words; "a car @ 0.7".

    Raises:
        RequestError: there is nothing to look for, or the threshold is no number.
    """
    found = _OWN_THRESHOLD.match(text)
    what, threshold = (found[1], _number(found[2])) if found else (text, None)
    name = tidy(what).casefold()
    if name in {event.casefold() for event in events}:
        event = next(event for event in events if event.casefold() == name)
        return TriggerAsked(event=event, threshold=threshold)
    if name in CHANGES:
        return TriggerAsked(change=CHANGES[name], threshold=threshold)
    if not name:
        raise RequestError("Say what to look for, such as: a person enters.")
    return TriggerAsked(words=tidy(what), threshold=threshold)


def read_name(text: str | None) -> str | None:
    """The name of a model; None for "none" and for nothing."""
    name = (text or "").strip()
    return None if name.casefold() in ("", NONE) else name


def _number(text: str) -> float:
    share = text.strip().removesuffix("%").strip().replace(",", ".")
    try:
        value = float(share)
    except ValueError:
        raise RequestError(f"{text.strip()!r} is no threshold; write one such as 0.7.") from None
    return value / 100 if text.strip().endswith("%") else value
