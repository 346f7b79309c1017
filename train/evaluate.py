"""Writes the figures that the README quotes, each with its data, split and protocol.

    python -m train.evaluate summaries --data FOLDER [--out train/results]
    python -m train.evaluate keyframes [--config FILE] [--set KEY=VALUE] [--out train/results]
    python -m train.evaluate scorer --model NAME --dataset tvsum|summe|FILE.h5 [--drawings FOLDER]
    python -m train.evaluate retrieval [--config FILE] [--folder FOLDER] [--also MODEL]
    python -m train.evaluate triggers [--config FILE] [--set KEY=VALUE] [--out train/results]
    python -m train.evaluate actions [--config FILE] [--folder FOLDER] [--out train/results]
    python -m train.evaluate cnn_rnn [--config FILE] [--run FOLDER] [--out train/results]
    python -m train.evaluate captions [--config FILE] [--folder FOLDER] [--out train/results]
    python -m train.evaluate objects [--config FILE] [--folder FOLDER] [--sheet F.png]

`keyframes` is the trained scorer over five folds (train/folds.py), `retrieval` frame search over
whole galleries (train/retrieval_report.py). For `summaries`,
FOLDER holds TVSum as videos/ID.mp4 and tvsum.h5. Choices in the methods (weights of curves,
thresholds) were made on the videos with an odd index in the sorted list, and on nothing else of
TVSum; the table reports the videos with an even index. The other half is in the JSON.
"""

import argparse
import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models import registry
from models.errors import UserFacingError
from models.protocols import FrameEncoder
from models.segment_summarizers import Indices
from models.shots import shot_starts
from models.summary_methods import UNTRAINED, Run
from models.types import Floats, Times
from models.video.source import VideoSource
from train.command import RESULTS_DIR
from train.data.judged import JudgedVideo
from train.data.tvsum import load_tvsum
from train.metrics import (
    SUMMARY_RATIO,
    f_scores_by_annotator,
    leave_one_out,
    rank_correlations,
)

SAMPLE_FPS = 2.0
SEEDS = (0, 1, 2, 3, 4)
FIGURES = ("tau", "rho", "f")
PROTOCOL = (
    "Frames at 2 a second. tau-b and rho of the scores against EACH of the 20 annotators, mean "
    "over annotators, then videos. F: shots by KTS on the encoder's own features, shot value = "
    "mean of its frames, 0/1 knapsack at 15 % of the length, F of the chosen frames against each "
    "annotator's own choice by the same rule, mean over annotators, then videos. "
    "+- is the standard error over videos. Human: each annotator against each of the others."
)

Scores = npt.NDArray[np.floating[Any]]
Row = tuple[float, float, float]  # tau, rho, F of one video


@dataclass(frozen=True, slots=True)
class IndexedVideo:
    video: JudgedVideo
    embeddings: Floats
    times_s: Times
    end_s: float
    annotators: npt.NDArray[np.uint8]
    starts: Indices


def index_video(video: JudgedVideo, encoder: FrameEncoder) -> IndexedVideo:
    embeddings, times = [], []
    with VideoSource(video.path) as source:
        for batch in source.sample(SAMPLE_FPS, short_side_px=encoder.short_side_px):
            embeddings.append(encoder.encode_frames(batch.pixels))
            times.append(batch.times_s)
        end_s = source.info.end_s
    emb_TD, times_s = np.concatenate(embeddings), np.concatenate(times)
    starts = shot_starts(emb_TD, times_s, end_s)
    return IndexedVideo(video, emb_TD, times_s, end_s, video.annotators_at(times_s), starts)


def row_of(scores: Scores, indexed: IndexedVideo) -> Row:
    tau, rho = rank_correlations(scores, indexed.annotators)
    f = f_scores_by_annotator(scores, indexed.annotators, indexed.starts)
    return tau, rho, float(f.mean())


def over_seeds(score: Callable[[int], Scores], indexed: IndexedVideo) -> Row:
    rows = np.array([row_of(score(seed), indexed) for seed in SEEDS])
    tau, rho, f = rows.mean(axis=0).tolist()
    return tau, rho, f


