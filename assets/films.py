"""What the example videos show and say, shot by shot."""

from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import gradio
import matplotlib
import matplotlib.cbook
import matplotlib.colors
import numpy as np

from assets.camera import HEIGHT_PX, WIDTH_PX, Draw, Picture, Print, View, fly, hang, window


@dataclass(frozen=True, slots=True)
class Shot:
    seconds: float
    draw: Draw
    says: str


@dataclass(frozen=True, slots=True)
class Film:
    name: str
    label: str
    poster_s: float
    shots: tuple[Shot, ...]

    @property
    def seconds(self) -> float:
        return sum(shot.seconds for shot in self.shots)


def read(path: Path) -> Picture:
    picture = cv2.imread(str(path))
    if picture is None:
        raise FileNotFoundError(f"{path.name} is not in the installed packages")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def relief(across_px: int = 1500) -> Picture:
    """A height map of hills in Tennessee as a painted, lit relief."""
    with matplotlib.cbook.get_sample_data("jacksboro_fault_dem.npz") as data:
        heights = data["elevation"].astype(np.float32)
    scale = across_px / heights.shape[1]
    smooth = cv2.resize(
        cv2.GaussianBlur(heights, (0, 0), 0.8), None, fx=scale, fy=scale,
        interpolation=cv2.INTER_CUBIC,
    )  # fmt: skip
    light = matplotlib.colors.LightSource(azdeg=315, altdeg=42)
    colours = matplotlib.colormaps["gist_earth"]
    lit = light.shade(smooth, cmap=colours, blend_mode="soft", vert_exag=0.35 * scale)
    return np.asarray(lit[:, :, :3] * 255, np.uint8)


def plain_ground(picture: Picture) -> Picture:
    """Evens out the chequered ground that stands for transparency in one of the pictures."""
    darkest, brightest = picture.min(axis=2), picture.max(axis=2)
    ground = ((darkest > 226) & (brightest - darkest < 14)).astype(np.float32)
    share = cv2.GaussianBlur(ground, (0, 0), 1.5)[:, :, None]
    return np.asarray(picture * (1 - share) + 244 * share, np.uint8)


def turning_earth(start_s: float, end_s: float, first: View, last: View) -> Draw:
    """A stretch of the film of the Earth at night, a little brighter, with a slow approach."""
    path = Path(gradio.__file__).parent / "media_assets/videos/world.mp4"
    with av.open(str(path)) as file:
        frames = [
            frame.to_ndarray(format="rgb24")
            for frame in file.decode(video=0)
            if frame.time is not None and start_s <= frame.time <= end_s
        ]
    lift = (255 * (np.arange(256) / 255.0) ** 0.62).astype(np.uint8)

    def draw(share: float) -> Picture:
        at = share * (len(frames) - 1)
        first_frame, second = frames[int(at)], frames[min(int(at) + 1, len(frames) - 1)]
        mixed = cv2.addWeighted(first_frame, 1 - at % 1, second, at % 1, 0)
        bright = np.asarray(cv2.LUT(mixed, lift), np.uint8)
        return window(bright, first.towards(last, share), WIDTH_PX, HEIGHT_PX)

    return draw


@dataclass(frozen=True, slots=True)
class Pictures:
    lion: Picture
    cheetah_running: Picture
    cheetah: Picture
    cub: Picture
    tower: Picture
    admiral: Picture
    hills: Picture


