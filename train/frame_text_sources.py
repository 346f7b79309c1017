"""Everything that the frame-text encoder is trained from, opened once for all stages."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from models.frame_text_encoder import FrameTextShape
from models.subwords import Subwords, count_words, learn_subwords
from models.types import Floats
from train.data.captioned_features import CaptionedFeatures, student_features, teacher_features
from train.data.captions import CaptionedData, load_captions, training_texts
from train.data.frames import open_frame_store
from train.data.sentences import common_words, sentence_embeddings
from train.frame_text_config import FrameTextConfig

COMMON_WORD_COUNT = 3  # a common word weighs as much as if captions had it so often


@dataclass(frozen=True, slots=True)
class Sources:
    config: FrameTextConfig
    subwords: Subwords
    texts: list[str]
    sentences: Floats  # of the texts
    captioned: CaptionedData
    teacher: CaptionedFeatures

    @property
    def student(self) -> CaptionedFeatures:
        """Of the config's backbone, which may not exist before the ceiling does.

        Raises:
            CheckpointError: the backbone's folder cannot be used.
        """
        data = self.config.data
        student = student_features(Path(data.backbone), Path(data.cache_dir))
        if self.teacher.pictures.tolist() != student.pictures.tolist():
            raise ValueError("teacher and student saw other frames: delete the cache's features")
        return student

    @property
    def texts_key(self) -> str:
        digest = hashlib.sha256(self.subwords.to_json().encode())
        for text in self.texts:
            digest.update(text.encode() + b"\n")
        return digest.hexdigest()

    def sentence_of(self) -> dict[str, Floats]:
        return dict(zip(self.texts, self.sentences, strict=True))

    def shape_for(self, features: CaptionedFeatures) -> FrameTextShape:
        return self.config.model.shape(len(self.subwords), features.views.shape[2])


def open_sources(config: FrameTextConfig) -> Sources:
    """Computes what is not in the cache yet; on two cores that takes minutes once.

    Raises:
        FileNotFoundError: captions, frames or the sentence encoder are missing.
    """
    cache, data = Path(config.data.cache_dir), Path(config.data.data_dir)
    teacher = teacher_features(data, cache)
    captioned = load_captions(data, open_frame_store(cache / "frames"), teacher.pictures.tolist())
    captions = [caption for item in captioned.part("train") for caption in item.captions]
    words = common_words(cache)
    texts = training_texts(captions, words, config.data.spans, config.seed)
    subwords = learn_vocabulary(captions, words, config.model.vocabulary)
    return Sources(
        config=config,
        subwords=subwords,
        texts=texts,
        sentences=sentence_embeddings(texts, cache),
        captioned=captioned,
        teacher=teacher,
    )


def learn_vocabulary(captions: list[str], words: list[str], size: int) -> Subwords:
    counts = count_words(captions)
    counts.update(Counter(dict.fromkeys(words, COMMON_WORD_COUNT)))
    return learn_subwords(counts, size)
