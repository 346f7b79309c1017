"""How often one visitor may ask where anybody may come."""

from typing import Any

import gradio as gr
import pytest
from gradio.context import LocalContext

from app.tabs.failures import said_plainly
from app.tabs.visitors import limit_visitors, who_asks
from app.visitors import TooOftenError, Visitors


def test_each_visitor_has_an_hour_of_their_own() -> None:
    now = [0.0]
    visitors = Visitors(2, now=lambda: now[0])
    for who in ("a", "a", "b"):
        visitors.admit(who)
    now[0] = 600.0
    with pytest.raises(TooOftenError, match=r"2 times an hour here, .* again in 50 minutes\."):
        visitors.admit("a")
    visitors.admit("b")
    now[0] = 3600.0
    visitors.admit("a")


def test_no_limit_and_nothing_kept() -> None:
    visitors = Visitors(0)
    for _ in range(1000):
        visitors.admit("a")
    assert not visitors._asked


def test_many_visitors_do_not_fill_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.visitors._MOST_KEPT", 100)
    now = [0.0]
    visitors = Visitors(2, now=lambda: now[0])
    for number in range(1000):
        now[0] += 0.001
        visitors.admit(str(number))
        assert len(visitors._asked) <= 100
    assert "999" in visitors._asked and "0" not in visitors._asked


def test_long_work_of_a_page_is_counted_and_refused_in_a_sentence() -> None:
    asked: list[str] = []

    def work(what: str) -> Any:
        asked.append(what)
        yield what

    with gr.Blocks() as page:
        box, note = gr.Textbox(), gr.Textbox()
        limits = {"concurrency_limit": 1, "concurrency_id": "work"}
        box.submit(said_plainly(work, lambda text: text), box, note, **limits)
        box.change(said_plainly(work, lambda text: text), box, note)
    limit_visitors(page, "work", an_hour=1)
    submit, change = (event.fn for event in page.fns.values())
    assert submit is not None and change is not None
    assert list(submit("first")) == ["first"]
    refused = submit("second")
    assert next(refused).startswith("Each visitor can ask 1 times an hour here")
    with pytest.raises(gr.Error, match="try again in 60 minutes"):
        next(refused)
    assert list(change("quick")) == ["quick"], "what is quick is not counted"
    assert asked == ["first", "quick"]


def test_long_work_that_nobody_counts_is_a_mistake() -> None:
    with gr.Blocks() as page:
        box = gr.Textbox()
        box.submit(lambda text: text, box, box, concurrency_id="work")
    with pytest.raises(ValueError, match="made by said_plainly"):
        limit_visitors(page, "work", an_hour=1)


def test_before_a_space_stands_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    class Asking:
        headers = {"x-forwarded-for": "8.8.8.8, 1.2.3.4, 10.0.0.1"}
        client = type("Client", (), {"host": "10.0.0.1"})

    token = LocalContext.request.set(Asking())  # type: ignore[arg-type]
    try:
        monkeypatch.delenv("SPACE_ID", raising=False)
        assert who_asks() == "10.0.0.1", "elsewhere anybody could say anything"
        monkeypatch.setenv("SPACE_ID", "owner/name")
        assert who_asks() == "1.2.3.4", "what stands before it, visitors say of themselves"
        Asking.headers = {"x-forwarded-for": "made up, 2001:4860:4860::8888"}
        network = who_asks()
        Asking.headers = {"x-forwarded-for": "2001:4860:4860::1"}
        assert who_asks() == network == "2001:4860:4860::"
        for nothing in ("made up", "", "192.168.1.1"):
            Asking.headers = {"x-forwarded-for": nothing}
            assert who_asks() == "10.0.0.1"
    finally:
        LocalContext.request.reset(token)
