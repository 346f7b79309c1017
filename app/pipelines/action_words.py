"""What a person should know about the actions of a video, in a sentence."""

from app.action_results import ActionResult
from app.wording import clock

NAMED = 4


def summed_up(result: ActionResult, *, complete: bool = True) -> str:
    """Which labels were seen and for how long, the longest first; or that none was."""
    so_far = "" if complete else " so far"
    if result.unknown:
        if len(result.labels) == 1:
            return f"“{result.labels[0]}” is not seen with confidence{so_far}."
        none = f"None of the {len(result.labels)} labels is seen with confidence{so_far}."
        return f"{none} The closest is “{result.top[0].label}”." if result.top else none
    lasted = durations(result)
    said = [f"{label} {clock(seconds)}" for label, seconds in list(lasted.items())[:NAMED]]
    more = len(lasted) - len(said)
    if more > 0:
        said.append(f"{more} more")
    none_s = sum(stretch.length_s for stretch in result.stretches if not stretch.is_known)
    rest = f"; none of these for {clock(none_s)}" if none_s >= 1.0 else ""
    return f"Seen{so_far}: {', '.join(said)}{rest}."


def durations(result: ActionResult) -> dict[str, float]:
    """How many seconds each label was seen that was, the longest first."""
    lasted = dict[str, float]()
    for stretch in result.stretches:
        if stretch.is_known:
            lasted[stretch.label] = lasted.get(stretch.label, 0.0) + stretch.length_s
    return dict(sorted(lasted.items(), key=lambda item: -item[1]))
