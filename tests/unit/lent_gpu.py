"""A stand-in for the library of ZeroGPU Spaces that is as strict as it is: the marked function runs
in a forked process, arguments and value go through pickle, an exception loses its words."""

import multiprocessing
import pickle
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any


class RefusedError(Exception):
    """As Gradio's Error, which the library raises: the words are in `message`."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class LentGpu(ModuleType):
    """`asked_s` lists for how long each call asked; `forks` counts processes."""

    def __init__(self, most_s: float = 120.0) -> None:
        super().__init__("spaces")
        self.asked_s: list[int] = []
        self.forks = 0
        self.refuses: str | None = None
        self._most_s = most_s
        self._context = multiprocessing.get_context("fork")
        self._waiting: tuple[Any, Connection] | None = None

    def GPU(self, duration: Callable[..., int]) -> Callable[[Any], Any]:  # noqa: N802
        def mark(work: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any) -> Any:
                seconds = duration(*args)
                self.asked_s.append(seconds)
                if seconds > self._most_s:
                    raise RefusedError(
                        f"The requested GPU duration ({seconds}s) is larger than the maximum"
                    )
                if self.refuses is not None:
                    raise RefusedError(self.refuses)
                return self._answer(work, pickle.dumps(args))

            return call

        return mark

    def end(self) -> None:
        """The process that waits for the next call ends."""
        if self._waiting is not None:
            process, _ = self._waiting
            process.terminate()
            process.join()
            self._waiting = None

    def _answer(self, work: Callable[..., Any], args: bytes) -> Any:
        if self._waiting is None:
            ours, theirs = self._context.Pipe()
            process = self._context.Process(target=_serve, args=(work, theirs), daemon=True)
            process.start()
            self.forks += 1
            self._waiting = process, ours
        _, pipe = self._waiting
        pipe.send_bytes(args)
        if not pipe.poll(60.0):
            raise RefusedError("GPU task aborted")
        done, value = pickle.loads(pipe.recv_bytes())
        if not done:
            raise RefusedError(value)
        return value


def _serve(work: Callable[..., Any], pipe: Connection) -> None:
    while True:
        try:
            answer = pickle.dumps((True, work(*pickle.loads(pipe.recv_bytes()))))
        except EOFError:
            return
        except Exception as error:
            answer = pickle.dumps((False, type(error).__name__))
        pipe.send_bytes(answer)
