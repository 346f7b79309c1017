"""What every training keeps of itself: the last state, the best, and one every so many rounds."""

from pathlib import Path

import pytest
import torch

from tests.unit import scorer_toys
from train import keyframe_scorer
from train.keyframe_config import load_config


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    scorer_toys.write_toy(folder)
    config = load_config(scorer_toys.toy_config(folder, run={"max_rounds": 5, "save_every": 2}))
    keyframe_scorer.fit(config, resume=False)
    return folder


def test_states_are_kept_every_so_many_rounds_beside_last_and_best(toy: Path) -> None:
    kept = sorted(path.name for path in (toy / "run").glob("*.ckpt"))
    assert kept == ["best.ckpt", "last.ckpt", "round-0001.ckpt", "round-0003.ckpt"]
    middle = torch.load(toy / "run" / "round-0003.ckpt", weights_only=False)
    assert middle["epoch"] == 3


def test_a_kept_state_can_be_gone_on_from(toy: Path) -> None:
    (toy / "again").mkdir()
    (toy / "run" / "round-0003.ckpt").rename(toy / "again" / "last.ckpt")
    run = {"max_rounds": 5, "folder": str(toy / "again")}
    resumed = keyframe_scorer.fit(load_config(scorer_toys.toy_config(toy, run=run)), resume=True)
    whole = torch.load(toy / "run" / "last.ckpt", weights_only=False)
    assert resumed.global_step == whole["global_step"]
    for name, tensor in resumed.state_dict().items():
        assert torch.equal(tensor, whole["state_dict"][name]), name


def test_a_wrong_interval_is_refused_before_anything_is_read(toy: Path) -> None:
    with pytest.raises(ValueError, match=r"run\.save_every is at least 1, received 0"):
        load_config(scorer_toys.toy_config(toy, run={"save_every": 0}))


@pytest.mark.parametrize("action", ["fit", "test"])
def test_a_state_of_another_network_is_refused_in_a_sentence(
    toy: Path, action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = scorer_toys.toy_config(toy, run={"max_rounds": 5})
    asked = [action, "--config", str(config), "--set", "model.dim=32"]
    assert keyframe_scorer.main([*asked, *(["--resume"] if action == "fit" else [])]) == 2
    said = capsys.readouterr().err
    assert "last.ckpt was made of another network than the config's: 1 of" in said
    assert "of another shape (network.project.weight is [16, 16], not [32, 16]" in said
    assert "Traceback" not in said
