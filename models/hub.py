"""Public models: found on this machine, else fetched once from the hub, else refused in a sentence.

A model is looked for in the folder that FRAMESCRY_MODELS_DIR names, then in the hub's own cache.
Only where it is in neither is the hub asked, after a short probe: its library tries again for half
a minute before it gives up, and nobody waits that long to hear that there is no network. Weights
are safetensors, never pickles, and code that comes with a model is never run.
"""

import hashlib
import json
import logging
import os
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from models.errors import ModelUnavailableError
from models.hub_child import asked_of_worker

MODELS_DIR_VARIABLE = "FRAMESCRY_MODELS_DIR"
WEIGHTS_FILE = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"
CONFIG_FILE = "config.json"
_PROBE_S = 1.5
_PROBE_HOLDS_S = 30.0
_log = logging.getLogger(__name__)

# What is being done, in words, and the share of it that is done. It may raise to stop the work.
Report = Callable[[str, float | None], None]


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model of the hub. `name` is its registry key, and what its folder may be called."""

    name: str
    repository: str
    revision: str  # of a commit: what is fetched never changes; "" where none is known
    megabytes: int
    trained_on: str
    reported: str  # what its authors measured


DETR = HubModel(
    name="detr-resnet-50",
    repository="facebook/detr-resnet-50",
    revision="1d5f47bd3bdd2c4bbfa585418ffe6da5028b4c0b",
    megabytes=167,
    trained_on="COCO 2017: 118,000 pictures",
    reported="AP .420 on COCO's validation pictures",
)
D_FINE = HubModel(
    name="dfine-small",
    repository="ustc-community/dfine-small-coco",
    revision="f79e65b5fbb33ceb9d3ebba042955d7410c608f8",
    megabytes=42,
    trained_on="COCO 2017: 118,000 pictures",
    reported="AP .485 on COCO's validation pictures",
)
SMOL_VLM = HubModel(
    name="smolvlm2-500m",
    repository="HuggingFaceTB/SmolVLM2-500M-Video-Instruct",
    revision="7b375e1b73b11138ff12fe22c8f2822d8fe03467",
    megabytes=2040,
    trained_on="Captions, questions and answers about pictures and videos",
    reported="42.2 % of the questions of Video-MME",
)
LLAVA = HubModel(
    name="llava-onevision-0.5b",
    repository="llava-hf/llava-onevision-qwen2-0.5b-ov-hf",
    revision="07f3bcbfed95e8dfbabd7b97a43f2ee978a25b4d",
    megabytes=1800,
    trained_on="LLaVA-OneVision: questions and answers about pictures and videos",
    reported="44.0 % of the questions of Video-MME",
)

CLIP = HubModel(
    name="clip-vit-b32",
    repository="openai/clip-vit-base-patch32",
    # The hub's conversion to safetensors: the main branch has pickles only.
    revision="c237dc49a33fc61debc9276459120b7eac67e7ef",
    megabytes=610,
    trained_on="400 million pictures of the web with their texts",
    reported="no recall for this size; OpenCLIP's table has 58.8 % at the first place and 90.0 % "
    "among ten, on Flickr30k's 1,000 test pictures",
)
SIGLIP_2 = HubModel(
    name="siglip2-base",
    repository="google/siglip2-base-patch16-224",
    revision="75de2d55ec2d0b4efc50b3e9ad70dba96a7b2fa2",
    megabytes=1539,
    trained_on="WebLI: pictures of the web with texts in many languages",
    reported="the right one at the first place for 52.1 % of COCO's captions, 5,000 pictures",
)
TIMESFORMER_K400 = HubModel(
    name="timesformer-k400",
    repository="facebook/timesformer-base-finetuned-k400",
    # The hub's conversion to safetensors: the main branch has pickles only.
    revision="f300f6ac53f51b74e7f691877142ac426ce800ad",
    megabytes=486,
    trained_on="Kinetics-400: web videos of 400 actions",
    reported="77.9 % of Kinetics-400's validation videos right",
)
TIMESFORMER_K600 = HubModel(
    name="timesformer-k600",
    repository="facebook/timesformer-base-finetuned-k600",
    revision="",
    megabytes=487,
    trained_on="Kinetics-600: web videos of 600 actions",
    reported="79.1 % of Kinetics-600's validation videos right",
)
VIDEO_MAE = HubModel(
    name="videomae-base",
    repository="MCG-NJU/videomae-base-finetuned-kinetics",
    revision="488eb9a0565f257b32866000305c8178965eb9f6",
    megabytes=346,
    trained_on="Kinetics-400: web videos of 400 actions",
    reported="80.9 % of Kinetics-400's validation videos right, over 15 views of each",
)
# Not a model of the page: the text side of train.frame_search starts from it.
DISTILBERT = HubModel(
    name="distilbert-base-uncased",
    repository="distilbert/distilbert-base-uncased",
    revision="12040accade4e8a0f71eabdb258fecc2e7e948be",
    megabytes=269,
    trained_on="English Wikipedia and books",
    reported="97 % of what BERT reaches on GLUE",
)


def ignore_report(_words: str, _share: float | None) -> None:
    """For callers that do not show progress."""


def folder_here(model: HubModel) -> Path | None:
    """Where the model lies on this machine, whole; None where it does not. No network.

    Raises:
        ModelUnavailableError: FRAMESCRY_MODELS_DIR has a folder for it that cannot be used.
    """
    chosen = _chosen_folder(model)
    if chosen is not None:
        lacking = lacking_in(chosen)
        if lacking is not None:
            raise ModelUnavailableError(
                f"The folder {chosen.name} in {MODELS_DIR_VARIABLE} has no {lacking}: put the "
                f"files of {model.repository} there, or take the folder away."
            )
        return chosen
    if not model.revision:
        return None
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(model.repository, CONFIG_FILE, revision=model.revision)
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    return folder if lacking_in(folder) is None else None


def _chosen_folder(model: HubModel) -> Path | None:
    """Of the folder that people set: under the model's name here, or as the hub calls it."""
    text = os.environ.get(MODELS_DIR_VARIABLE, "").strip()
    if not text:
        return None
    root = Path(text).expanduser()
    if not root.is_dir():
        raise ModelUnavailableError(
            f"{MODELS_DIR_VARIABLE} names no folder of this machine: correct it, or unset it."
        )
    places = (model.name, model.repository, model.repository.split("/")[-1])
    return next((root / place for place in places if (root / place).is_dir()), None)


