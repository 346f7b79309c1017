"""DistilBERT as a training starts from it: from the hub, or from a folder laid out as the hub's."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from models import hub
from models.errors import UserFacingError
from models.pretrained import Pretrained

HUB = "hub"
# Of its description, what the shape of the network follows from.
SHAPE_KEYS = (
    *("vocab_size", "max_position_embeddings", "sinusoidal_pos_embds", "n_layers", "n_heads"),
    *("dim", "hidden_dim", "activation", "pad_token_id", "dropout", "attention_dropout"),
)


@dataclass(frozen=True, slots=True)
class PretrainedText:
    network: nn.Module
    tokenizer: Any
    described: dict[str, Any]  # what builds the network again


def load_text(source: str) -> PretrainedText:
    """
    Raises:
        ValueError: there is no such folder, it holds no DistilBERT, or the hub cannot be reached.
    """
    try:
        folder = hub.fetch(hub.DISTILBERT) if source == HUB else Path(source).expanduser()
        if not folder.is_dir():
            raise ValueError(f"model.text is hub or a folder, received {source!r}")
        loaded = Pretrained(folder, hub.DISTILBERT.name, "AutoModel", "AutoTokenizer")
    except UserFacingError as error:
        raise ValueError(f"model.text is {source}: {error}") from error
    if loaded.network.config.model_type != "distilbert":
        raise ValueError(
            f"model.text is a DistilBERT, received a {loaded.network.config.model_type}"
        )
    described = loaded.network.config.to_dict()
    return PretrainedText(
        loaded.network.float().cpu(),
        loaded.processor,
        {key: described[key] for key in SHAPE_KEYS if key in described},
    )
