"""Tiny networks with random weights in folders laid out as the hub's are: CLIP, SigLIP 2 and
DistilBERT, with tokenizers made here."""

import json
import string
from pathlib import Path
from typing import Any

SIDE = 32
_VISION: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "patch_size": 8, "image_size": SIDE,
}  # fmt: skip
_TEXT: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
}  # fmt: skip


def write_clip(folder: Path) -> Path:
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer

    ends = ["<|startoftext|>", "<|endoftext|>"]
    letters = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    listed = [*letters, *(f"{letter}</w>" for letter in letters), *ends]
    words = {token: number for number, token in enumerate(listed)}
    tokenizer = CLIPTokenizer(vocab=words, merges=[])
    config = CLIPConfig(
        text_config={**_TEXT, "vocab_size": len(words), "max_position_embeddings": 20,
                     "bos_token_id": words[ends[0]], "eos_token_id": words[ends[1]]},
        vision_config=_VISION, projection_dim=16,
    )  # fmt: skip
    CLIPModel(config).save_pretrained(folder)
    size = {"shortest_edge": SIDE}
    crop = {"height": SIDE, "width": SIDE}
    CLIPProcessor(CLIPImageProcessor(size=size, crop_size=crop), tokenizer).save_pretrained(folder)
    return folder


def write_siglip2(folder: Path) -> Path:
    """SigLIP 2 of one resolution: the network of SigLIP with Gemma's tokenizer."""
    from transformers import (
        GemmaTokenizer,
        SiglipConfig,
        SiglipImageProcessor,
        SiglipModel,
        SiglipProcessor,
    )

    listed = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁"]
    listed += [*string.ascii_letters, *string.digits, *string.punctuation]
    words = {token: number for number, token in enumerate(listed)}
    tokenizer = GemmaTokenizer(vocab=words, merges=[], add_bos_token=False, add_eos_token=True)
    config = SiglipConfig(
        text_config={**_TEXT, "vocab_size": len(words), "max_position_embeddings": 64,
                     "projection_size": 32, "bos_token_id": 2, "eos_token_id": 1,
                     "pad_token_id": 0},
        vision_config=_VISION,
    )  # fmt: skip
    network = SiglipModel(config)
    network.logit_scale.data.fill_(4.7)  # about what the published weights have
    network.logit_bias.data.fill_(-16.5)
    network.save_pretrained(folder)
    square = {"height": SIDE, "width": SIDE}
    SiglipProcessor(SiglipImageProcessor(size=square), tokenizer).save_pretrained(folder)
    return folder


def write_distilbert(folder: Path, words: tuple[str, ...] = ()) -> Path:
    """As the hub has it: with the head that predicts masked words, which nobody else needs."""
    from transformers import DistilBertConfig, DistilBertForMaskedLM, DistilBertTokenizer

    listed = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *string.ascii_lowercase, *words]
    listed += [f"##{letter}" for letter in string.ascii_lowercase]
    numbers = {token: number for number, token in enumerate(listed)}
    config = DistilBertConfig(
        vocab_size=len(listed), dim=32, hidden_dim=32, n_layers=1, n_heads=2,
        max_position_embeddings=32, pad_token_id=0,
    )  # fmt: skip
    DistilBertForMaskedLM(config).save_pretrained(folder)
    DistilBertTokenizer(vocab=numbers).save_pretrained(folder)
    return folder


def described(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return found
