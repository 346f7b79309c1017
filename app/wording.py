"""Times and names as text that every format can carry."""

import unicodedata

LONGEST_NAME = 255  # what a file system takes
_JOINERS = "\u200c\u200d"  # part of how some scripts and emoji are written


def one_line(name: str) -> str:
    """A name that every file system takes; never empty."""
    return printable(name)[:LONGEST_NAME].strip() or "video"


def printable(text: str) -> str:
    """One line without control characters and marks that turn the reading direction."""
    spaced = " ".join(text.split())
    return "".join(
        c for c in spaced if c in _JOINERS or not unicodedata.category(c).startswith("C")
    )


def clock(seconds: float, decimals: int = 0, *, hours: bool = False) -> str:
    """0:42, 12:05.250, 1:02:03: what people read. `hours` shows them even where there are none."""
    units = 10**decimals
    whole, part = divmod(round(max(seconds, 0.0) * units), units)
    hour, minute = divmod(whole // 60, 60)
    text = f"{hour}:{minute:02d}" if hours or hour else f"{minute}"
    text += f":{whole % 60:02d}"
    return f"{text}.{part:0{decimals}d}" if decimals else text
