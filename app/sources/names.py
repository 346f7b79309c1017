"""Names from strangers, made fit to show and to put on disk."""

import re
import unicodedata

SHOWN_CHARS = 120
STEM_CHARS = 60
NAMELESS = "video"

# Joiners hold emoji families and some scripts together; every other format character (bidi
# overrides, zero-width marks, tags) only serves to make a name read as what it is not.
_KEPT_FORMAT = {"\u200c", "\u200d"}
_DROPPED_CATEGORIES = {"Cf", "Cs", "Co", "Cn"}
_MARKS_IN_A_ROW = 4
_PATH_LIKE = re.compile(r"^(?:[A-Za-z]:)?[\\/]|^~[\\/]|(?:^|[\\/])\.\.(?:[\\/]|$)")
_SUFFIXES = {
    *(".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".ogv", ".ogg", ".avi", ".wmv", ".asf"),
    *(".flv", ".mpg", ".mpeg", ".vob", ".ts", ".mts", ".m2ts", ".mxf"),
}


def display_name(raw: str) -> str:
    """One line of at most SHOWN_CHARS characters that reads in the order it is written.

    It is text, not markup: whoever puts it into a page still has to escape it.
    """
    name = re.split(r"[\\/]", raw.rstrip("\\/"))[-1] if _PATH_LIKE.search(raw) else raw
    name = _without_tricks(unicodedata.normalize("NFC", name))
    name = re.sub(r"[\\/]+", "-", re.sub(r"\s+", " ", name)).strip()
    return _shortened(name, SHOWN_CHARS) or NAMELESS


def stored_suffix(*names: str) -> str:
    """The ending to store a video under: the first known one, in lower case, or `.video`."""
    for name in names:
        match = re.search(r"\.[A-Za-z0-9]{2,5}$", name.strip())
        if match and match.group().lower() in _SUFFIXES:
            return match.group().lower()
    return ".video"


def file_stem(raw: str) -> str:
    """Plain ASCII for the name of a file that is offered for download, without an ending."""
    name = display_name(raw)
    suffix = stored_suffix(name)
    if name.lower().endswith(suffix):
        name = name[: -len(suffix)]
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "-", plain)[:STEM_CHARS].strip("-") or NAMELESS


def _without_tricks(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if category in ("Cc", "Zl", "Zp"):
            kept.append(" ")
        elif character in _KEPT_FORMAT or (
            category not in _DROPPED_CATEGORIES and marks <= _MARKS_IN_A_ROW
        ):
            kept.append(character)
    return "".join(kept)


def _shortened(name: str, limit: int) -> str:
    """Cuts the middle, so that the ending of a file name stays."""
    if len(name) <= limit:
        return name
    match = re.search(r"\.[A-Za-z0-9]{1,5}$", name)
    ending = match.group() if match else ""
    return name[: limit - len(ending) - 1].rstrip(" .\u200c\u200d") + "…" + ending
