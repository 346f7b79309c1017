"""What was measured of a checkpoint, in words: from its metrics.json, by its kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Metrics = Mapping[str, Any]

TRAINED_ROW = "local and global"  # of train.folds
SHIPPED_ROW = "as shipped"  # of train.trigger_report


@dataclass(frozen=True, slots=True)
class Quality:
    """`short` fits a status line; `full` names data, protocol and what to compare with."""

    short: str
    full: str


NOT_MEASURED = Quality("", "Not measured.")


def quality_in_words(kind: str, metrics: Metrics, config: Metrics) -> Quality:
    """`kind`, `metrics` and `config` as the checkpoint has them."""
    write = WRITERS.get(kind)
    if write is None:
        return NOT_MEASURED
    try:
        return write(metrics, config)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        # Of another export; the folder is used all the same.
        return NOT_MEASURED


DATASETS = {"tvsum": "TVSum", "summe": "SumMe"}


def _held_out_scorer(held: Metrics) -> Quality:
    """Of one part of the videos, which this very network did not learn from."""
    rows, name = held["rows"], DATASETS[held["dataset"]]
    tau, rho = (rows["scorer"][figure] for figure in ("tau", "rho"))
    others = "; ".join(
        f"{title}: {_plain(rows[row]['tau']['mean'])} and {_plain(rows[row]['rho']['mean'])}"
        for row, title in (("human", "people among each other"), ("random", "chance"))
        if row in rows
    )
    return Quality(
        f"{name} tau {_plain(tau['mean'])}",
        f"{name}, {_counted(held['videos'], 'video')} that it did not learn from, against each "
        f"annotator: tau {_plain(tau['mean'])} ± {_plain(tau['error'])}, rho "
        f"{_plain(rho['mean'])} ± {_plain(rho['error'])}; {others}.",
    )


def _keyframe_scorer(metrics: Metrics, config: Metrics) -> Quality:
    if "held_out" in metrics:
        return _held_out_scorer(metrics["held_out"])
    rows = metrics["rows"]
    trained, human, chance = rows[TRAINED_ROW], rows["human"], rows["random"]
    tau, rho = trained["tau"], trained["rho"]
    count = config["data"]["tvsum_videos"]
    return Quality(
        f"TVSum tau {_plain(tau['mean'])}",
        f"TVSum, {count} videos in five folds, {_counted(len(metrics['seeds']), 'seed')}, against "
        f"each of 20 people: tau {_plain(tau['mean'])} ± {_plain(tau['over_folds'])}, "
        f"rho {_plain(rho['mean'])} ± {_plain(rho['over_folds'])}. People among each other: "
        f"{_plain(human['tau']['mean'])} and {_plain(human['rho']['mean'])}; "
        f"chance: {_plain(chance['tau']['mean'])} and {_plain(chance['rho']['mean'])}.",
    )


def _frame_text(metrics: Metrics, config: Metrics) -> Quality:
    said = []
    for source, title in (("msrvtt", "MSR-VTT videos"), ("flickr8k", "Flickr8k pictures")):
        gallery = metrics.get(f"{source}_gallery")
        if gallery:
            share, chance = metrics[f"{source}_recall_10"], min(10 / gallery, 1)
            said.append(
                f"of {gallery} {title} {share:.0%} (chance {chance:.0%}), "
                f"median rank {metrics[f'{source}_median_rank']:.0f}"
            )
    recall = metrics["msrvtt_recall_10"]
    error = metrics.get("ece_1_searched")
    sure = "" if error is None else f" Stated probabilities are off by {100 * error:.1f} points."
    return Quality(
        f"MSR-VTT recall@10 {recall:.0%}",
        f"The right one among the first ten for a caption: {'; '.join(said)}.{sure}",
    )


def _bert_frame_text(metrics: Metrics, config: Metrics) -> Quality:
    source, gallery = metrics["source"], metrics[f"{metrics['source']}_gallery"]
    recall, first = metrics[f"{source}_recall_10"], metrics[f"{source}_recall_1"]
    error = 100 * metrics["ece_1_searched"]
    return Quality(
        f"{source} recall@10 {recall:.0%}",
        f"The right one among the first ten for a caption, of {gallery} of {source}: {recall:.0%} "
        f"(chance {min(10 / gallery, 1):.0%}), at the first place {first:.0%}. Stated "
        f"probabilities are off by {error:.1f} points.",
    )


def _backbone(metrics: Metrics, config: Metrics) -> Quality:
    cosine = metrics["cosine"]
    agreement = metrics["teacher_agreement"]
    held_out = config["data"]["held_out"]
    return Quality(
        f"cosine to its teacher {_plain(cosine)}",
        f"Cosine to the teacher's features {_plain(cosine)} on {held_out:,} pictures that it did "
        f"not see; names the same of the teacher's 1,001 classes for {agreement:.0%}.",
    )


def _captioner(metrics: Metrics, config: Metrics) -> Quality:
    rows, count = metrics["rows"], metrics["videos"]
    own, constant, people = rows["captioner"], rows["constant"], rows["people"]
    return Quality(
        f"MSR-VTT CIDEr-D {_plain(own['cider_d'])}",
        f"{count} MSR-VTT videos: CIDEr-D {_plain(own['cider_d'])}, BLEU-4 "
        f"{_plain(own['bleu_4'])}, ROUGE-L {_plain(own['rouge_l'])}; the same caption for all "
        f"{_plain(constant['cider_d'])}, people among each other {_plain(people['cider_d'])}. Of "
        f"its words {own['words_used']:.0%} are words that people used too, of people's "
        f"{people['words_used']:.0%}.",
    )


def _trigger(metrics: Metrics, config: Metrics) -> Quality:
    if "validation" in metrics:
        return _local_trigger(metrics["validation"])
    figures = metrics["rows"][SHIPPED_ROW]
    decision, seeds = config["decision"], len(metrics["seeds"])
    ranked, right, found, false = (
        figures[name]
        for name in ("average_precision_2", "precision_2", "recall_2", "false_an_hour")
    )
    counts = config["data"]["recordings"]
    return Quality(
        f"average precision {_plain(ranked['mean'])}",
        f"{counts['fight'] + counts['fight_fights']} clips of surveillance cameras, five folds by "
        f"place, {_counted(seeds, 'seed')}, two frames a second: average precision "
        f"{_plain(ranked['mean'])} ± {_plain(ranked['over_folds'])} (chance "
        f"{_plain(metrics['chance'])}); from {decision['start_at']:.0%} on, "
        f"{right['mean']:.0%} of what it says is {decision['event']}, and it finds "
        f"{found['mean']:.0%}. In web videos {false['mean']:.0f} false events an hour.",
    )


def _local_trigger(validation: Metrics) -> Quality:
    """Of a model that was trained on this machine, on the part of its data that was held out."""
    said = [
        f"{event}: average precision {_plain(one['average_precision'])} (chance "
        f"{_plain(one['chance'])}), {one['precision']:.0%} of what it says is right and it finds "
        f"{one['recall']:.0%}"
        for event, one in validation["events"].items()
    ]
    mean = sum(one["average_precision"] for one in validation["events"].values()) / len(said)
    return Quality(
        f"average precision {_plain(mean)}",
        f"Frames and events of {_counted(validation['videos'], 'video')} held out of training, on "
        f"which its thresholds were set too: {'; '.join(said)}.",
    )


def _action_classifier(metrics: Metrics, config: Metrics) -> Quality:
    photographs, unknown = metrics["photographs"], metrics["unknown"]
    still, every = photographs["still, 37 classes"], photographs["filmed, all labels"]
    clips = metrics["clips"]
    said = [f"photographs as a camera films them {every['top1']:.0%} of {every['examples']}"]
    for name, title in (("captioned", "captioned videos"), ("all clips", "clips")):
        if name in clips and "2" in clips[name]:
            row = clips[name]["2"]
            said.append(f"{title} {row['top1']:.0%} of {row['examples']}")
    new = unknown["new"]
    return Quality(
        f"right for {still['top1']:.0%} of photographs",
        f"{still['examples']} photographs of 37 kinds that it did not see: right for "
        f"{still['top1']:.0%}, among the first five {still['top5']:.0%} (chance 3% and 14%). "
        f"Of all {len(config['labels'])} labels: {'; '.join(said)}. Of {new['examples']} clips "
        f"of new kinds of things {new['rejected']:.0%} are turned away, of those with a label "
        f"{unknown['labelled']['kept']:.0%} are kept.",
    )


def _segment_classifier(metrics: Metrics, config: Metrics) -> Quality:
    labels, data = len(config["labels"]), config["data"]
    source = ", ".join(data["actions"])
    part, row = "test", metrics.get("test")
    if row is None:
        part, row = "held-out", metrics["validation"]
    few = "" if labels <= 5 else f", among the first five {row['top5']:.0%}"
    unknown = metrics.get("unknown")
    said = "It names one of its labels whatever it is shown."
    if unknown is not None:
        said = (
            f"Of {unknown['examples']} segments of other things {unknown['rejected']:.0%} are "
            f"turned away, of those with a label {unknown['kept']:.0%} are kept."
        )
    return Quality(
        f"right for {row['top1']:.0%} of {labels} actions' videos",
        f"{source}: {row['examples']} {part} videos, of recordings that it did not see: right for "
        f"{row['top1']:.1%}{few} (chance {1 / labels:.0%}). {said}",
    )


def _compact_detector(metrics: Metrics, config: Metrics) -> Quality:
    rows = metrics["rows"]
    said = [
        f"{label} {_plain(row['large_ap50'])} (finds {row['large_recall']:.0%}, "
        f"{row['large_precision']:.0%} of its boxes fit)"
        for label, row in rows.items()
        if "large_ap50" in row and "large_precision" in row
    ]
    return Quality(
        f"AP50 of large people {_plain(rows['person']['large_ap50'])}",
        f"On {config['data']['held_out']} pictures that it did not see, against a larger detector, "
        f"whose boxes are not the truth, AP50 of what fills a twentieth of the picture or more: "
        f"{'; '.join(said)}. People of any size: {_plain(rows['person']['ap50'])}.",
    )


def _counted(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"


def _plain(value: float) -> str:
    """.18, as papers write it."""
    return f"{value:.2f}".replace("-0.00", "0.00").replace("0.", ".", 1)


WRITERS: dict[str, Callable[[Metrics, Metrics], Quality]] = {
    "keyframe_scorer": _keyframe_scorer,
    "frame_text_encoder": _frame_text,
    "bert_frame_text": _bert_frame_text,
    "backbone": _backbone,
    "captioner": _captioner,
    "action_classifier": _action_classifier,
    "trigger_scorer": _trigger,
    "segment_classifier": _segment_classifier,
    "compact_detector": _compact_detector,
}