def rows_of(indexed: IndexedVideo) -> dict[str, Row]:
    """Every row of the table for one video."""
    count = len(indexed.times_s)
    rows = {"random": over_seeds(lambda seed: np.random.default_rng(seed).random(count), indexed)}
    for name, function in UNTRAINED.items():

        def scored(seed: int, run: Run = function) -> Scores:
            found = run(
                indexed.embeddings, indexed.times_s, indexed.end_s, SUMMARY_RATIO, seed=seed
            )
            return np.asarray(found.scores)

        # Only k-means draws anything; the others give the same scores for every seed.
        rows[name] = over_seeds(scored, indexed) if name == "kmeans" else row_of(scored(0), indexed)
    rows["human"] = leave_one_out(indexed.annotators, indexed.starts)
    return rows


def summarized(rows: Iterable[Row]) -> dict[str, dict[str, float]]:
    """Mean and standard error of each figure over videos."""
    table = np.array(list(rows))
    error = table.std(axis=0, ddof=1) / np.sqrt(len(table)) if len(table) > 1 else table[0] * 0
    return {
        name: {"mean": round(float(mean), 4), "error": round(float(spread), 4)}
        for name, mean, spread in zip(FIGURES, table.mean(axis=0), error, strict=True)
    }


def evaluate_summaries(folder: Path, encoder_name: str, limit: int | None = None) -> dict[str, Any]:
    encoder: FrameEncoder = registry.load(encoder_name)
    per_video: dict[str, dict[str, Row]] = {}
    shots_s = []
    for video in load_tvsum(folder)[:limit]:
        indexed = index_video(video, encoder)
        per_video[video.name] = rows_of(indexed)
        shots_s.append((indexed.end_s - indexed.times_s[0]) / len(indexed.starts))
    names = list(per_video)
    halves = {"reported (even index)": names[0::2], "chosen on (odd index)": names[1::2]}
    return {
        "data": "TVSum, 40 of 50 videos as 3 frames-a-second previews of 176x176",
        "protocol": PROTOCOL,
        "encoder": {"name": encoder.name, "hash": encoder.weights_hash},
        "seeds": list(SEEDS),
        "seconds_a_shot_median": round(float(np.median(shots_s)), 2),
        "rows": {
            half: {
                row: summarized(per_video[name][row] for name in members)
                for row in per_video[members[0]]
            }
            for half, members in halves.items()
            if members
        },
        "videos": {
            name: {row: [round(v, 4) for v in values] for row, values in rows.items()}
            for name, rows in per_video.items()
        },
    }


def as_markdown(report: dict[str, Any]) -> str:
    lines = [f"{report['data']}. {report['protocol']}", ""]
    for half, rows in report["rows"].items():
        lines += [f"| {half} | tau-b | rho | F |", "|---|---|---|---|"]
        for name, figures in rows.items():
            cells = [f"{figures[f]['mean']:.3f} +- {figures[f]['error']:.3f}" for f in FIGURES]
            lines.append(f"| {name} | {' | '.join(cells)} |")
        lines.append("")
    seeds = ", ".join(str(seed) for seed in report["seeds"])
    lines.append(
        f"Encoder `{report['encoder']['name']}`. Random and k-means rows: mean over seeds {seeds}. "
        "No method here was trained."
    )
    return "\n".join(lines) + "\n"


def _keyframes(given: argparse.Namespace) -> str:
    # Lightning takes seconds to import, and the other command does without.
    from train import folds
    from train.keyframe_config import load_config

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    report = folds.evaluate_keyframes(load_config(given.config, given.settings), given.seeds)
    folds.write_report(report, given.out)
    return folds.as_markdown(report)


def _add_scorer(commands: Any) -> None:
    scorer = commands.add_parser("scorer", help="a scorer on videos it did not learn from")
    scorer.add_argument("--model", required=True, help="of the registry, local ones too")
    scorer.add_argument("--dataset", default="tvsum", help="tvsum, summe, or a table FILE.h5")
    scorer.add_argument("--data-dir", type=Path, default=Path("../shared/data"))
    scorer.add_argument("--cache-dir", type=Path, default=Path(".cache/train"))
    scorer.add_argument("--drawings", type=Path, help="also curves, grids and keyframes")
    scorer.add_argument("--limit", type=int, help="only so many videos, to try it out")
    scorer.add_argument("--out", type=Path, default=RESULTS_DIR)


