"""On a Space whose GPU is lent by the call, by the Space's own library and a lender of ours."""

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from gradio_client import Client, handle_file

from benchmarks.space_process import SpaceProcess, put_together, running_space
from models import hub
from tests.real_media import gradio_media
from tests.unit.hub_toys import write_detr


class Lender(ThreadingHTTPServer):
    """What lends GPUs to Spaces: it is told of a start and asked for seconds."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.reports = 0
        self.asked_s: list[int] = []
        self.released: list[str] = []
        self.left_s: int | None = None  # of the visitor's quota; None is enough

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Asked(BaseHTTPRequestHandler):
    server: Lender

    def do_POST(self) -> None:  # noqa: N802
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if path == "/startup-report":
            self.server.reports += 1
        elif path == "/release":
            self.server.released.append(query["fail"][0])
        elif path == "/schedule":
            self.server.asked_s.append(int(query["durationSeconds"][0]))
            if self.server.left_s is not None:
                self._answer(429, {"left": self.server.left_s, "wait": 3600})
                return
            lent = {"idle": True, "nvidiaIndex": 0, "nvidiaUUID": "GPU-0", "allowToken": "token"}
            self._answer(200, lent)
            return
        self._answer(200, {})

    def _answer(self, status: int, values: dict[str, Any]) -> None:
        content = json.dumps(values).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def lender() -> Iterator[Lender]:
    lender = Lender()
    threading.Thread(target=lender.serve_forever, daemon=True).start()
    yield lender
    lender.shutdown()


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory, lender: Lender) -> Iterator[SpaceProcess]:
    import torch

    folder = tmp_path_factory.mktemp("space")
    torch.manual_seed(0)
    write_detr(folder / "models" / hub.DETR.name)
    (folder / "cgroup").write_text("0::/a/space\n")
    settings = {
        "SPACES_ZERO_GPU": "true",
        "SPACES_ZERO_DEVICE_API_URL": lender.url,
        "ZEROGPU_PROC_SELF_CGROUP_PATH": str(folder / "cgroup"),
        "FRAMESCRY_PRELOAD": "0",
        hub.MODELS_DIR_VARIABLE: str(folder / "models"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "2",
    }
    entry = (str(Path(__file__).with_name("zero_gpu_space.py")),)
    with running_space(put_together(folder), folder, sys.executable, settings, entry) as running:
        yield running
        assert running.went_out() == []


@pytest.fixture(scope="module")
def find(space: SpaceProcess) -> Any:
    client = Client(space.url, verbose=False)

    def find(detector: str, words: str) -> dict[str, Any]:
        found: dict[str, Any] = client.predict(
            video=handle_file(str(gradio_media("world.mp4"))),
            triggers=f"{words} @ 0.01\nchange of scene @ 0.01",
            max_events=3,
            describe="none",
            detector=detector,
            api_name="/triggers",
        )
        return found

    return find


def test_what_is_shipped_needs_no_gpu(lender: Lender, find: Any) -> None:
    assert lender.reports == 1, "a Space whose start is not reported is ended"
    assert find("compact_detector", "a person")["triggers"]
    assert lender.asked_s == []


def test_what_is_large_is_lent_one_for_seconds(
    lender: Lender, find: Any, space: SpaceProcess
) -> None:
    found = find(hub.DETR.name, "a person")
    assert found["triggers"] and found["models"]["detector"]["name"] == hub.DETR.name
    assert not [said for said in found["remarks"] if "GPU" in said], space.log.read_text()
    assert lender.asked_s and max(lender.asked_s) <= 6, "one picture, and the way there"
    assert set(lender.released) == {"false"}, "and none of them failed"


def test_who_has_no_quota_left_gets_events_and_a_sentence(lender: Lender, find: Any) -> None:
    lender.left_s = 2
    try:
        found = find(hub.DETR.name, "a street")
    finally:
        lender.left_s = None
    assert found["triggers"]
    said = [said for said in found["remarks"] if said.startswith("detr-resnet-50 needs a GPU")]
    assert len(said) == 1 and "choose a model that comes with the program." in said[0]