def lacking_in(folder: Path) -> str | None:
    """The first of the needed files that is not there."""
    if not (folder / CONFIG_FILE).is_file():
        return CONFIG_FILE
    try:
        files = weight_files(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return WEIGHTS_FILE
    return next((file.name for file in files if not file.is_file()), None)


def weight_files(folder: Path) -> list[Path]:
    """One, or the several that large weights are cut into."""
    index = folder / WEIGHTS_INDEX
    if (folder / WEIGHTS_FILE).is_file() or not index.is_file():
        return [folder / WEIGHTS_FILE]
    parts = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
    return [folder / Path(part).name for part in sorted(set(parts))]


def weights_hash(folder: Path) -> str:
    """Of one file its SHA-256; of several, that of their hashes one after the other."""
    hashes = []
    for path in weight_files(folder):
        with path.open("rb") as file:
            hashes.append(hashlib.file_digest(file, "sha256").hexdigest())
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def fetch(model: HubModel, report: Report = ignore_report, instead: str = "") -> Path:
    """The folder of the model, fetched first where it is not on this machine.

    `instead`: what else can be chosen, such as "choose captioner or none"; it ends the sentence
    that is said where the model cannot be had.

    Raises:
        ModelUnavailableError: it is not here and the hub does not give it.
    """
    folder = folder_here(model)
    if folder is not None:
        return folder
    ending = f"; {instead}." if instead else "."
    if not model.revision:
        raise ModelUnavailableError(
            f"{model.name} is not fetched, for no fixed version of it is known: put the files of "
            f"{model.repository} into a folder {model.name} of {MODELS_DIR_VARIABLE}{ending}"
        )
    report(f"Asking the model hub for {model.name}", None)
    why = why_not_asked()
    if why is not None:
        raise ModelUnavailableError(f"{model.name} is not on this machine and {why}{ending}")
    try:
        folder = _fetched(model, report)
    except (OSError, ValueError) as error:
        _log.warning("%s could not be fetched: %s", model.repository, error)
        raise ModelUnavailableError(
            f"{model.name} could not be fetched from the model hub (the log says why){ending}"
        ) from error
    lacking = lacking_in(folder)
    if lacking is not None:
        raise ModelUnavailableError(
            f"The model hub gave no {lacking} for {model.name}, so it cannot be used{ending}"
        )
    return folder


def _fetched(model: HubModel, report: Report) -> Path:
    """Raises OSError where it did not come to its end; ends where `report` raises."""
    words = f"Fetching {model.name}, {model.megabytes:,} MB"
    return Path(asked_of_worker([model.repository, model.revision], words, report)["folder"])


_probed: dict[str, tuple[float, bool]] = {}


def why_not_asked() -> str | None:
    """Why the hub cannot be asked now, as the end of a sentence; None where it can."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE forbids asking the model hub for it"
    return None if _reachable(constants.ENDPOINT) else "the model hub cannot be reached"


def _reachable(endpoint: str) -> bool:
    """Whether something answers there, or a proxy on the way to it; asked twice a minute at most.

    Looking up a name has no time limit of its own, so a thread waits for it.
    """
    said_at, said = _probed.get(endpoint, (-_PROBE_HOLDS_S, False))
    if time.monotonic() - said_at < _PROBE_HOLDS_S:
        return said
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.extend(_connects(endpoint)), daemon=True)
    thread.start()
    thread.join(_PROBE_S)
    _probed[endpoint] = (time.monotonic(), bool(found))
    return bool(found)


def _connects(endpoint: str) -> Iterator[bool]:
    address = urlsplit(endpoint)
    host = address.hostname or ""
    proxy = urllib.request.getproxies().get(address.scheme)
    if proxy and not urllib.request.proxy_bypass(host):
        address = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname or "", port), _PROBE_S).close()
    except OSError:
        return
    yield True