def _scorer(given: argparse.Namespace) -> str:
    from train.scorer_report import Asked, evaluate_scorer, write_report

    asked = Asked(given.model, given.dataset, given.data_dir, given.cache_dir, given.limit)
    return write_report(evaluate_scorer(asked, given.drawings), given.out)


def _add_segments(commands: Any) -> None:
    segments = commands.add_parser("segments", help="segments by a video transformer, untrained")
    segments.add_argument("--encoder", default="timesformer-k400", help="of the registry")
    segments.add_argument("--dataset", default="summe", help="tvsum or summe")
    segments.add_argument("--threshold", type=float, help="100, 400 or 800, as published")
    segments.add_argument("--data-dir", type=Path, default=Path("../shared/data"))
    segments.add_argument("--limit", type=int, help="only so many videos, to try it out")
    segments.add_argument("--out", type=Path, default=RESULTS_DIR)


def _segments(given: argparse.Namespace) -> str:
    from train.segments_report import Asked, evaluate_segments, write_report

    asked = Asked(given.encoder, given.dataset, given.data_dir, given.threshold, given.limit)
    return write_report(evaluate_segments(asked), given.out)


def _retrieval(given: argparse.Namespace) -> str:
    from train import retrieval_report
    from train.frame_text_config import load_config

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = load_config(given.config, given.settings)
    report = retrieval_report.make_report(config, given.folder, given.also)
    return retrieval_report.write_report(report, given.out)


def _captions(given: argparse.Namespace) -> str:
    from train import caption_report
    from train.captioner_config import load_config

    report = caption_report.make_report(load_config(given.config, given.settings), given.folder)
    return caption_report.write_report(report, given.out)


def _objects(given: argparse.Namespace) -> str:
    from train import objects_report
    from train.compact_detector_config import load_config

    data = load_config(given.config, given.settings).data
    held = objects_report.open_held_out(Path(data.cache_dir), Path(data.data_dir))
    if given.sheet is not None:
        objects_report.write_sheet(held, given.folder, given.sheet)
    return objects_report.write_report(
        objects_report.evaluate_objects(held, given.folder), given.out
    )


def _triggers(given: argparse.Namespace) -> str:
    from train import trigger_folds, trigger_report
    from train.trigger_config import load_config

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = load_config(given.config, given.settings)
    report = trigger_folds.evaluate_triggers(config, given.seeds)
    trigger_report.write_report(report, given.out)
    return trigger_report.as_markdown(report)


def _actions(given: argparse.Namespace) -> str:
    from train import action_report
    from train.action_config import load_config

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = load_config(given.config, given.settings)
    report = action_report.evaluate_actions(config, given.folder, given.seeds)
    return action_report.write_report(report, given.out)


