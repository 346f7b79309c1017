"""The same summary and the same search for programs."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

from tests.real_media import gradio_media
from tests.ui.conftest import Server


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    return Client(server.url, verbose=False)


def test_summarize(client: Client, video: Path) -> None:
    summary = client.predict(
        video=handle_file(video), method="kmeans", keyframes=3, api_name="/summarize"
    )
    assert summary["schema_version"]
    assert summary["method"] == "kmeans"
    assert 1 <= len(summary["keyframes"]) <= 3
    assert summary["video"]["name"] == video.name
    assert {"start_s", "end_s", "score", "chosen"} <= set(summary["shots"][0])


def test_search(client: Client, video: Path) -> None:
    found = client.predict(
        video=handle_file(video), query="a person talking", top=2, api_name="/search"
    )
    assert found["query"] == "a person talking"
    assert found["confident"] in (True, False)
    assert 1 <= len(found["moments"]) <= 2
    like = client.predict(video=handle_file(video), at_s=1.0, api_name="/search")
    assert like["moments"][0]["start_s"] <= 1.0 <= like["moments"][0]["end_s"]


def test_recognize(client: Client, video: Path) -> None:
    found = client.predict(video=handle_file(video), api_name="/recognize")
    assert found["zero_shot"] is False and len(found["top"]) == 5
    assert {"start_s", "end_s", "label", "probability"} <= set(found["windows"][0])
    own = client.predict(
        video=handle_file(video), labels="a man talking, a car", api_name="/recognize"
    )
    assert own["zero_shot"] is True and own["labels"] == ["a man talking", "a car"]
    with pytest.raises(AppError, match="no label"):
        client.predict(video=handle_file(video), labels=",;", api_name="/recognize")


def test_triggers(client: Client, video: Path) -> None:
    found = client.predict(
        video=handle_file(video), triggers="change of scene\na person talking @ 0.9",
        detector="none", max_events=2, api_name="/triggers",
    )  # fmt: skip
    assert [looked["start_at"] for looked in found["thresholds"]] == [0.5, 0.9]
    assert found["num_triggers_detected"] == len(found["triggers"]) <= 2
    assert found["video_path"] == video.name and found["video_summary"].startswith("The video")
    with pytest.raises(AppError, match="finds no objects"):
        client.predict(video=handle_file(video), detector="yolo", api_name="/triggers")


def test_only_these_are_public(client: Client) -> None:
    described = client.view_api(return_format="dict", print_info=False)
    assert list(described["named_endpoints"]) == [
        "/summarize", "/search", "/recognize", "/triggers",
    ]  # fmt: skip
    assert not described["unnamed_endpoints"]


def test_tools_of_the_model_context_protocol(server: Server) -> None:
    async def ask() -> tuple[list[str], str]:
        address = f"{server.url}gradio_api/mcp/"
        async with (
            streamablehttp_client(address) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            tools = (await session.list_tools()).tools
            answer = await session.call_tool("summarize", {"link": "http://10.0.0.1/a.mp4"})
            return [tool.name for tool in tools], str(answer.content[0])

    with ThreadPoolExecutor(1) as aside:  # this thread may belong to the browser's own loop
        names, answer = aside.submit(lambda: asyncio.run(ask())).result()
    assert names == ["summarize", "search", "recognize", "triggers"]
    assert "link" in answer
    assert "Traceback" not in answer


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"link": "file:///etc/passwd"},
        {"link": "http://169.254.169.254/latest"},
        {"video": handle_file(gradio_media("cantina.wav"))},
        {"video": handle_file(gradio_media("b.mp4")), "keyframes": 3, "ratio": 0.5},
        {"video": handle_file(gradio_media("b.mp4")), "keyframes": -1},
    ],
    ids=["nothing", "file address", "private address", "no picture", "both", "negative"],
)
def test_refusals_are_sentences(client: Client, arguments: dict[str, object]) -> None:
    with pytest.raises(AppError) as refused:
        client.predict(**arguments, api_name="/summarize")
    assert "Traceback" not in str(refused.value)
    assert "wrong on our side" not in str(refused.value)


def test_own_files_of_the_server_are_out_of_reach(client: Client) -> None:
    with pytest.raises((AppError, ValueError)):
        client.predict(
            video={"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
            api_name="/summarize",
        )


@pytest.mark.parametrize(
    "arguments",
    [{}, {"query": "-dog"}, {"query": "dog", "at_s": 1.0}, {"query": "dog", "top": 0}],
    ids=["nothing", "only what to leave out", "both", "none wanted"],
)
def test_refused_searches_are_sentences(client: Client, arguments: dict[str, object]) -> None:
    with pytest.raises(AppError) as refused:
        client.predict(video=handle_file(gradio_media("b.mp4")), **arguments, api_name="/search")
    assert "wrong on our side" not in str(refused.value)
