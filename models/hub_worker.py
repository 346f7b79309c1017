"""Fetches a repository of the model hub into its cache: a program of its own, so that it can be
stopped at any moment, whatever its library is waiting for.

    python -m models.hub_worker REPOSITORY REVISION [FOLDER MEGABYTES]

Writes one JSON object a line: what is done of how many bytes, at last the folder, or what failed.
With a folder it fetches a checkpoint as this program writes them, of so many megabytes at most,
into that folder, and says at its end of which commit, or why it is refused.
"""

import json
import re
import signal
import sys
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
from tqdm import tqdm

from models.checkpoint import CONFIG_FILE, FORMAT_VERSION, WEIGHTS_FILE
from models.local_checkpoints import KINDS

_FETCHED_ENDINGS = (".json", ".jinja", ".txt", ".model", ".safetensors")
_OF_CHECKPOINTS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\.(json|md|xml)")
_MOST_FILES = 20
_LIST_S = 10.0


def main() -> None:
    # Ending by an exception lets the library remove what it has half written.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    repository, revision, *into = sys.argv[1:]
    try:
        if into:
            _say(_fetch_checkpoint(repository, revision, Path(into[0]), float(into[1])))
        else:
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


def _fetch_checkpoint(
    repository: str, revision: str, folder: Path, most_mb: float
) -> dict[str, str]:
    """The description first: where it describes no checkpoint, nothing else is fetched."""
    try:
        listed = HfApi().model_info(
            repository, revision=revision, files_metadata=True, timeout=_LIST_S
        )
    except RevisionNotFoundError:
        return {"refused": f"{repository} on the hub has no revision {revision}"}
    except RepositoryNotFoundError:  # also where it is not public, or may not be read
        return {"refused": f"the hub has no {repository} that may be read"}
    sizes = {file.rfilename: file.size or 0 for file in listed.siblings or () if _of_ours(file)}
    if CONFIG_FILE not in sizes or WEIGHTS_FILE not in sizes:
        return {"refused": f"{repository} holds no checkpoint that was written by this program"}
    if sum(sizes.values()) > most_mb * 1e6 or len(sizes) > _MOST_FILES:
        return {"refused": f"{repository} is larger than the {most_mb:,.0f} MB that are fetched"}
    meter, commit = _Meter(sum(sizes.values())), listed.sha or revision
    order = sorted(sizes, key=lambda name: (name != CONFIG_FILE, name == WEIGHTS_FILE, name))
    for name in order:
        hf_hub_download(
            repository, name, revision=commit, local_dir=folder, tqdm_class=meter.bar_class()
        )
        if name == CONFIG_FILE and (why := _why_no_checkpoint(folder / name)) is not None:
            return {"refused": f"{repository} {why}"}
    return {"commit": commit}


def _of_ours(file: Any) -> bool:
    """Descriptions, the weights and a graph: no pickles, no code, nothing in folders."""
    name = str(file.rfilename)
    return name == WEIGHTS_FILE or _OF_CHECKPOINTS.fullmatch(name) is not None


def _why_no_checkpoint(config_path: Path) -> str | None:
    """Of a description, why it describes nothing that this program can use."""
    try:
        described = json.loads(config_path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        described = None
    if not isinstance(described, dict) or "weights_sha256" not in described:
        return "holds no checkpoint that was written by this program"
    if described.get("format_version") != FORMAT_VERSION:
        return "was written by another version of this program"
    if described.get("kind") not in KINDS:
        return "holds a kind of model that this program does not know"
    return None


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
