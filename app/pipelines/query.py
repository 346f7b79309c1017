"""What a person types into the search field: words to find, and words to leave out."""

from dataclasses import dataclass

from app.wording import printable
from models.errors import RequestError

# More than any model reads; the rest is cut off rather than refused.
LONGEST_QUERY = 500
_QUOTES = '"“”„«»'
_MINUS = "-−–"  # what keyboards and their corrections make of a minus
_SENTENCE = "Describe what to find in a few English words, such as: a dog on the beach."


@dataclass(frozen=True, slots=True)
class Query:
    """`wanted` is one text; each of `unwanted` is a text of its own."""

    wanted: str
    unwanted: tuple[str, ...] = ()


def tidy(text: str) -> str:
    """The query on one line, as it is shown again."""
    return printable(text[: 4 * LONGEST_QUERY])[:LONGEST_QUERY].strip()


def parse_query(text: str) -> Query:
    """dog -cat -"red car": a minus before a word or a phrase in quotes leaves it out.

    Raises:
        RequestError: there is nothing to find.
    """
    wanted, unwanted = list[str](), list[str]()
    for is_wanted, words in _parts(tidy(text)):
        (wanted if is_wanted else unwanted).append(words)
    if not wanted and unwanted:
        raise RequestError(
            "Say what to find, not only what to leave out, such as: dog -cat."
        )  # fmt: skip
    if not wanted:
        raise RequestError(_SENTENCE)
    return Query(" ".join(wanted), tuple(dict.fromkeys(unwanted)))


def _parts(text: str) -> list[tuple[bool, str]]:
    """(whether it is to be found, its words), in the order of the text."""
    parts = list[tuple[bool, str]]()
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        start = at
        while at < len(text) and text[at] in _MINUS:
            at += 1
        is_wanted = at == start
        if at < len(text) and text[at] in _QUOTES:
            end = next((i for i in range(at + 1, len(text)) if text[i] in _QUOTES), len(text))
            words, at = text[at + 1 : end], end + 1
        else:
            end = next(
                (i for i in range(at, len(text)) if text[i].isspace() or text[i] in _QUOTES),
                len(text),
            )
            words, at = text[at:end], end
        if words.strip():
            parts.append((is_wanted, words.strip()))
    return parts
