"""Videos in which a red square is the event, and their annotations, for training at toy size."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import yaml

from models.annotations import Annotations, MarkedEvent, MarkedVideo, write_annotations

SIZE = (64, 48)  # width, height
FPS = 6
LENGTH_S = 6.0
EVENT = "a red square"


def write_video(path: Path, events_s: tuple[tuple[float, float], ...], seed: int) -> Path:
    """Grey noise, with a red square while an event is going on."""
    random = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"crf": "20", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for number in range(round(FPS * LENGTH_S)):
            grey = random.integers(60, 140, (SIZE[1] // 8, SIZE[0] // 8, 1), np.uint8)
            pixels = grey.repeat(8, 0).repeat(8, 1).repeat(3, 2)
            if any(start <= number / FPS < end for start, end in events_s):
                pixels[8:40, 12:52] = (220, 20, 20)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(stream.encode(None))
    return path


def write_set(folder: Path, count: int = 6, labels: tuple[str, ...] = (EVENT,)) -> Path:
    """`count` videos with one event each, and a third of that without; the annotations."""
    videos = []
    for number in range(count):
        start_s = 1.0 + (number % 3)
        span = (start_s, start_s + 2.0)
        write_video(folder / "videos" / f"{number}.mp4", (span,), number)
        label = labels[number % len(labels)]
        event = MarkedEvent(label, *span, time_s=start_s + 1.0)
        videos.append(MarkedVideo(f"{number}.mp4", (event,)))
    for number in range(count, count + max(2, count // 3)):
        write_video(folder / "videos" / f"{number}.mp4", (), number)
        videos.append(MarkedVideo(f"{number}.mp4"))
    return write_annotations(folder / "annotations.json", Annotations(tuple(videos), labels))


def toy_values(folder: Path, **changes: dict[str, Any]) -> dict[str, Any]:
    """A config in the published sections that trains within seconds."""
    values: dict[str, dict[str, Any]] = {
        "data": {
            "train_video_dir": str(folder / "videos"),
            "train_annotations": str(folder / "annotations.json"),
            "frame_sampling_rate": 3,
            "clip_window_size": 6,
            "max_frames": 8,
            "val_ratio": 0.34,
            "image_side_px": 32,
            "cache_dir": str(folder / "cache"),
        },
        "model": {
            "visual_encoder": {"type": "resnet18", "pretrained": "random"},
            "trigger_detector": {"hidden_dim": 16, "num_classes": 2},
            "time_aware_encoder": {
                "type": "transformer", "hidden_dim": 16, "num_layers": 1, "num_heads": 2,
            },
        },
        "training": {
            "batch_size": 4,
            "num_epochs": 2,
            "learning_rate": 3e-3,
            "warmup_steps": 2,
            "accelerator": "cpu",
            "threads": 1,
            "save_dir": str(folder / "run"),
            "save_every": 1,
        },
        "freezing": {"visual_backbone": True},
    }  # fmt: skip
    for name, part in changes.items():
        values[name] = {**values[name], **part}
    return values


def write_config(folder: Path, **changes: dict[str, Any]) -> Path:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(toy_values(folder, **changes)))
    return path
