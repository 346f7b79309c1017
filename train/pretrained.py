"""Where a timm trunk's first weights come from: random numbers, timm's files, or a file here."""

from pathlib import Path
from typing import Any

from torch import nn

from models import hub
from models.checkpoint import WEIGHTS_FILE

RANDOM, HUB = "random", "hub"
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")


def load_trunk(architecture: str, source: str, **options: Any) -> nn.Module:
    """A timm network without its classifier. `source`: random, hub, or a file of its weights.

    Raises:
        ValueError: it names no source, the hub cannot be reached, or the file does not fit.
    """
    import timm

    known = timm.is_model(architecture)
    if not known:
        raise ValueError(f"architecture is a model of timm, received {architecture!r}")
    if source == RANDOM:
        return timm.create_model(architecture, pretrained=False, num_classes=0, **options)
    if source == HUB:
        kept = _kept_file(architecture)
        if kept is None:
            _need_hub(architecture)
            return timm.create_model(architecture, pretrained=True, num_classes=0, **options)
        source = str(kept)
    path = Path(source).expanduser()
    if path.suffix not in SUFFIXES or not path.is_file():
        raise ValueError(f"pretrained is random, hub, or a file of weights, received {source!r}")
    trunk = timm.create_model(architecture, pretrained=False, num_classes=0, **options)
    _load_file(trunk, path, architecture)
    return trunk


def _load_file(trunk: nn.Module, path: Path, architecture: str) -> None:
    """Tensors only; the classifier that a file may hold is the one thing that may be left over."""
    from timm.models import clean_state_dict, load_state_dict

    try:
        stored = clean_state_dict(load_state_dict(str(path), weights_only=True))
    except Exception as error:  # pickle, zip and safetensors each have their own
        raise ValueError(f"pretrained: {path.name} holds no weights ({error})") from error
    classifiers = tuple(f"{name}." for name in ("fc", "classifier", "head", "head.fc"))
    own = trunk.state_dict()
    stored = {
        name: tensor
        for name, tensor in stored.items()
        if name in own or not name.startswith(classifiers)
    }
    try:
        trunk.load_state_dict(stored)
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise ValueError(f"pretrained: {path.name} does not fit {architecture} ({first})") from None


def _kept_file(architecture: str) -> Path | None:
    """timm's file of it in the hub's cache on this machine."""
    import timm
    from huggingface_hub import try_to_load_from_cache

    config = timm.get_pretrained_cfg(architecture)
    if config is None or not config.hf_hub_id:
        return None
    kept = try_to_load_from_cache(config.hf_hub_id, WEIGHTS_FILE)
    return Path(kept) if isinstance(kept, str) else None


def _need_hub(architecture: str) -> None:
    """timm tries for three quarters of a minute before it says that there is no network."""
    why = hub.why_not_asked()
    if why is not None:
        raise ValueError(
            f"pretrained is hub, but {architecture} is not on this machine and {why}: "
            "set it to random or to a file of weights"
        )
