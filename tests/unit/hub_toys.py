"""Tiny networks with random weights, in folders laid out as the hub's are: DETR as its authors left
it years ago, D-FINE, SmolVLM2 and LLaVA-OneVision, with tokenizers made here."""

import json
from pathlib import Path
from typing import Any

SIDE = 64
LABELS = {0: "N/A", 1: "person", 2: "dog", 3: "car"}
CHAT = (
    "{% for message in messages %}{{ message['role'] }}: {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}\n"
    "{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
)
_SMOL_TOKENS = ["<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"]
_SMOL_TOKENS += ["<video>", *(f"<row_{r}_col_{c}>" for r in range(1, 5) for c in range(1, 5))]
_LLAVA_TOKENS = ["<image>", "<video>", "<|im_start|>", "<|im_end|>"]


def write_detr(folder: Path) -> Path:
    from transformers import DetrConfig, DetrForObjectDetection

    small: dict[str, Any] = {
        "d_model": 16,
        "num_queries": 10,
        "encoder_layers": 1,
        "decoder_layers": 1,
    }
    small |= {"encoder_ffn_dim": 16, "decoder_ffn_dim": 16}
    small |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    # Without a description of its backbone, as on the hub: timm's, by name.
    config = DetrConfig(backbone="test_resnet", id2label=LABELS, **small)
    DetrForObjectDetection(config).save_pretrained(folder)
    described = json.loads((folder / "config.json").read_text())
    described.pop("backbone_config")
    described |= {"backbone": "test_resnet", "torch_dtype": described.pop("dtype")}
    _write(folder / "config.json", described)
    mean, deviation = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    _write(folder / "preprocessor_config.json", {
        "do_normalize": True, "do_resize": True, "feature_extractor_type": "DetrFeatureExtractor",
        "format": "coco_detection", "image_mean": mean, "image_std": deviation,
        "max_size": 2 * SIDE, "size": SIDE,
    })  # fmt: skip
    return folder


def write_dfine(folder: Path) -> Path:
    from transformers import DFineConfig, DFineForObjectDetection, RTDetrImageProcessor

    backbone = {
        "model_type": "hgnet_v2", "depths": [1, 1, 1, 1], "embedding_size": 8,
        "hidden_sizes": [8, 16, 16, 16], "stem_channels": [3, 8, 8],
        "stage_in_channels": [8, 8, 16, 16], "stage_mid_channels": [8, 8, 8, 8],
        "stage_out_channels": [8, 16, 16, 16], "stage_num_blocks": [1, 1, 1, 1],
        "stage_numb_of_layers": [1, 1, 1, 1], "out_features": ["stage2", "stage3", "stage4"],
        "out_indices": [2, 3, 4],
    }  # fmt: skip
    config = DFineConfig(
        backbone_config=backbone, id2label={0: "person", 1: "dog"}, d_model=16, num_queries=10,
        encoder_hidden_dim=16, encoder_in_channels=[16, 16, 16], encoder_ffn_dim=16,
        encoder_attention_heads=2, decoder_in_channels=[16, 16, 16], decoder_layers=2,
        decoder_ffn_dim=16, decoder_attention_heads=2, num_denoising=0,
    )  # fmt: skip
    DFineForObjectDetection(config).save_pretrained(folder)
    RTDetrImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


def write_smolvlm(folder: Path) -> Path:
    from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration, SmolVLMImageProcessor

    words = _tokenizer(folder, _SMOL_TOKENS)
    config = SmolVLMConfig(
        vision_config={**_VISION, "image_size": SIDE, "model_type": "smolvlm_vision"},
        text_config={"model_type": "llama", **_TEXT, "vocab_size": words},
        scale_factor=2, image_token_id=_number(folder, "<image>"), tie_word_embeddings=False,
    )  # fmt: skip
    SmolVLMForConditionalGeneration(config).save_pretrained(folder)
    SmolVLMImageProcessor(
        size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE}
    ).save_pretrained(folder)
    described = json.loads((folder / "preprocessor_config.json").read_text())
    described["video_sampling"] = {"fps": 1, "max_frames": 4, "video_size": {"longest_edge": SIDE}}
    described["processor_class"] = "SmolVLMProcessor"
    _write(folder / "preprocessor_config.json", described)
    tokens_a_picture = (SIDE // _VISION["patch_size"]) ** 2 // 4
    _write(
        folder / "processor_config.json",
        {"image_seq_len": tokens_a_picture, "processor_class": "SmolVLMProcessor"},
    )
    return folder


def write_llava(folder: Path) -> Path:
    from transformers import (
        LlavaOnevisionConfig,
        LlavaOnevisionForConditionalGeneration,
        LlavaOnevisionImageProcessor,
    )

    words = _tokenizer(folder, _LLAVA_TOKENS)
    grid = [[SIDE, SIDE], [SIDE, 2 * SIDE], [2 * SIDE, SIDE]]
    config = LlavaOnevisionConfig(
        vision_config={**_VISION, "image_size": SIDE, "model_type": "siglip_vision_model",
                       "vision_use_head": False},
        text_config={"model_type": "qwen2", **_TEXT, "vocab_size": words},
        image_token_index=_number(folder, "<image>"), video_token_index=_number(folder, "<video>"),
        image_grid_pinpoints=grid, tie_word_embeddings=False,
    )  # fmt: skip
    LlavaOnevisionForConditionalGeneration(config).save_pretrained(folder)
    LlavaOnevisionImageProcessor(
        size={"height": SIDE, "width": SIDE}, image_grid_pinpoints=grid
    ).save_pretrained(folder)
    _write(folder / "processor_config.json", {
        "num_image_tokens": (SIDE // _VISION["patch_size"]) ** 2,
        "processor_class": "LlavaOnevisionProcessor", "vision_feature_select_strategy": "full",
    })  # fmt: skip
    return folder


_VISION: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
                           "num_attention_heads": 2, "patch_size": 16}  # fmt: skip
_TEXT: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
                         "num_attention_heads": 2, "num_key_value_heads": 2,
                         "max_position_embeddings": 4096, "bos_token_id": 0, "eos_token_id": 1,
                         "pad_token_id": 1}  # fmt: skip


def _tokenizer(folder: Path, special: list[str]) -> int:
    """A tokenizer of bytes, written as the hub's folders have it; how many tokens it knows."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    listed = ["<|start|>", "<|end|>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    inner = Tokenizer(models.BPE({word: n for n, word in enumerate(listed)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<|start|>", eos_token="<|end|>", pad_token="<|end|>",
        additional_special_tokens=special,
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    _write(folder / "chat_template.json", {"chat_template": CHAT})
    return len(tokenizer)


def _number(folder: Path, token: str) -> int:
    listed = json.loads((folder / "tokenizer.json").read_text())["added_tokens"]
    return next(int(entry["id"]) for entry in listed if entry["content"] == token)


def _write(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values))
