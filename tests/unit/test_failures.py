"""Whatever goes wrong becomes one sentence, and the log keeps the rest."""

import logging
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest

from app.tabs.failures import SORRY, problem, said_plainly
from models.errors import CancelledError, LinkError


def handler_that_raises(error: BaseException) -> Any:
    def handler() -> Iterator[dict[str, Any]]:
        yield {"shown": 1}
        raise error

    return said_plainly(handler, lambda text: {"note": text})


def test_what_people_can_fix_is_said_as_it_stands() -> None:
    updates = handler_that_raises(LinkError("Paste another link."))()
    assert next(updates) == {"shown": 1}
    assert next(updates) == {"note": "Paste another link."}
    with pytest.raises(gr.Error) as raised:
        next(updates)
    assert raised.value.message == "Paste another link."
    assert raised.value.print_exception is False


def test_our_own_mistakes_go_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    updates = handler_that_raises(KeyError("/home/somebody/secret"))()
    with caplog.at_level(logging.ERROR):
        seen = [next(updates), next(updates)]
        with pytest.raises(gr.Error, match="wrong on our side"):
            next(updates)
    assert seen[1] == {"note": SORRY}
    assert "secret" in caplog.text


def test_stopping_is_no_error() -> None:
    assert list(handler_that_raises(CancelledError("stopped"))()) == [{"shown": 1}, {"note": ""}]


def test_closing_reaches_the_work() -> None:
    closed = []

    def handler() -> Iterator[dict[str, Any]]:
        try:
            while True:
                yield {}
        finally:
            closed.append(True)

    updates: Any = said_plainly(handler, lambda text: {"note": text})()
    next(updates)
    updates.close()
    assert closed


def test_a_sentence_said_again_is_news() -> None:
    assert problem("Again.") != problem("Again.")
    assert problem("") is None
