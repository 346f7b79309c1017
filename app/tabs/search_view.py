"""What the Search tab shows of an answer: a sentence, cards, chips and tracks."""

from collections.abc import Sequence
from typing import Any

from app.pipelines.query import tidy
from app.sources.picture import shown
from app.tabs.asking import Ask, Found
from app.timeline.results import clock, moment_cards, picture
from app.timeline.stage import layer
from models.certainty import COMPARED, OWN

LIVE, KEPT_ASIDE = "search", "search-kept"  # two layers: work that goes on draws only its own
PRESS_ENTER = "Press Enter: the video is read once, and from then on answers come while you type."
READING = "Reading the video first…"
EMPTY = """
<div class="fs-empty">
<svg viewBox="0 0 240 84" aria-hidden="true" class="fs-empty-search">
<g class="fs-empty-frames"><rect x="8" y="24" width="50" height="34" rx="4"/>
<rect x="66" y="24" width="50" height="34" rx="4"/>
<rect x="124" y="24" width="50" height="34" rx="4"/>
<rect x="182" y="24" width="50" height="34" rx="4"/></g>
<path class="fs-empty-hill" d="M128,54 L142,38 L150,46 L157,40 L170,54Z"/>
<g class="fs-empty-glass"><circle cx="149" cy="41" r="27"/><path d="M169,60 L186,77"/></g></svg>
<p>Say what to look for, and see every moment that shows it, on the timeline and as pictures.</p>
</div>"""


def said(ask: Ask, text: str = "", *, done: bool = True, **more: Any) -> dict[str, Any]:
    """The value of the line that answers; `number` tells the page what has been answered."""
    return {"number": ask.number, "text": text, "done": done, **more}


def to_be_read(ask: Ask) -> dict[str, Any]:
    """Typing waits for Enter; everything else was a wish to have the video read now."""
    return said(ask, PRESS_ENTER if ask.typed else READING, done=False, work=not ask.typed)


def answered(ask: Ask, found: Found, *, complete: bool) -> dict[str, Any]:
    pixels = found.request.picture
    return said(
        ask,
        sentence(found, complete=complete),
        done=complete,
        facts=_answered_in(found) if complete else "",
        image="" if pixels is None else picture(shown(pixels)),
        colour=found.colour,
        words=found.words,
    )


def sentence(found: Found, *, complete: bool = True) -> str:
    """How many moments match, or that none does."""
    request, result = found.request, found.result
    if request.picture is not None:
        one, more, what = "looks", "look", "like your picture"
    elif request.at_s is not None:
        one, more, what = "looks", "look", f"like {clock(request.at_s)}"
    else:
        one, more, what = "matches", "match", f"'{tidy(request.query)}'"
    so_far = "" if complete else " so far"
    count = len(result.moments)
    if result.certainty == COMPARED:
        return _compared(found, what, so_far)
    by = ""
    if result.certainty == OWN:
        by = f" by {result.model.name}'s own account, which was not measured here"
    if count:
        return f"{_counted(count)} {more if count > 1 else one} {what}{by}{so_far}."
    closest = " The closest are below." if result.below else ""
    return f"Nothing here {one} {what} with confidence{by}{so_far}.{closest}"


def _compared(found: Found, what: str, so_far: str) -> str:
    """Of a model that says which moments are closer, and not whether any of them is right."""
    result = found.result
    if not result.moments:
        return f"No moment here is closer to {what.removeprefix('like ')} than the others{so_far}."
    closest = "The closest" if len(result.moments) == 1 else f"The {len(result.moments)} closest"
    nearness = f"{closest} to {what.removeprefix('like ')}{so_far}, best first."
    return f"{nearness} {result.model.name} compares moments; how likely a match is, it cannot say."


def _counted(moments: int) -> str:
    return "1 moment" if moments == 1 else f"{moments} moments"


def _answered_in(found: Found) -> str:
    took_s = found.result.timing.total_s
    took = f"{1000 * took_s:.0f} ms" if took_s < 1 else f"{took_s:.1f} s"
    model = found.result.model
    return f"{took} · {model.name} {(model.hash or 'without weights')[:8]}"


def read_through(found: Found) -> str:
    """The status once the video has been read for a query."""
    seen = found.result.timing
    how = (
        "Read before"
        if seen.from_index
        else f"{seen.frames_processed:,} frames read in {seen.total_s:.1f} s"
    )
    return f"{how}; from now on answers come while you type · model {found.result.model.in_words}"


def cards_below(found: Found) -> dict[str, Any]:
    """Those under the cut: folded away beside better ones, and in sight where there are none."""
    below, confident = found.result.below, found.result.confident
    title = "Just below the cut" if confident else "The closest"
    return moment_cards(below, found.colour, f"{title} ({len(below)})", is_open=not confident)


def chips(found: Found | None, kept: Sequence[Found]) -> dict[str, Any]:
    """The kept queries, and the one shown where it could be kept as well."""
    name = None if found is None else found.name
    items: list[dict[str, Any]] = [
        {"name": other.name, "colour": other.colour, "kept": True, "shown": other.name == name}
        for other in kept
    ]
    if found is not None and all(other.name != name for other in kept):
        items.append({"name": found.name, "colour": found.colour, "kept": False})
    return {"items": items}


def live_layer(found: Found | None, kept: Sequence[Found]) -> dict[str, Any]:
    """The pins of what is shown, and its track unless that stands among the kept ones."""
    if found is None:
        return layer(LIVE)
    is_kept = any(other.name == found.name for other in kept)
    tracks = [] if is_kept else [found.track]
    return layer(LIVE, tracks, found.result.moments, colour=found.colour)


def kept_layer(kept: Sequence[Found]) -> dict[str, Any]:
    return layer(KEPT_ASIDE, [found.track for found in kept])
