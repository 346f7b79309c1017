"""How far a detector agrees with its teacher on pictures that neither training nor choices saw.

What should be found are the teacher's sure boxes, which are not the truth: it misses people and
sees some that are not there. Held-out pictures come in two halves, by video or photograph: on one
the score from which boxes are shown is chosen, and which kinds are good enough; the other is
reported.
"""

import json
import math
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.compact_detector import CellReader, CompactDetector
from models.detector_network import DetectorShape
from models.squash import squash_to_square
from models.types import Floats, Pixels
from train.data.detection_batches import held_out_places
from train.data.detection_teacher import KINDS, LABELS_FILE, TeacherBoxes
from train.data.frames import FrameStore, open_frame_store
from train.data.teacher_boxes import BoxStore, open_box_store
from train.detection_figures import LARGE, SAME_IOU, SURE, Agreement

LEAST_COUNTED = 0.05  # score of a box, for the curves
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(3, 17))
# Of the large ones of a kind or a name, where choices are made: average precision, and precision at
# the score from which they would be shown.
GOOD_ENOUGH, RIGHT_ENOUGH = 0.5, 0.6
LEAST_WANTED = 25  # boxes of a kind, for a choice about it
CHUNK = 32
HALF_PICTURES = 1200  # looked at in each half, at most
SHEET_PICTURES, SHEET_COLUMNS, SHEET_TILE_PX = 40, 5, (360, 260)

Cells = Callable[[Pixels], Floats]


@dataclass(frozen=True, slots=True)
class Halves:
    chosen_on: npt.NDArray[np.int64]  # places in the box store
    reported: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class HeldOut:
    store: FrameStore
    boxes: BoxStore
    labels: tuple[str, ...]  # the teacher's

    def halves(self) -> Halves:
        places = held_out_places(self.store, self.boxes)
        groups = self.store.groups[self.boxes.pictures[places]]
        odd = np.array([zlib.crc32(f"half/{group}".encode()) % 2 for group in groups], bool)
        return Halves(places[~odd][:HALF_PICTURES], places[odd][:HALF_PICTURES])

    def pictures(self, places: npt.NDArray[np.int64], side_px: int) -> Iterable[Pixels]:
        """Chunks of u8 [N, side, side, 3]."""
        for start in range(0, len(places), CHUNK):
            rows = self.boxes.pictures[places[start : start + CHUNK]]
            yield np.stack(
                [squash_to_square(self.store.picture(int(row)), side_px) for row in rows]
            )


def open_held_out(cache_dir: Path, data_dir: Path) -> HeldOut:
    labels = (data_dir / "teachers" / LABELS_FILE).read_text().split("\n")
    store = open_frame_store(cache_dir / "frames")
    return HeldOut(store, open_box_store(cache_dir), tuple(labels))


def choose_scores(
    held: HeldOut, shape: DetectorShape, cells: Cells, side_px: int
) -> dict[str, float]:
    """For each kind and finer name that is good enough, the score from which it is shown."""
    labels = [*shape.kinds, *shape.names]
    reader = reader_for(shape, dict.fromkeys(labels, LEAST_COUNTED))
    agreements = agreements_on(held, held.halves().chosen_on, reader, cells, side_px)
    least = {}
    for label in labels:
        large = agreements[f"large {label}"]
        if large.wanted < LEAST_WANTED or large.average_precision() < GOOD_ENOUGH:
            continue
        score = agreements[label].best_score(among=THRESHOLDS)
        if large.at(score)[0] >= RIGHT_ENOUGH:
            least[label] = score
    return {label: score for label, score in least.items() if label in shape.kinds} | {
        # A name is shown from the score on that its kind is.
        name: least[shape.named]
        for name in shape.names
        if name in least and shape.named in least
    }


def reader_for(shape: DetectorShape, least: Mapping[str, float]) -> CellReader:
    return CellReader(tuple(shape.kinds), tuple(shape.names), shape.named, least)


def agreements_on(
    held: HeldOut, places: npt.NDArray[np.int64], reader: CellReader, cells: Cells, side_px: int
) -> dict[str, Agreement]:
    """For each kind and finer name, and for each of them "large" before it."""
    labels = [*reader.kinds, *reader.names]
    agreements = {label: Agreement() for label in labels}
    agreements |= {f"large {label}": Agreement(LARGE) for label in labels}
    row = 0
    for pixels in held.pictures(places, side_px):
        for cells_of_one in cells(pixels):
            boxes, scores, found = reader.boxes(cells_of_one)
            theirs = held.boxes.of(int(places[row]))
            row += 1
            for label in labels:
                ours = _called(found, label, reader)
                of_theirs = _teacher_rows(theirs, label, held.labels)
                for name in (label, f"large {label}"):
                    agreements[name].add(
                        boxes[ours],
                        scores[ours],
                        theirs.boxes[of_theirs],
                        theirs.scores[of_theirs],
                    )
    return agreements


def _called(found: tuple[str, ...], label: str, reader: CellReader) -> npt.NDArray[np.bool_]:
    """Rows with that label; a dog is an animal too."""
    alike = {label, *(reader.names if label == reader.named else ())}
    return np.array([name in alike for name in found], bool)


def _teacher_rows(
    theirs: TeacherBoxes, label: str, labels: tuple[str, ...]
) -> npt.NDArray[np.bool_]:
    if label in KINDS:
        return np.asarray(theirs.kinds == list(KINDS).index(label))
    return np.asarray(theirs.members == labels.index(label))


