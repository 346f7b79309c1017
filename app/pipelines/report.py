"""What an analysis found, in a few plain sentences that can be read aloud."""

import re
from collections.abc import Iterator, Sequence

from app.trigger_results import LookedFor, Trigger, TriggerResult, count_boxes

# So many events are told one by one, the others counted.
TOLD = 12
# What a describer that cannot judge is less sure of than this is told as a guess.
GUESSED_BELOW = 0.75
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_MANY = {
    "person": "people", "man": "men", "woman": "women", "child": "children", "mouse": "mice",
    "sheep": "sheep", "knife": "knives", "skis": "skis", "scissors": "scissors",
}  # fmt: skip
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d\d)")
_HISSING = ("s", "x", "ch", "sh")


def report(result: TriggerResult) -> str:
    """How long it is, what was looked for, each event, what is in the pictures, and how sure."""
    return " ".join(_sentences(result))


def _sentences(result: TriggerResult) -> Iterator[str]:
    frames = result.sampling.frames
    yield (
        f"The video lasts {lasting(result.video.duration_s)}, "
        f"and {_counted(frames, 'frame')} of it {_was(frames)} looked at."
    )
    yield f"Looked for: {_listed([sought(looked) for looked in result.looked_for])}."
    if not result.triggers:
        yield from _nothing(result)
        return
    yield from _overview(result)
    for trigger in result.triggers[:TOLD]:
        yield from _told(trigger)
    more = result.triggers[TOLD:]
    if more:
        last = at_time(max(trigger.time_s for trigger in more))
        follow = "follows" if len(more) == 1 else "follow"
        yield f"{_number(len(more)).capitalize()} more {follow}, the last {last}."
    yield from _together(result)


def _nothing(result: TriggerResult) -> Iterator[str]:
    yield "Nothing of it is found with confidence."
    closest = next(iter(result.below), None)
    if closest is not None:
        name = _name(closest)
        yield (
            f"The closest is {name} {at_time(closest.time_s)}, with {_percent(closest.confidence)}."
        )


def _overview(result: TriggerResult) -> Iterator[str]:
    count = len(result.triggers)
    yield f"{_counted(count, 'event').capitalize()} {_was(count)} found."
    if result.dismissed:
        them = "It" if count == 1 else f"{_number(result.dismissed).capitalize()} of them"
        yield f"{them} {_was(result.dismissed)} dismissed after a closer look."
    if result.left_out:
        weaker = _counted(result.left_out, "weaker event").capitalize()
        yield f"{weaker} {_was(result.left_out)} left out."


def _told(trigger: Trigger) -> Iterator[str]:
    when = at_time(trigger.time_s)
    length_s = trigger.end_s - trigger.start_s
    if length_s >= 1.5:
        when = f"{from_time(trigger.start_s)}, for {lasting(length_s)}"
    # How much changes is no probability: a number would promise too much.
    sure = "" if trigger.kind == "change" else f", {_percent(trigger.confidence)} sure"
    yield f"{_upper(when)}: {_name(trigger)}{sure}."
    if trigger.dismissed:
        yield "A closer look says that it does not happen."
    elif trigger.verdict == "unsure":
        yield "A closer look does not settle it."
    if trigger.description:
        yield _described(trigger, trigger.description.strip())
    if trigger.boxes:
        yield f"In the picture: {things(count_boxes(trigger.boxes))}."
    if trigger.action:
        yield f"The action looks like {trigger.action}."


def _described(trigger: Trigger, text: str) -> str:
    ended = text if text.endswith((".", "!", "?", "…")) else f"{text}."
    guessed = trigger.verdict is None and trigger.sure is not None
    if guessed and (trigger.sure or 0.0) < GUESSED_BELOW:
        return f"Perhaps {ended[:1].lower()}{ended[1:]}"
    return _upper(ended)


def _together(result: TriggerResult) -> Iterator[str]:
    """The most of each class that one picture shows: who comes again is not counted twice."""
    most: dict[str, int] = {}
    for counted in result.counts:
        for label, count in counted.counts.items():
            most[label] = max(most.get(label, 0), count)
    if most and len(result.triggers) > 1:
        ordered = dict(sorted(most.items(), key=lambda item: (-item[1], item[0])))
        yield f"At most there are, in one picture, {things(ordered)}."
    stand = [t for t in result.triggers if not t.dismissed and t.kind != "change"]
    if len(stand) > 1:
        surest = max(stand, key=lambda trigger: trigger.confidence)
        yield (
            f"The surest is {_name(surest)} {at_time(surest.time_s)}, "
            f"with {_percent(surest.confidence)}."
        )
    said = [trigger.sure for trigger in result.triggers if trigger.sure is not None]
    if said:
        mean = _percent(sum(said) / len(said))
        yield f"The descriptions are {mean} sure on average."


def sought(looked: LookedFor) -> str:
    """What was looked for, so that it fits into a sentence."""
    return _as_said(looked.kind, looked.name)


def _name(trigger: Trigger) -> str:
    return _as_said(trigger.kind, trigger.trigger)


def _as_said(kind: str, name: str) -> str:
    if kind == "words":
        return f"“{name}”"
    if kind == "example":
        return f"something {_CLOCK.sub(_shown_at, name)}"
    has_article = name.split(" ")[0].lower() in ("a", "an", "the", "some")
    if has_article:
        return name
    return f"{'an' if name[:1].lower() in 'aeio' and name else 'a'} {name}"


def _shown_at(clock: re.Match[str]) -> str:
    hours, minutes, seconds = (int(part or 0) for part in clock.groups())
    return f"what is shown {at_time(3600 * hours + 60 * minutes + seconds)}"


def lasting(seconds: float) -> str:
    """A length of time in words: 1 minute and 15 seconds."""
    whole = round(seconds)
    if whole < 1:
        return "less than a second"
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    parts = [(hours, "hour"), (minutes, "minute"), (rest, "second")]
    return _listed([f"{count} {name}{'' if count == 1 else 's'}" for count, name in parts if count])


def at_time(seconds: float) -> str:
    """A point in time in words: at 1 minute and 15 seconds."""
    return "at the start" if round(seconds) < 1 else f"at {lasting(seconds)}"


def from_time(seconds: float) -> str:
    return "from the start" if round(seconds) < 1 else f"from {lasting(seconds)}"


def things(counts: dict[str, int]) -> str:
    """Two people and a dog."""
    return _listed([_counted(count, label) for label, count in counts.items()])


def _counted(count: int, thing: str) -> str:
    return f"{_number(count)} {thing if count == 1 else _many(thing)}"


def _many(thing: str) -> str:
    head, _, last = thing.rpartition(" ")
    if last in _MANY:
        many = _MANY[last]
    elif last.endswith(_HISSING):
        many = f"{last}es"
    elif last.endswith("y") and last[-2:-1] not in tuple("aeiou"):
        many = f"{last[:-1]}ies"
    else:
        many = f"{last}s"
    return f"{head} {many}".strip()


def _number(count: int) -> str:
    return _NUMBERS[count] if 0 <= count < len(_NUMBERS) else str(count)


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _percent(share: float) -> str:
    return f"{round(100 * share)} percent"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _listed(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
