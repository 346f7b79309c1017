"""What people see when something does not work: one sentence, where they look, nothing lost."""

import functools
import logging
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from models.errors import CancelledError, UserFacingError

log = logging.getLogger(__name__)

SORRY = "Something went wrong on our side; the video is kept. Try again."

Updates = dict[Any, Any]
Handler = Callable[..., Iterator[Updates]]


def said_plainly(handler: Handler, on_failure: Callable[[str], Updates]) -> Handler:
    """The handler, with every way of failing turned into a sentence.

    `on_failure` says where on the page the sentence is put; what it does not name stays as it is.
    A handler that is closed (Cancel) just ends: the button that closed it says so. Its `admit` is
    called first and may refuse by raising.
    """

    @functools.wraps(handler)
    def run(*inputs: Any) -> Iterator[Updates]:
        try:
            run.admit()  # type: ignore[attr-defined] # a function's own, set below
            yield from handler(*inputs)
        except CancelledError:
            yield on_failure("")
        except UserFacingError as error:
            yield on_failure(str(error))
            raise gr.Error(str(error), print_exception=False) from error
        except Exception as error:
            log.exception("%s failed", handler.__name__)
            yield on_failure(SORRY)
            raise gr.Error(SORRY, print_exception=False) from error

    run.admit = _anybody  # type: ignore[attr-defined]
    return run


def _anybody() -> None:
    """Nobody is refused, unless said otherwise."""


def problem(text: str) -> dict[str, str] | None:
    """The value of a note; no text, no note. A sentence said again is a new one."""
    return {"said": secrets.token_hex(4), "text": text} if text else None
