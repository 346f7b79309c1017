"""Who asks, as far as Gradio knows, and the limit on what one visitor may ask."""

import gradio as gr
from gradio.context import LocalContext

from app.settings import on_a_space
from app.visitors import Visitors


def limit_visitors(page: gr.Blocks, work: str, an_hour: int) -> None:
    """All that waits for its turn in the queue named `work` is counted, whichever tab it is of.

    Raises:
        ValueError: some of it was not made by `said_plainly`, which asks whom to admit.
    """
    visitors = Visitors(an_hour)
    for event in page.fns.values():
        if event.concurrency_id == work and event.fn is not None:
            if not hasattr(event.fn, "admit"):
                raise ValueError(f"long work is made by said_plainly, received {event.name}")
            event.fn.admit = lambda: visitors.admit(who_asks())  # type: ignore[attr-defined]


def who_asks() -> str:
    """The address that the request came from.

    Before a Space stands a proxy, which says for whom it asks. That could be made up; it would be
    to have a limit of one's own, which slows down nobody else.
    """
    request = LocalContext.request.get(None)
    if request is None:
        return "nobody"
    if on_a_space() and (asked_for := request.headers.get("x-forwarded-for")):
        return str(asked_for).split(",")[0].strip()
    return request.client.host if request.client else "nobody"
