"""Fetches a repository of the model hub into its cache: a program of its own, so that it can be
stopped at any moment, whatever its library is waiting for.

    python -m models.hub_worker REPOSITORY REVISION

Writes one JSON object a line: what is done of how many bytes, at last the folder, or what failed.
"""

import json
import signal
import sys
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, hf_hub_download
from tqdm import tqdm

_FETCHED_ENDINGS = (".json", ".jinja", ".txt", ".model", ".safetensors")
_LIST_S = 10.0


def main() -> None:
    # Ending by an exception lets the library remove what it has half written.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    repository, revision = sys.argv[1:]
    try:
        _say({"folder": str(_fetch(repository, revision))})
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - said to who started this, whatever it is
        _say({"error": f"{type(error).__name__}: {error}"})


def _say(values: dict[str, Any]) -> None:
    print(json.dumps(values), flush=True)


def _fetch(repository: str, revision: str) -> Path:
    """Everything but what other programs need; the weights last, so that they mean the rest."""
    listed = HfApi().model_info(repository, revision=revision, files_metadata=True, timeout=_LIST_S)
    sizes = {file.rfilename: file.size or 0 for file in listed.siblings or () if _wanted(file)}
    meter = _Meter(sum(sizes.values()))
    folder = Path()
    for name in sorted(sizes, key=lambda name: (name.endswith(".safetensors"), name)):
        path = hf_hub_download(repository, name, revision=revision, tqdm_class=meter.bar_class())
        folder = Path(path).parent
    return folder


def _wanted(file: Any) -> bool:
    """Of what lies at the top: folders hold the same for other programs."""
    name = str(file.rfilename)
    return "/" not in name and name.endswith(_FETCHED_ENDINGS)


class _Meter:
    """Counts what arrives of all files together, and says so for each hundredth."""

    def __init__(self, total: int) -> None:
        self._total = max(1, total)
        self._done = self._said = 0

    def add(self, count: int) -> None:
        self._done = min(self._total, self._done + count)
        if (self._done - self._said) * 100 >= self._total:
            self._said = self._done
            _say({"done": self._done, "total": self._total})

    def bar_class(self) -> Any:
        """What the library takes for a progress bar; nothing is drawn."""
        meter = self

        class Counted(tqdm):
            def __init__(self, *args: Any, **options: Any) -> None:
                super().__init__(*args, **{**options, "disable": True})

            def update(self, n: float | None = 1) -> None:
                meter.add(int(n or 0))

        return Counted


if __name__ == "__main__":
    main()
