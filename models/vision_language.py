"""Language models that look at pictures (SmolVLM2, LLaVA-OneVision), from a folder of the hub's.

Several pictures of one event go into one message, with the time of each; the answer is an object of
known shape (models.scene_answer). What cannot be read is asked for once more, without the pictures,
which costs little; after that the words are kept and nothing is concluded from them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import CancelledError
from models.gpu_calls import LentModel, on_gpu
from models.pretrained import Pretrained
from models.scene_answer import AnswerError, question, read_answer, repair_question, title, unread
from models.types import FrameBatch, SceneDescription

_MOST_TOKENS = 256
# Pictures are looked at whole, not in tiles as well: several of an event tell more than one large.
_WHOLE = {"smolvlm": {"do_image_splitting": False}}


class VisionLanguageModel(LentModel):
    """Implements protocols.SceneDescriber."""

    def __init__(
        self, folder: Path, name: str, frames_wanted: int = 6, short_side_px: int = 384
    ) -> None:
        """Raises CheckpointError where the folder does not hold a whole model."""
        self._model = Pretrained(
            folder, name, "AutoModelForImageTextToText", "AutoProcessor", lent_gpu=True
        )
        self.name = name
        self.weights_hash: str | None = self._model.weights_hash
        self.frames_wanted = frames_wanted
        self.short_side_px = short_side_px
        self._looking = _WHOLE.get(self._model.network.config.model_type, {})

    @on_gpu(start_s=30)  # two answers of the longest, and moving there
    def describe_event(
        self,
        frames: FrameBatch,
        trigger: str,
        stop: Callable[[], bool] | None = None,
    ) -> SceneDescription:
        """`trigger` in words; of more frames than wanted, some are taken evenly.

        Raises:
            CancelledError: `stop` turned true, which is asked after every word.
        """
        if len(frames) == 0:
            raise ValueError("an event has at least one frame, received 0")
        rows = _spread(len(frames), self.frames_wanted)
        content: list[dict[str, Any]] = []
        for number, row in enumerate(rows, 1):
            content.append(_words(title(number, float(frames.times_s[row]))))
            content.append({"type": "image", "image": np.array(frames.pixels[row])})
        with self._model.running:
            self._model.free_threads()
            answer = self._answer([*content, _words(question(trigger))], stop)
            try:
                return read_answer(answer)
            except AnswerError as error:
                again = repair_question(answer, str(error))
            repaired = self._answer([_words(again)], stop)
        try:
            return read_answer(repaired)
        except AnswerError:
            return unread(answer)

    def _answer(self, content: list[dict[str, Any]], stop: Callable[[], bool] | None) -> str:
        """The likeliest answer to one message, word by word."""
        import torch

        inputs = self._model.given(
            self._model.processor.apply_chat_template(
                [{"role": "user", "content": content}],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
                processor_kwargs={"images_kwargs": dict(self._looking)},
            )
        )
        given = inputs["input_ids"].shape[1]
        stopped = _Stopped(stop)
        with torch.inference_mode():
            tokens = self._model.network.generate(
                **inputs, max_new_tokens=_MOST_TOKENS, do_sample=False, stopping_criteria=[stopped]
            )
        stopped.check()
        said = self._model.processor.batch_decode(tokens[:, given:], skip_special_tokens=True)
        return str(said[0]).strip()


class _Stopped:
    """Ends the writing of an answer when somebody asks for it."""

    def __init__(self, stop: Callable[[], bool] | None) -> None:
        self._stop = stop
        self._was = False

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        import torch

        self._was = self._was or (self._stop is not None and self._stop())
        return torch.full((input_ids.shape[0],), self._was, device=input_ids.device)

    def check(self) -> None:
        if self._was:
            raise CancelledError("stopped on request")


def _words(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _spread(count: int, wanted: int) -> list[int]:
    """Rows over the whole of `count`, the first and the last among them."""
    return sorted({round(row) for row in np.linspace(0, count - 1, min(count, wanted)).tolist()})
