"""Who asks, as far as Gradio knows, and the limit on what one visitor may ask."""

import ipaddress
from contextlib import suppress

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
    """The address that the request came from, or the network of a household where that is one.

    Before a Space stand proxies, and each adds whom it was asked by at the end of what it was told.
    The beginning is what visitors say of themselves; they could say another with each request.
    """
    request = LocalContext.request.get(None)
    if request is None:
        return "nobody"
    if on_a_space():
        for said in reversed(str(request.headers.get("x-forwarded-for") or "").split(",")):
            if (asked_for := _public_address(said)) is not None:
                return asked_for
    return request.client.host if request.client else "nobody"


def _public_address(text: str) -> str | None:
    """None where it is no address, or one of the proxies' own network."""
    with suppress(ValueError):
        address = ipaddress.ip_address(text.strip())
        if address.is_global:  # whoever has one address of IPv6 has all of its network
            kept = 64 if address.version == 6 else 32
            return str(ipaddress.ip_network((address, kept), strict=False).network_address)
    return None
