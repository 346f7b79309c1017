"""Checkpoints that other people pushed to the model hub: fetched, checked, kept beside our own.

What is asked for is text from outside, and what comes is files from outside. So a repository's name
and revision are held to what the hub allows before anything is done with them; nothing is fetched
but descriptions, safetensors and a graph; and the folder only appears among the checkpoints when
its description, its version and the hash of its weights have been checked.
"""

import json
import logging
import re
import shutil
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from models import hub, registry
from models.checkpoint import CARD_FILE, CONFIG_FILE, GRAPH_FILE, Checkpoint, read_checkpoint
from models.errors import CheckpointError, ModelUnavailableError, RequestError
from models.hub_child import asked_of_worker
from models.local_checkpoints import KINDS, local_dir

ORIGIN_FILE = "hub.json"
HUB_CARD = "README.md"
MOST_MB = 4000.0
_HUB_PAGES = ("https://huggingface.co/", "http://huggingface.co/", "huggingface.co/", "hf.co/")
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
_ADDRESS = re.compile(rf"({_PART})/({_PART})(?:@([A-Za-z0-9][A-Za-z0-9._/-]{{0,98}}))?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}")
_keeping = threading.Lock()
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Address:
    owner: str
    repository: str
    revision: str = "main"

    @property
    def repo_id(self) -> str:
        return f"{self.owner}/{self.repository}"


def read_address(text: str) -> Address:
    """owner/repo or owner/repo@revision; the address of its page will do.

    Raises:
        RequestError: it is neither.
    """
    asked = text.strip().rstrip("/")
    for page in _HUB_PAGES:
        asked = asked.removeprefix(page)
    found = _ADDRESS.fullmatch(asked)
    if found is None or ".." in asked or "--" in asked or "//" in asked or asked.endswith(".git"):
        shown = repr(text[:80])
        raise RequestError(
            f"{shown} is no address on the model hub: give it as owner/repo or owner/repo@revision."
        )
    return Address(found[1], found[2], found[3] or "main")


def origin_of(folder: Path) -> str | None:
    """Where on the hub a checkpoint is from, with the commit; None where it is not from there."""
    try:
        known = json.loads((folder / ORIGIN_FILE).read_text(encoding="utf-8"))
        return f"{known['repository']}@{known['commit'][:12]}"
    except (OSError, ValueError, KeyError, TypeError):
        return None


def add_checkpoint(address: Address, report: hub.Report = hub.ignore_report) -> str:
    """Fetches it, checks it, and keeps it; the name of the model that it is from then on.

    `report` hears how far fetching is, several times a second; it may raise to stop the work.

    Raises:
        ModelUnavailableError: the hub cannot be asked, or does not give it.
        CheckpointError: what came does not hold what it promises.
    """
    report(f"Asking the model hub for {address.repo_id}", None)
    why = hub.why_not_asked()
    if why is not None:
        raise ModelUnavailableError(
            f"{address.repo_id} is not on this machine and {why}; put its files into a folder of "
            "checkpoints/local instead."
        )
    root = local_dir()
    root.mkdir(parents=True, exist_ok=True)
    # On the disk where it will stay. A name that begins with a dot is no model's.
    with tempfile.TemporaryDirectory(dir=root, prefix=".fetching-") as fetching:
        folder = Path(fetching) / "checkpoint"
        commit = _fetched(address, folder, report)
        report(f"Checking {address.repo_id}", None)
        checkpoint = _checked(folder, address)
        _tidy(folder, address, commit)
        with _keeping:
            return _kept(checkpoint, address, root)


def _fetched(address: Address, folder: Path, report: hub.Report) -> str:
    """Of which commit the files are that lie in the folder then."""
    words = f"Fetching {address.repo_id}"
    arguments = [address.repo_id, address.revision, str(folder), str(MOST_MB)]
    try:
        said = asked_of_worker(arguments, words, report)
    except (OSError, ValueError) as error:
        _log.warning("%s could not be fetched: %s", address.repo_id, error)
        raise ModelUnavailableError(
            f"{address.repo_id} could not be fetched from the model hub (the log says why)."
        ) from error
    if "refused" in said:
        why = str(said["refused"])
        raise ModelUnavailableError(f"It was not added: {why}.")
    return str(said["commit"])


def _checked(folder: Path, address: Address) -> Checkpoint:
    try:
        checkpoint = read_checkpoint(folder)
    except (KeyError, TypeError, ValueError) as error:  # a description that says nonsense
        raise CheckpointError(
            f"The {CONFIG_FILE} of {address.repo_id} cannot be understood, so it was not added."
        ) from error
    except CheckpointError as error:
        said = str(error).replace("The checkpoint checkpoint", address.repo_id)
        said = said.replace("the checkpoint checkpoint", address.repo_id)
        raise CheckpointError(said) from error
    if checkpoint.kind not in KINDS:
        raise CheckpointError(f"{address.repo_id} holds a kind of model that is not known here.")
    return checkpoint


def _tidy(folder: Path, address: Address, commit: str) -> None:
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # the hub's library keeps notes there
    card = folder / HUB_CARD
    if card.is_file() and not (folder / CARD_FILE).exists():
        card.rename(folder / CARD_FILE)
    card.unlink(missing_ok=True)
    described = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    if "graph" not in described:  # nothing vouches for one
        (folder / GRAPH_FILE).unlink(missing_ok=True)
    origin = {"repository": address.repo_id, "revision": address.revision, "commit": commit}
    (folder / ORIGIN_FILE).write_text(json.dumps(origin, indent=2) + "\n", encoding="utf-8")


def _kept(checkpoint: Checkpoint, address: Address, root: Path) -> str:
    """Moves it to its place: under the name that others know it by, where that is free."""
    name = checkpoint.name if _NAME.fullmatch(checkpoint.name) else address.repository
    if not _is_free(name, address, root):
        name = f"{address.owner}_{name}"[:63]
    if not _is_free(name, address, root):
        raise CheckpointError(
            f"{address.repo_id} was not added: there is another checkpoint named {name} here; "
            "give that folder another name first."
        )
    _call_it(checkpoint.folder, name)
    place = root / name
    before = root / f".before-{name}"
    shutil.rmtree(before, ignore_errors=True)
    if place.exists():
        place.rename(before)
    checkpoint.folder.rename(place)
    shutil.rmtree(before, ignore_errors=True)
    return name


def _call_it(folder: Path, name: str) -> None:
    """A model is called what its folder is called: nothing passes for a model of another name."""
    path = folder / CONFIG_FILE
    described = json.loads(path.read_text(encoding="utf-8"))
    if described["name"] != name:
        path.write_text(json.dumps({**described, "name": name}, indent=2) + "\n", encoding="utf-8")


def _is_free(name: str, address: Address, root: Path) -> bool:
    """Also where an earlier commit of the same lies, which is replaced."""
    if name in registry.MODELS:
        return False
    place = root / name
    known = origin_of(place)
    return not place.exists() or (known or "").split("@")[0] == address.repo_id
