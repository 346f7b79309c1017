"""Batches for the detector: pictures cut at random, and for each cell what the teacher saw there.

Every batch is a pure function of (seed, round, number in the round), so that training resumed at
the end of a round continues exactly as if it had not stopped, whatever the number of loaders.
"""

from dataclasses import dataclass
from pathlib import Path

import lightning
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from models.compact_detector import SETS_OF_SIDES, SIDES, STRIDE
from models.detector_network import DetectorShape
from models.squash import squash_to_square
from models.types import Floats, Pixels
from train.data.detection_teacher import KINDS, LABELS_FILE, TeacherBoxes
from train.data.frames import FrameStore, open_frame_store
from train.data.teacher_boxes import BoxStore, open_box_store
from train.data.teacher_views import cut_view

Batch = dict[str, Tensor]

# The teacher's scores between these are a student's from 0 to 1: it is never surer than .83, and
# what it gives .3 is mostly nothing.
NOTHING, CERTAIN = 0.3, 0.7
CUT_SHARE = 0.7  # of the pictures; the others are seen whole
CUT_AREA = (0.35, 1.0)
LEAST_VISIBLE = 0.3  # of a thing's area, for it to be there in a cut
SPREAD = 0.17  # of the middle's bell, in sizes of the thing
LEAST_SPREAD = 0.4  # in cells
SIDED_FROM = 0.5  # cells of the bell from here on learn the sides
VALIDATION_BATCH = 64
VALIDATION_PICTURES = 768
# Pictures with things seldom seen are drawn more often.
SELDOM_WEIGHTS = {"car": 2.0, "bike": 3.0, "animal": 5.0}
SELDOM_SCORE = 0.5


@dataclass(frozen=True, slots=True)
class DetectionData:
    """Where the pictures and the teacher's boxes lie, and how batches are drawn."""

    data_dir: str = "../shared/data"
    cache_dir: str = ".cache/train"
    batch_size: int = 32
    batches_per_round: int = 60
    workers: int = 0

    def check(self) -> None:
        for name in ("batch_size", "batches_per_round"):
            if getattr(self, name) < 1:
                raise ValueError(f"data.{name} is at least 1, received {getattr(self, name)}")
        if self.workers < 0:
            raise ValueError(f"data.workers is not negative, received {self.workers}")


class TargetMaker:
    """From the teacher's boxes to what a network of the given shape should say of each cell."""

    def __init__(self, shape: DetectorShape, labels: list[str]) -> None:
        kinds = list(KINDS)
        self._channel_of_kind = {
            kinds.index(kind): channel for channel, kind in enumerate(shape.kinds)
        }
        self._channel_of_member = {
            labels.index(name): len(shape.kinds) + place for place, name in enumerate(shape.names)
        }
        self._channels = len(shape.kinds) + len(shape.names)

    def targets(self, seen: TeacherBoxes, side: int) -> tuple[Floats, Floats, Floats]:
        """Middles [channels, S, S], boxes [2, 4, S, S] and how much each counts [2, S, S]."""
        middles = np.zeros((self._channels, side, side), np.float32)
        boxes = np.zeros((SETS_OF_SIDES, SIDES, side, side), np.float32)
        weights = np.zeros((SETS_OF_SIDES, side, side), np.float32)
        scores = ((seen.scores - NOTHING) / (CERTAIN - NOTHING)).clip(0, 1)
        for row in np.argsort(scores):  # the surest has the last word
            channel = self._channel_of_kind.get(int(seen.kinds[row]))
            if channel is None or scores[row] <= 0:
                continue
            bell = _bell(seen.boxes[row], side)
            named = self._channel_of_member.get(int(seen.members[row]))
            for there in (channel,) if named is None else (channel, named):
                np.maximum(middles[there], bell * scores[row], out=middles[there])
            which = min(channel, SETS_OF_SIDES - 1)
            counts = np.where(bell >= SIDED_FROM, bell * scores[row], 0)
            better = counts > weights[which]
            weights[which][better] = counts[better]
            boxes[which][:, better] = seen.boxes[row][:, None]
        return middles, boxes, weights


def _bell(box: Floats, side: int) -> Floats:
    """[S, S]: 1 in the cell where the box has its middle, less around it."""
    cells = np.arange(side, dtype=np.float32) + 0.5
    sides = []
    for low, high in ((box[1], box[3]), (box[0], box[2])):
        middle = min((low + high) / 2 * side, side - 1e-3)
        spread = max(SPREAD * (high - low) * side, LEAST_SPREAD)
        bell = np.exp(-(((cells - middle) / spread) ** 2) / 2)
        bell[int(middle)] = 1.0
        sides.append(bell)
    return np.asarray(np.outer(*sides), np.float32)


def random_cut(picture: Pixels, random: np.random.Generator) -> Floats:
    """x0, y0, x1, y1 in shares of the picture."""
    if random.random() >= CUT_SHARE:
        return np.array([0, 0, 1, 1], np.float32)
    area, shape = random.uniform(*CUT_AREA), np.exp(random.uniform(-0.35, 0.35))
    width, height = min(np.sqrt(area * shape), 1.0), min(np.sqrt(area / shape), 1.0)
    x0, y0 = random.random() * (1 - width), random.random() * (1 - height)
    return np.array([x0, y0, x0 + width, y0 + height], np.float32)