def _cnn_rnn(given: argparse.Namespace) -> str:
    from train import cnn_rnn
    from train.cnn_rnn_config import load_config
    from train.cnn_rnn_report import write_report

    folder = [] if given.run is None else [f"run.folder={given.run}"]
    config = load_config(given.config, [*given.settings, *folder])
    cnn_rnn.test(config)
    run = Path(config.run.folder)
    return write_report(run, given.out, run.name)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.evaluate", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    summaries = commands.add_parser("summaries", help="untrained summary methods on TVSum")
    summaries.add_argument("--data", type=Path, required=True, help="folder of videos and tvsum.h5")
    summaries.add_argument("--out", type=Path, default=RESULTS_DIR)
    summaries.add_argument("--encoder", default="backbone", choices=registry.names("frame_encoder"))
    summaries.add_argument("--limit", type=int, help="only so many videos, to try it out")
    keyframes = commands.add_parser("keyframes", help="the trained scorer, by five folds")
    keyframes.add_argument(
        "--config", type=Path, default=Path("train/configs/keyframe_scorer.yaml")
    )
    keyframes.add_argument("--set", dest="settings", action="append", default=[])
    keyframes.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    keyframes.add_argument("--out", type=Path, default=RESULTS_DIR)
    _add_scorer(commands)
    _add_segments(commands)
    retrieval = commands.add_parser("retrieval", help="frame search over whole galleries")
    retrieval.add_argument("--config", type=Path, default=Path("train/configs/compact.yaml"))
    retrieval.add_argument("--set", dest="settings", action="append", default=[])
    retrieval.add_argument("--folder", type=Path, default=Path("checkpoints/compact"))
    retrieval.add_argument("--also", action="append", default=[], metavar="MODEL")
    retrieval.add_argument("--out", type=Path, default=RESULTS_DIR)
    captions = commands.add_parser("captions", help="the captioner on MSR-VTT validation")
    captions.add_argument("--config", type=Path, default=Path("train/configs/captioner.yaml"))
    captions.add_argument("--set", dest="settings", action="append", default=[])
    captions.add_argument("--folder", type=Path, default=Path("checkpoints/captioner"))
    captions.add_argument("--out", type=Path, default=RESULTS_DIR)
    objects = commands.add_parser("objects", help="the compact detector on held-out pictures")
    objects.add_argument("--config", type=Path, default=Path("train/configs/compact_detector.yaml"))
    objects.add_argument("--set", dest="settings", action="append", default=[])
    objects.add_argument("--folder", type=Path, default=Path("checkpoints/compact_detector"))
    objects.add_argument("--out", type=Path, default=RESULTS_DIR)
    objects.add_argument("--sheet", type=Path, help="also pictures with their boxes, to look at")
    triggers = commands.add_parser("triggers", help="the trained event, by five folds")
    triggers.add_argument(
        "--config", type=Path, default=Path("train/configs/trigger_detector.yaml")
    )
    triggers.add_argument("--set", dest="settings", action="append", default=[])
    triggers.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    triggers.add_argument("--out", type=Path, default=RESULTS_DIR)
    actions = commands.add_parser("actions", help="the action classifier, its protocols, ablations")
    actions.add_argument(
        "--config", type=Path, default=Path("train/configs/action_classifier.yaml")
    )
    actions.add_argument("--set", dest="settings", action="append", default=[])
    actions.add_argument("--folder", type=Path, default=Path("checkpoints/action_classifier"))
    actions.add_argument("--seeds", type=int, nargs="+", default=[0])
    actions.add_argument("--out", type=Path, default=RESULTS_DIR)
    segments = commands.add_parser("cnn_rnn", help="a CNN-RNN's best state on its test videos")
    segments.add_argument("--config", type=Path, default=Path("train/configs/ucf101_resnet18.yaml"))
    segments.add_argument("--set", dest="settings", action="append", default=[])
    segments.add_argument("--run", type=Path, help="default: the folder of the config's run")
    segments.add_argument("--out", type=Path, default=RESULTS_DIR)
    given = parser.parse_args(arguments)
    if given.command == "cnn_rnn":
        print(_cnn_rnn(given))
        return
    if given.command == "actions":
        print(_actions(given))
        return
    if given.command == "triggers":
        print(_triggers(given))
        return
    if given.command == "objects":
        print(_objects(given))
        return
    if given.command == "captions":
        print(_captions(given))
        return
    if given.command == "retrieval":
        print(_retrieval(given))
        return
    if given.command in ("scorer", "segments"):
        try:
            print(_scorer(given) if given.command == "scorer" else _segments(given))
        except (ValueError, FileNotFoundError, UserFacingError) as error:
            parser.exit(2, f"{error}\n")
        return
    if given.command == "keyframes":
        print(_keyframes(given))
        return
    report = evaluate_summaries(given.data, given.encoder, given.limit)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "summaries.json").write_text(json.dumps(report, indent=1) + "\n")
    table = as_markdown(report)
    (given.out / "summaries.md").write_text(table)
    print(table)


if __name__ == "__main__":
    main()
