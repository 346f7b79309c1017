"""What of a file of weights fits a network: by names and shapes, before anything is loaded.

report = compare(stored, wanted)       # names -> shapes, of the file and of the network
report.fits                            # nothing is missing and nothing has another shape
report.summary                         # one sentence for people
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Shape = tuple[int, ...]
Shapes = Mapping[str, Sequence[int]]

NAMED_AT_MOST = 3  # so many names are said in a sentence


@dataclass(frozen=True, slots=True)
class Compatibility:
    """Names of tensors in the network's order; `unexpected` in the file's."""

    fitted: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[tuple[str, Shape, Shape], ...]  # name, stored shape, wanted shape

    @property
    def fits(self) -> bool:
        """Whether every tensor of the network is there; what else is stored does not matter."""
        return not self.missing and not self.reshaped

    @property
    def complete(self) -> bool:
        """Whether it fits and nothing is left over."""
        return self.fits and not self.unexpected

    @property
    def summary(self) -> str:
        wanted = len(self.fitted) + len(self.missing) + len(self.reshaped)
        if self.complete:
            return f"All {wanted} tensors fit."
        parts = [f"{len(self.fitted)} of {wanted} tensors fit"]
        if self.missing:
            parts.append(f"{len(self.missing)} missing ({_some(self.missing)})")
        if self.reshaped:
            said = [
                f"{name} is {list(has)}, not {list(needs)}" for name, has, needs in self.reshaped
            ]
            parts.append(f"{len(self.reshaped)} of another shape ({_some(said)})")
        if self.unexpected:
            parts.append(f"{len(self.unexpected)} unknown ({_some(self.unexpected)})")
        return ", ".join(parts) + "."

    def as_json(self) -> dict[str, Any]:
        return {
            "summary": self.summary,
            "fitted": list(self.fitted),
            "missing": list(self.missing),
            "unexpected": list(self.unexpected),
            "reshaped": [
                {"name": name, "stored": list(has), "wanted": list(needs)}
                for name, has, needs in self.reshaped
            ],
        }


def compare(stored: Shapes, wanted: Shapes) -> Compatibility:
    """What of `stored` fits `wanted`; both map names of tensors to their shapes."""
    there = {name: tuple(shape) for name, shape in stored.items()}
    needed = {name: tuple(shape) for name, shape in wanted.items()}
    return Compatibility(
        fitted=tuple(name for name, shape in needed.items() if there.get(name) == shape),
        missing=tuple(name for name in needed if name not in there),
        unexpected=tuple(name for name in there if name not in needed),
        reshaped=tuple(
            (name, there[name], shape)
            for name, shape in needed.items()
            if name in there and there[name] != shape
        ),
    )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED_AT_MOST])
    return shown if len(names) <= NAMED_AT_MOST else f"{shown}, ..."