def seen_in_cut(seen: TeacherBoxes, cut: Floats, *, flip: bool) -> TeacherBoxes:
    """The boxes as shares of the cut; what is mostly outside of it is left out."""
    size = np.tile(cut[2:] - cut[:2], 2)
    moved = (seen.boxes - np.tile(cut[:2], 2)) / size
    inside = moved.clip(0, 1)
    before = np.prod(moved[:, 2:] - moved[:, :2], axis=1)
    visible = np.prod(inside[:, 2:] - inside[:, :2], axis=1) / np.maximum(before, 1e-9)
    kept = visible >= LEAST_VISIBLE
    if flip:
        inside = inside[:, [2, 1, 0, 3]]
        inside[:, [0, 2]] = 1 - inside[:, [0, 2]]
    return TeacherBoxes(inside[kept], seen.kinds[kept], seen.members[kept], seen.scores[kept])


class CutBatches(Dataset[Batch]):
    """The batches of one round: item i is a whole batch."""

    def __init__(
        self,
        store: FrameStore,
        boxes: BoxStore,
        maker: TargetMaker,
        config: DetectionData,
        *,
        side_px: int,
        seed: int,
        round_number: int,
    ) -> None:
        self._store, self._boxes, self._maker, self._config = store, boxes, maker, config
        self._side_px, self._seed, self._round = side_px, seed, round_number
        self._edges = np.cumsum(drawn_how_often(store, boxes))

    def __len__(self) -> int:
        return self._config.batches_per_round

    def __getitem__(self, number: int) -> Batch:
        random = np.random.default_rng([self._seed, self._round, number])
        # One draw from each of as many equal parts: a batch is as mixed as the pictures are.
        marks = np.arange(self._config.batch_size) + random.random(self._config.batch_size)
        marks *= self._edges[-1] / self._config.batch_size
        places = np.searchsorted(self._edges, marks, side="right").clip(max=len(self._edges) - 1)
        rows = []
        for place in places.tolist():
            picture = self._store.picture(int(self._boxes.pictures[place]))
            cut, flip = random_cut(picture, random), bool(random.random() < 0.5)
            view = cut_view(picture, cut, self._side_px)
            seen = seen_in_cut(self._boxes.of(place), cut, flip=flip)
            targets = self._maker.targets(seen, self._side_px // STRIDE)
            rows.append((view[:, ::-1] if flip else view, *targets))
        return _stacked(rows)


class WholeBatches(Dataset[Batch]):
    """Whole pictures, squashed to a square, nothing random; `places` are rows of the box store."""

    def __init__(
        self,
        store: FrameStore,
        boxes: BoxStore,
        maker: TargetMaker,
        places: npt.NDArray[np.int64],
        side_px: int,
    ) -> None:
        self._store, self._boxes, self._maker = store, boxes, maker
        self._places, self._side_px = places, side_px

    def __len__(self) -> int:
        return -(-len(self._places) // VALIDATION_BATCH)

    def __getitem__(self, number: int) -> Batch:
        places = self._places[number * VALIDATION_BATCH : (number + 1) * VALIDATION_BATCH]
        rows = []
        for place in places.tolist():
            picture = self._store.picture(int(self._boxes.pictures[place]))
            targets = self._maker.targets(self._boxes.of(place), self._side_px // STRIDE)
            rows.append((squash_to_square(picture, self._side_px), *targets))
        return {**_stacked(rows), "places": torch.from_numpy(places)}


def _stacked(rows: list[tuple[Pixels, Floats, Floats, Floats]]) -> Batch:
    names = ("pixels", "middles", "boxes", "weights")
    columns = zip(*rows, strict=True)
    return {
        name: torch.from_numpy(np.stack(column))
        for name, column in zip(names, columns, strict=True)
    }


def held_out_places(store: FrameStore, boxes: BoxStore) -> npt.NDArray[np.int64]:
    return np.flatnonzero(store.held_out[boxes.pictures])


def drawn_how_often(store: FrameStore, boxes: BoxStore) -> Floats:
    """[P], beside each other; never a picture that is held out."""
    weights = np.where(store.held_out[boxes.pictures], 0.0, 1.0)
    owner = np.searchsorted(boxes.ends, np.arange(len(boxes.scores)), side="right")
    for kind, weight in SELDOM_WEIGHTS.items():
        sure = (boxes.kinds == list(KINDS).index(kind)) & (boxes.scores >= SELDOM_SCORE)
        with_it = np.unique(owner[sure])
        weights[with_it] = np.where(weights[with_it] > 0, weight, 0.0)
    return np.asarray(weights, np.float32)


class DetectionModule(lightning.LightningDataModule):
    """Training rounds grow in resolution as the plan says; new boxes join at a new round."""

    def __init__(
        self,
        config: DetectionData,
        shape: DetectorShape,
        *,
        seed: int,
        side_px: int,
        validation_side_px: int,
    ) -> None:
        super().__init__()
        self.config, self.seed = config, seed
        self.side_px = side_px  # set anew by the plan before each round
        self.validation_side_px = validation_side_px
        self._cache = Path(config.cache_dir)
        self.store = open_frame_store(self._cache / "frames")
        self.boxes = open_box_store(self._cache)
        labels = Path(config.data_dir) / "teachers" / LABELS_FILE
        self.maker = TargetMaker(shape, labels.read_text().split("\n"))

    def train_dataloader(self) -> DataLoader[Batch]:
        self.boxes = open_box_store(self._cache)
        batches = CutBatches(
            self.store,
            self.boxes,
            self.maker,
            self.config,
            side_px=self.side_px,
            seed=self.seed,
            round_number=self.trainer.current_epoch if self.trainer is not None else 0,
        )
        return DataLoader(batches, batch_size=None, num_workers=self.config.workers)

    def val_dataloader(self) -> DataLoader[Batch]:
        places = held_out_places(self.store, self.boxes)[:VALIDATION_PICTURES]
        batches = WholeBatches(self.store, self.boxes, self.maker, places, self.validation_side_px)
        return DataLoader(batches, batch_size=None, num_workers=self.config.workers)

    test_dataloader = val_dataloader
