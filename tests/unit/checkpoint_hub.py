"""Enough of the model hub for checkpoints: repositories are made, pushed to, listed and given."""

import base64
import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from models import hub


@dataclass
class Hub:
    """`repositories` by name, each with its files; `asked` for what; `go_on` lets it send."""

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)
    revisions: set[str] = field(default_factory=set)  # that it knows beside main and its last
    address: str = ""

    def give(self, repository: str, folder: Path) -> dict[str, bytes]:
        """A folder as if it had been pushed."""
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        self.repositories[repository] = files
        return files

    def commit(self, repository: str) -> str:
        seen = sha1(usedforsecurity=False)
        for name, data in sorted(self.repositories[repository].items()):
            seen.update(name.encode() + data)
        return seen.hexdigest()


class _Answers(BaseHTTPRequestHandler):
    def __init__(self, hub: Hub, *args: Any) -> None:
        self._hub = hub
        super().__init__(*args)

    def do_GET(self) -> None:  # noqa: N802
        self._hub.asked.append(self.path)
        path = self.path.split("?")[0].strip("/").split("/")
        if path[:2] == ["api", "models"] and len(path) in (4, 6):
            repository = "/".join(path[2:4])
            if repository not in self._hub.repositories:
                return self._missing("RepoNotFound")
            commit = self._hub.commit(repository)
            if path[5:] and path[5] not in {"main", commit, *self._hub.revisions}:
                return self._missing("RevisionNotFound")
            files = self._hub.repositories[repository]
            siblings = [{"rfilename": name, "size": len(data)} for name, data in files.items()]
            return self._json({"id": repository, "sha": commit, "siblings": siblings})
        return self.do_HEAD()

    def do_HEAD(self) -> None:  # noqa: N802
        path = self.path.split("?")[0].strip("/").split("/")
        repository = "/".join(path[:2])
        found = self._hub.repositories.get(repository, {}).get("/".join(path[4:]))
        if found is None:
            return self._missing("EntryNotFound")
        commit = self._hub.commit(repository)
        tag = f'"{sha256(found).hexdigest()}"'
        return self._answer(found, {"ETag": tag, "X-Repo-Commit": commit})

    def do_POST(self) -> None:  # noqa: N802
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self._hub.asked.append(self.path)
        path = self.path.split("?")[0].strip("/").split("/")
        if path == ["api", "repos", "create"]:
            asked = json.loads(body)
            repository = f"{asked.get('organization', 'somebody')}/{asked['name']}"
            private = asked.get("private") or asked.get("visibility") == "private"
            self._hub.private.setdefault(repository, bool(private))
            self._hub.repositories.setdefault(repository, {})
            return self._json({"url": f"{self._hub.address}/{repository}"})
        if path == ["api", "validate-yaml"]:
            return self._json({"errors": [], "warnings": []})
        repository, action = "/".join(path[2:4]), path[4]
        if action == "preupload":
            wanted = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            return self._json({"files": wanted})
        for line in body.splitlines():
            said = json.loads(line)
            if said["key"] == "file":
                data = base64.b64decode(said["value"]["content"])
                self._hub.repositories[repository][said["value"]["path"]] = data
        commit = self._hub.commit(repository)
        page = f"{self._hub.address}/{repository}/commit/{commit}"
        return self._json({"success": True, "commitUrl": page, "commitOid": commit})

    def _missing(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _json(self, values: dict[str, Any]) -> None:
        self._answer(json.dumps(values).encode(), {"Content-Type": "application/json"})

    def _answer(self, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        with contextlib.suppress(OSError):
            self.wfile.write(body[: len(body) // 2])
            if "model.safetensors" in self.path:
                self._hub.go_on.wait(30)
            self.wfile.write(body[len(body) // 2 :])

    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""


def serve_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Where the hub's library looks for it, here and in child processes."""
    made = Hub()
    made.go_on.set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Answers, made))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made.address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(hub, "_probed", {})
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", made.address)
    monkeypatch.setenv("HF_ENDPOINT", made.address)
    monkeypatch.setenv("HF_TOKEN", "hf_of_nobody")
    yield made
    made.go_on.set()
    server.shutdown()