def figures_of(
    held: HeldOut, shape: DetectorShape, least: Mapping[str, float], cells: Cells, side_px: int
) -> dict[str, dict[str, float]]:
    """On the reported half, a row for each label that can be shown."""
    reported = held.halves().reported
    counted = reader_for(shape, {kind: min(LEAST_COUNTED, s) for kind, s in least.items()})
    agreements = agreements_on(held, reported, counted, cells, side_px)
    rows = {}
    for label in counted.labels:
        every, large = agreements[label], agreements[f"large {label}"]
        precision, recall = every.at(least[label])
        large_precision, large_recall = large.at(least[label])
        rows[label] = _plain(
            wanted=every.wanted,
            ap50=every.average_precision(),
            precision=precision,
            recall=recall,
            large_wanted=large.wanted,
            large_ap50=large.average_precision(),
            large_precision=large_precision,
            large_recall=large_recall,
            least_score=least[label],
        )
    return rows


def _plain(**figures: float) -> dict[str, float]:
    """Rounded; what could not be measured is left out."""
    return {name: round(float(value), 4) for name, value in figures.items() if math.isfinite(value)}


def evaluate_objects(held: HeldOut, folder: Path) -> dict[str, Any]:
    """The shipped checkpoint, as the application runs it."""
    detector = CompactDetector(folder)
    reader, shape = detector.reader, _shape_of(detector)
    rows = figures_of(held, shape, reader.least, detector.cells, detector.side_px)
    reported = held.halves().reported
    sources, counts = np.unique(
        held.store.sources[held.boxes.pictures[reported]], return_counts=True
    )
    return {
        "data": {str(s): int(c) for s, c in zip(sources, counts, strict=True)},
        "protocol": (
            f"Held-out pictures, short side 128 px. Agreement with the teacher (SSD MobileNetV1, "
            f"COCO), not truth: to be found are its boxes with a score of {SURE} or more, at an "
            f"overlap (IoU) of {SAME_IOU}; boxes that fit its doubtful ones are not counted. "
            f"Large: at least 1/{round(1 / LARGE)} of the picture. Precision and recall at the "
            "score from which boxes are shown, chosen on other held-out pictures."
        ),
        "detector": {"name": detector.name, "hash": detector.weights_hash},
        "rows": rows,
    }


def _shape_of(detector: CompactDetector) -> DetectorShape:
    reader = detector.reader
    return DetectorShape("", list(reader.kinds), list(reader.names), reader.named)


def as_markdown(report: Mapping[str, Any]) -> str:
    total = sum(report["data"].values())
    sources = ", ".join(f"{name} {count:,}" for name, count in report["data"].items())
    lines = [
        f"{report['protocol']} {total:,} pictures: {sources}.",
        "",
        "| | boxes | AP50 | precision | recall | large boxes | AP50 | precision | recall |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    columns = ("wanted", "ap50", "precision", "recall")
    for label, row in report["rows"].items():
        cells = [*(row.get(name) for name in columns), *(row.get(f"large_{n}") for n in columns)]
        lines.append(f"| {label} | {' | '.join(_cell(value) for value in cells)} |")
    return "\n".join(lines) + "\n"


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if float(value).is_integer() and value > 1 else f"{value:.2f}"


def write_report(report: Mapping[str, Any], out: Path) -> str:
    out.mkdir(parents=True, exist_ok=True)
    (out / "objects.json").write_text(json.dumps(report, indent=1) + "\n")
    table = as_markdown(report)
    (out / "objects.md").write_text(table)
    return table


def write_sheet(held: HeldOut, folder: Path, path: Path) -> None:
    """Some held-out pictures: what the detector shows in bright lines, the teacher's sure boxes
    in thin white ones."""
    import cv2

    detector = CompactDetector(folder)
    reported = held.halves().reported
    places = reported[:: max(1, len(reported) // SHEET_PICTURES)][:SHEET_PICTURES]
    tiles = []
    for place in places.tolist():
        picture = held.store.picture(int(held.boxes.pictures[place]))
        scale = min(SHEET_TILE_PX[0] / picture.shape[1], SHEET_TILE_PX[1] / picture.shape[0])
        large = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale), np.uint8)
        size = np.tile(np.array(large.shape[1::-1], np.float32), 2)
        theirs = held.boxes.of(place)
        for box in theirs.boxes[theirs.scores >= SURE] * size:
            _rectangle(large, box, (255, 255, 255), 1)
        (found,) = detector.detect(picture[None])
        for box, score, label in zip(
            found.boxes_px * scale, found.scores, found.labels, strict=True
        ):
            colour = (60, 255, 60) if label == "person" else (255, 160, 0)
            _rectangle(large, box, colour, 2)
            corner = int(box[0]) + 2, int(box[1]) + 14
            cv2.putText(large, f"{label} {score:.2f}", corner, 0, 0.45, colour, 1)
        tile = np.zeros((SHEET_TILE_PX[1], SHEET_TILE_PX[0], 3), np.uint8)
        tile[: large.shape[0], : large.shape[1]] = large
        tiles.append(tile)
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % SHEET_COLUMNS)
    rows = [
        np.concatenate(tiles[start : start + SHEET_COLUMNS], axis=1)
        for start in range(0, len(tiles), SHEET_COLUMNS)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.concatenate(rows)[:, :, ::-1])


def _rectangle(picture: Pixels, box: Floats, colour: tuple[int, int, int], width: int) -> None:
    import cv2

    x0, y0, x1, y1 = (round(float(side)) for side in box)
    cv2.rectangle(picture, (x0, y0), (x1, y1), colour, width)
