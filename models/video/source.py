"""An open video: frames at a steady rate, a first look at key frames, frames at given times."""

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import chain, repeat
from pathlib import Path
from types import TracebackType

import numpy as np
from av.video.frame import VideoFrame

from models.device import allowed_cores
from models.types import FrameBatch
from models.video.batches import BatchStream, Stop
from models.video.keyframes import KeyFrameReader
from models.video.opening import OpenVideo, open_video
from models.video.picture import PictureMaker, scaled_size
from models.video.planned import PlannedDecoder, ShownFrame
from models.video.probe import probe_first
from models.video.sampling import EvenMoments, ListedMoments, Moments, ticks_at
from models.video.seeking import begin_before
from models.video.side_by_side import SideBySide
from models.video.stretches import LENGTH_S, Stretch, StretchMoments, begin, divide

CLUSTER_GAP_S = 6.0  # moments closer than this are decoded in one go rather than sought
MAX_WAITING = 16 << 20  # bytes of one stretch's pictures; some of them wait for their turn
WHOLE = Stretch(None, None, None)

StretchDecoder = Callable[[Stretch], Iterator[FrameBatch]]


def _never() -> bool:
    return False


class VideoSource:
    """A video file as chunks of frames; memory does not grow with its length.

    Every method opens the file anew, so that several may run at once. Use it as a context manager:
    leaving it closes what is still open.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str | None = None,
        content_hash: str = "",
        stop: Callable[[], bool] = _never,
        threads: int | None = None,
    ) -> None:
        """Probes the file. When `stop` turns true, decoding raises CancelledError.

        Raises:
            VideoOpenError: the file has no video that can be decoded.
        """
        self.info, self._first = probe_first(path, name=name, content_hash=content_hash)
        self.decode_s = 0.0  # of all threads together
        self._counting = threading.Lock()
        self._stop = stop
        self._threads = threads
        self._running: list[BatchStream] = []

    def __enter__(self) -> "VideoSource":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends every stream of frames that is still open."""
        running, self._running = self._running, []
        for stream in running:
            stream.close()

    def sample(
        self, fps: float, *, short_side_px: int | None = 224, chunk: int = 32
    ) -> BatchStream:
        """The frame shown at each of start, start + 1/fps, ..., each frame once."""
        return self._stream(lambda stop: self._sample(fps, short_side_px, chunk, stop))

    def first_look(
        self,
        *,
        min_step_s: float = 0.5,
        short_side_px: int | None = 224,
        chunk: int = 8,
        max_frames: int = 240,
    ) -> BatchStream:
        """The stream's own key frames, at least `min_step_s` apart, about `max_frames` at most."""
        step_s = max(min_step_s, self.info.duration_s / max(1, max_frames))
        return self._stream(lambda stop: self._first_look(step_s, short_side_px, chunk, stop))

    def frames_at(
        self, times_s: Sequence[float], *, short_side_px: int | None = None
    ) -> BatchStream:
        """For each time, in the order given, a batch of one: the frame shown then."""
        times = [float(time_s) for time_s in times_s]
        return self._stream(lambda stop: self._frames_at(times, short_side_px, stop))

    def _stream(self, make: Callable[[Stop], Generator[FrameBatch, None, None]]) -> BatchStream:
        stream = BatchStream(make, self._stop)
        self._running.append(stream)
        return stream

    def _open(
        self, *, key_frames_only: bool = False, threads: int | None = None
    ) -> AbstractContextManager[OpenVideo]:
        return open_video(
            self.info.path,
            name=self.info.name,
            threads=threads or self._threads,
            pictures_only=True,
            key_frames_only=key_frames_only,
        )

    def _frame_ticks(self, video: OpenVideo) -> int:
        return max(1, round(1 / (self.info.fps * video.time_base)))

    def _sample(
        self, fps: float, short_side_px: int | None, chunk: int, stop: Stop
    ) -> Generator[FrameBatch, None, None]:
        stretches = self._stretches(fps, short_side_px)
        if len(stretches) > 1:

            def work(stopped: Stop) -> Generator[StretchDecoder, None, None]:
                with self._open(threads=1) as video:
                    yield lambda stretch: self._of_stretch(
                        video, stretch, fps, short_side_px, chunk, stopped
                    )

            yield from SideBySide(stretches, work, allowed_cores(), stop).results()
            return
        with self._open() as video:
            yield from self._of_stretch(video, stretches[0], fps, short_side_px, chunk, stop)

    def _stretches(self, fps: float, short_side_px: int | None) -> list[Stretch]:
        """What is decoded apart: one where much would wait in memory."""
        width, height = scaled_size((self.info.width, self.info.height), short_side_px)
        waiting = 3 * width * height * fps * LENGTH_S
        long = self.info.duration_s >= 3 * LENGTH_S
        if self._threads is not None or allowed_cores() < 2 or not long or waiting > MAX_WAITING:
            return [WHOLE]
        with self._open() as video:
            return divide(video, LENGTH_S)

    def _of_stretch(
        self,
        video: OpenVideo,
        stretch: Stretch,
        fps: float,
        short_side_px: int | None,
        chunk: int,
        stop: Stop,
    ) -> Iterator[FrameBatch]:
        begin(video, stretch)
        known_first = None if stretch is WHOLE else ticks_at(self.info.start_s, video.time_base)

        def moments(first: int) -> Moments:
            start = first if known_first is None else known_first
            return StretchMoments(EvenMoments(start, fps, video.time_base), stretch)

        decoder = PlannedDecoder(
            video,
            moments,
            frame_ticks=self._frame_ticks(video),
            stop=stop,
            until_ticks=stretch.until_ticks,
        )
        frames = ((shown.frame, shown.ticks) for shown in decoder.shown())
        yield from self._batches(frames, video, short_side_px, repeat(chunk))

    def _first_look(
        self, step_s: float, short_side_px: int | None, chunk: int, stop: Stop
    ) -> Generator[FrameBatch, None, None]:
        first = self._first
        with self._open(key_frames_only=True) as video:
            known = first.pts if first.key_frame else None
            reader = KeyFrameReader(
                video,
                step_s=step_s,
                frame_ticks=self._frame_ticks(video),
                stop=stop,
                after=known,
            )
            frames = reader.frames() if known is None else chain([(first, known)], reader.frames())
            sizes = chain((1, 2, 4), repeat(chunk))  # something to see at once
            found = False
            for batch in self._batches(frames, video, short_side_px, sizes):
                found = True
                yield batch
        if not found:  # no key frame that decodes by itself
            yield from self._frames_at([self.info.start_s], short_side_px, stop)

    def _frames_at(
        self, times_s: Sequence[float], short_side_px: int | None, stop: Stop
    ) -> Generator[FrameBatch, None, None]:
        for cluster in _clusters(times_s):
            with self._open() as video:
                ready = begin_before(video, ticks_at(cluster[0], video.time_base))
                if ready:
                    yield from self._cluster(video, cluster, short_side_px, stop)
            if not ready:
                with self._open() as video:
                    yield from self._cluster(video, cluster, short_side_px, stop)

    def _cluster(
        self, video: OpenVideo, times_s: Sequence[float], short_side_px: int | None, stop: Stop
    ) -> Iterator[FrameBatch]:
        first_ticks = ticks_at(self.info.start_s, video.time_base)
        moments = ListedMoments(times_s, first_ticks, video.time_base)
        decoder = PlannedDecoder(
            video,
            lambda _: moments,
            frame_ticks=self._frame_ticks(video),
            stop=stop,
            last_stays=True,
        )
        frames = _once_a_moment(decoder.shown(), moments)
        yield from self._batches(frames, video, short_side_px, repeat(1))

    def _batches(
        self,
        frames: Iterator[tuple[VideoFrame, int]],
        video: OpenVideo,
        short_side_px: int | None,
        sizes: Iterator[int],
    ) -> Iterator[FrameBatch]:
        """Groups frames into batches; counts the time spent decoding and converting."""
        width, height = scaled_size((self.info.width, self.info.height), short_side_px)
        maker = PictureMaker.of_size(width, height)
        ended = False
        for size in sizes:
            began = time.perf_counter()
            pixels = np.empty((size, height, width, 3), np.uint8)
            times: list[float] = []
            while len(times) < size and not ended:
                entry = next(frames, None)
                if entry is None:
                    ended = True
                elif maker.draw(entry[0], pixels[len(times)]):
                    times.append(float(entry[1] * video.time_base))
            with self._counting:
                self.decode_s += time.perf_counter() - began
            if times:
                yield FrameBatch(pixels[: len(times)], np.array(times))
            if ended:
                return


def _once_a_moment(
    shown: Iterator[ShownFrame], moments: ListedMoments
) -> Iterator[tuple[VideoFrame, int]]:
    """A frame once for each moment it is shown at."""
    served = 0
    for frame in shown:
        while served < len(moments.ticks) and moments.ticks[served] < frame.until_ticks:
            yield frame.frame, frame.ticks
            served += 1


def _clusters(times_s: Sequence[float]) -> Iterator[list[float]]:
    """Runs of ascending times close enough to be decoded in one go."""
    cluster: list[float] = []
    for time_s in times_s:
        if cluster and not 0 <= time_s - cluster[-1] <= CLUSTER_GAP_S:
            yield cluster
            cluster = []
        cluster.append(float(time_s))
    if cluster:
        yield cluster
