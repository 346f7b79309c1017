"""What goes to a Space, and what is said where it cannot."""

import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import httpx
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from app.space import push as pushing
from app.space.files import LARGEST_BYTES, ROOT, SpaceError, files_of_space
from app.space.push import main, push
from models import hub

RUNS = ("README.md", "app.py", "app/demo.py", "assets/examples/a.mp4", "checkpoints/a/config.json",
        "models/device.py", "requirements.txt", "packages.txt")  # fmt: skip
STAYS = ("tests/test_a.py", "train/a.py", "benchmarks/a.py", "Makefile", "app/space/push.py",
         "assets/make_examples.py", "checkpoints/local/mine/model.safetensors")  # fmt: skip


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in (*RUNS, *STAYS):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    git(tmp_path, "init", "-q")
    commit(tmp_path)
    return tmp_path


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "add", "-A", "-f")
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    git(root, *who, "commit", "-q", "-m", "all", "--allow-empty")


def fake_hub(hardware: str | None = "zero-a10g") -> Any:
    """The library's own interface: what it does not take is refused."""
    api = create_autospec(HfApi, instance=True)
    api.get_space_runtime.return_value = SimpleNamespace(requested_hardware=hardware)
    api.pushed = {}

    def upload(*, folder_path: str, **_: Any) -> None:
        found = (path for path in Path(folder_path).rglob("*") if path.is_file())
        api.pushed = {path.relative_to(folder_path).as_posix(): path.read_text() for path in found}

    api.upload_folder.side_effect = upload
    return api


def test_exactly_what_runs_is_pushed(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    api = fake_hub()
    push("owner/name", root=checkout, open_hub=lambda: api)
    assert api.pushed == {name: name for name in RUNS}
    made = api.create_repo.call_args.kwargs
    assert (made["space_sdk"], made["space_hardware"]) == ("gradio", "zero-a10g")
    assert made["exist_ok"] and not made["private"]
    assert api.upload_folder.call_args.kwargs["delete_patterns"] == "*", "what is old goes"
    assert not api.request_space_hardware.called
    said = capsys.readouterr().out
    assert all(name in said for name in RUNS) and f"in {len(RUNS)} files" in said


def test_a_space_that_is_there_gets_the_hardware(checkout: Path) -> None:
    api = fake_hub("cpu-basic")
    push("owner/name", root=checkout, open_hub=lambda: api)
    api.request_space_hardware.assert_called_once_with("owner/name", "zero-a10g")


def test_a_dry_run_lists_and_asks_nobody(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    push("owner/name", dry_run=True, root=checkout, open_hub=lambda: pytest.fail("asked the hub"))
    said = capsys.readouterr().out
    assert "app/demo.py" in said and "Nothing was pushed" in said


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("app/demo.py", "other", "not committed, such as app/demo.py: commit"),
        ("app/new.py", "new", "not committed, such as app/new.py: commit"),
    ],
)
def test_what_is_not_committed_is_not_pushed(
    checkout: Path, name: str, content: str, reason: str
) -> None:
    (checkout / name).write_text(content)
    with pytest.raises(SpaceError, match=reason):
        push("owner/name", root=checkout, open_hub=lambda: pytest.fail("asked the hub"))


def test_what_a_link_leads_to_is_not_pushed(checkout: Path, tmp_path_factory: Any) -> None:
    secret = tmp_path_factory.mktemp("home") / "token"
    secret.write_text("secret")
    (checkout / "app/linked.txt").symlink_to(secret)
    commit(checkout)
    with pytest.raises(SpaceError, match=r"app/linked.txt is a link"):
        push("owner/name", root=checkout, open_hub=lambda: pytest.fail("asked the hub"))


def test_a_large_file_is_not_pushed(checkout: Path) -> None:
    (checkout / "checkpoints/a/model.safetensors").write_bytes(b"0" * (LARGEST_BYTES + 1))
    commit(checkout)
    with pytest.raises(SpaceError, match=r"model.safetensors has 10.0 MB, and 10 MB are the most"):
        push("owner/name", root=checkout, open_hub=fake_hub)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "does not know this token"),
        (403, "may not write to owner/name, or .* zero-a10g"),
        (402, r"refused with 402 \(Payment required"),
    ],
)
def test_what_the_hub_refuses_is_said_in_a_sentence(
    checkout: Path, status: int, reason: str
) -> None:
    answer = httpx.Response(status, request=httpx.Request("POST", "https://example.org"))
    api = fake_hub()
    api.create_repo.side_effect = HfHubHTTPError(
        "no", response=answer, server_message="Payment required."
    )
    with pytest.raises(SpaceError, match=reason):
        push("owner/name", root=checkout, open_hub=lambda: api)
    api.create_repo.side_effect = httpx.ConnectError("gone")
    with pytest.raises(SpaceError, match="connection to the model hub was lost"):
        push("owner/name", root=checkout, open_hub=lambda: api)


def test_without_a_token_or_a_connection(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(SpaceError, match="no token for the model hub: set HF_TOKEN"):
        push("owner/name", root=checkout)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_made_up")
    monkeypatch.setattr(hub, "why_not_asked", lambda: "the model hub cannot be reached")
    with pytest.raises(SpaceError, match="Nothing was pushed: the model hub cannot be reached"):
        push("owner/name", root=checkout)


@pytest.mark.parametrize("repo", ["name", "owner/name/more", "https://example.org/a/b", ""])
def test_what_names_no_space(repo: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([repo]) == 2
    assert "give it as OWNER/NAME" in capsys.readouterr().err


def test_no_checkout(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match="Only a checkout of the repository"):
        pushing.push("owner/name", root=tmp_path)


def test_this_repository_fits() -> None:
    files = files_of_space(ROOT)
    names = {file.path for file in files}
    assert {"app.py", "app/upkeep.py", "checkpoints/backbone/model.safetensors"} <= names
    assert not any(name.startswith(("tests/", "train/", "benchmarks/")) for name in names)
    assert max(file.size for file in files) <= LARGEST_BYTES


def test_the_front_matter_fits_what_is_installed() -> None:
    """A Space is refused or built wrongly otherwise, and says so only there."""
    front = (ROOT / "README.md").read_text(encoding="utf-8").split("---\n")[1]
    said = dict(re.findall(r"^(\w+): *\"?([^\"\n]*)\"?$", front, re.MULTILINE))
    pinned = dict(re.findall(r"^([\w.-]+)(?:\[\w+\])?==(\S+)$", requirements(), re.MULTILINE))
    assert said["sdk"] == "gradio" and said["sdk_version"] == pinned["gradio"]
    assert (ROOT / said["app_file"]).is_file()
    assert len(said["short_description"]) <= 60
    assert said["python_version"] in ("3.12.12", "3.10.13"), "what ZeroGPU offers"
    assert pinned["torch"] in ("2.8.0", "2.9.1", "2.10.0", "2.11.0"), "what ZeroGPU runs"
    assert said["suggested_hardware"] == pushing.HARDWARE
    packages = (ROOT / "packages.txt").read_text().split("\n")
    assert all(re.fullmatch(r"[a-z0-9.+-]*", line) for line in packages), "one name a line"


def requirements() -> str:
    return (ROOT / "requirements.txt").read_text(encoding="utf-8")