def pictures() -> Pictures:
    package = Path(gradio.__file__).parent
    images = package / "media_assets/images"
    return Pictures(
        lion=read(images / "lion.jpg"),
        cheetah_running=read(images / "cheetah.jpg"),
        cheetah=read(images / "cheetah1.jpg"),
        cub=plain_ground(read(package / "test_data/cheetah2.jpg")),
        tower=read(images / "tower.jpg"),
        admiral=read(Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg"),
        hills=relief(),
    )


def tower_tilt(p: Pictures) -> Draw:
    """From the feet of the tower to its tip."""
    frame = (126, 0, 388, 360)
    return hang(p.tower, Print(p.tower, *frame, View(188, 425, 377), View(188, 175, 377)))


def lion_print(p: Pictures, start_px: float = 256, end_px: float = 226) -> Draw:
    return hang(
        p.lion,
        Print(p.lion, 150, 10, 340, 340, View(128, 128, start_px), View(124, 113, end_px)),
    )


def cheetah_run(p: Pictures) -> Draw:
    return fly(p.cheetah_running, View(282, 165, 430), View(224, 160, 430), shake_px=1.2)


def tour(p: Pictures) -> Film:
    earth = turning_earth(0.0, 7.5, View(240, 135, 480), View(214, 128, 400))
    return Film(
        "tour",
        "Tour",
        17.0,
        (
            Shot(7.4, earth, "A short tour of the world. This is the Earth at night, "
                 "turning slowly. The bright points are the lights of cities."),
            Shot(5.6, fly(p.hills, View(420, 860, 640), View(1010, 420, 860)),
                 "Closer now: hills and valleys, seen from high above."),
            Shot(6.2, tower_tilt(p),
                 "In Paris, the Eiffel Tower is lit for the evening. We look up to its top."),
            Shot(5.8, lion_print(p), "Far from any city, a lion rests on a rock."),
            Shot(5.0, cheetah_run(p), "A cheetah runs at full speed across dry grass."),
            Shot(4.4, fly(p.cub, View(375, 332, 745), View(375, 335, 580)),
                 "And its cub looks straight at us."),
            Shot(5.6, fly(p.admiral, View(256, 232, 500), View(262, 212, 440)),
                 "The last stop is a person: Grace Hopper, a pioneer of computing."),
        ),
    )  # fmt: skip


def people(p: Pictures) -> Film:
    whole = Print(p.admiral, 185, 20, 270, 320, View(256, 302, 502), View(256, 296, 470))
    near = Print(p.admiral, 45, 40, 240, 280, View(262, 205, 250), View(262, 205, 236))
    far = Print(p.admiral, 355, 40, 240, 280, View(256, 302, 500), View(256, 302, 486))
    return Film(
        "people",
        "People",
        6.0,
        (
            Shot(4.6, hang(p.admiral, whole), "This is a portrait of Grace Hopper, in uniform."),
            Shot(4.6, fly(p.admiral, View(264, 196, 450), View(264, 202, 427)),
                 "She wears glasses and a white cap, and looks into the camera."),
            Shot(3.6, fly(p.admiral, View(216, 300, 430), View(216, 130, 430)),
                 "Behind her is a flag with white stars."),
            Shot(3.6, fly(p.admiral, View(222, 470, 430), View(294, 470, 430)),
                 "On her jacket, rows of ribbons."),
            Shot(4.6, hang(p.hills, near, far),
                 "She wrote one of the first compilers. Two views, one person."),
        ),
    )  # fmt: skip


def cuts(p: Pictures) -> Film:
    earth = turning_earth(12.0, 14.0, View(222, 132, 430), View(216, 130, 410))
    hills = fly(p.hills, View(900, 760, 900), View(760, 640, 820))
    face = fly(p.admiral, View(262, 208, 440), View(262, 206, 427))
    cat = Print(p.cheetah, 150, 10, 340, 340, View(128, 128, 256), View(128, 120, 240))
    return Film(
        "cuts",
        "Cuts",
        2.0,
        (
            Shot(1.6, lion_print(p, 250, 240), "Lion."),
            Shot(1.4, cheetah_run(p), "Cheetah."),
            Shot(1.6, earth, "The Earth."),
            Shot(1.4, tower_tilt(p), "A tower."),
            Shot(1.6, face, "A person."),
            Shot(1.4, hills, "Hills."),
            Shot(1.6, hang(p.cheetah, cat), "A cheetah again."),
            Shot(1.4, fly(p.cub, View(375, 332, 740), View(375, 332, 700)), "Its cub."),
            Shot(1.6, lion_print(p, 236, 226), "And the lion."),
            Shot(1.6, earth, "Back to Earth."),
        ),
    )


def all_films() -> tuple[Film, ...]:
    p = pictures()
    return tour(p), people(p), cuts(p)
