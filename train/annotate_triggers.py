"""Writes annotations of events in videos: from labels people made, or proposed by the search.

    python -m train.annotate_triggers labels FILE_OR_FOLDER --videos DIR --to annotations.json
    python -m train.annotate_triggers query "a person falls" --videos DIR --to annotations.json

Labels are a .csv or .json file, .vtt files, or a folder of class folders. Events that the search
proposes keep its probability and are "proposed": they are looked through with
`python -m app.annotate`, and none is trained on before it was accepted. A file that is there is
added to, never written over.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from models.annotations import (
    PROPOSED,
    Annotations,
    MarkedEvent,
    MarkedVideo,
    read_annotations,
    videos_in,
    write_annotations,
)
from models.errors import UserFacingError
from train.annotation_files import read_labels
from train.annotation_query import Finder

# What is looked through may be proposed generously.
THRESHOLD = 0.3
QUERY_FPS = 2.0


def propose(finder: Finder, words: str, label: str, videos: Path) -> Annotations:
    """What the search finds in every video of the folder; videos without are listed too."""
    found = Annotations(labels=(label,))
    for path in videos_in(videos):
        name = path.relative_to(videos).as_posix()
        events = tuple(
            MarkedEvent(label, one.start_s, one.end_s, one.time_s, "query", PROPOSED,
                        round(one.probability, 4), words)
            for one in finder.find(path, words)
        )  # fmt: skip
        print(f"{name}: {len(events)} proposed", flush=True)
        found = found.joined_by(Annotations((MarkedVideo(name, events),)))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    flags = _parser().parse_args(arguments)
    try:
        if not flags.videos.is_dir():
            raise ValueError(f"--videos is a folder, received {flags.videos}")
        before = read_annotations(flags.to) if flags.to.is_file() else Annotations()
        if flags.source == "labels":
            found = read_labels(flags.labels, flags.videos)
        else:
            finder = Finder(flags.model, flags.threshold, flags.fps)
            found = propose(finder, flags.words, flags.label or flags.words, flags.videos)
        whole = before.joined_by(found)
        write_annotations(flags.to, whole)
    except (ValueError, UserFacingError) as error:
        print(error, file=sys.stderr)
        return 2
    events = sum(len(video.events) for video in whole.videos)
    print(f"{flags.to}: {events} events in {len(whole.videos)} videos")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m train.annotate_triggers")
    sources = parser.add_subparsers(dest="source", required=True)
    labels = sources.add_parser("labels", help="from labels that people made")
    labels.add_argument("labels", type=Path, metavar="FILE_OR_FOLDER")
    query = sources.add_parser("query", help="proposed by the search, to be looked through")
    query.add_argument("words")
    query.add_argument("--label", help="what the event is called; the words unless given")
    query.add_argument("--model", default="compact", help="which model searches")
    query.add_argument("--threshold", type=float, default=THRESHOLD, metavar="P")
    query.add_argument("--fps", type=float, default=QUERY_FPS)
    for one in (labels, query):
        one.add_argument("--videos", type=Path, required=True, metavar="DIR")
        one.add_argument("--to", type=Path, required=True, metavar="FILE.json")
    return parser


if __name__ == "__main__":
    sys.exit(main())
