"""Several people: one track each, named by its folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.paths import read_list
from lit_reenact.tracking.trackfile import TRACK_NAME, track_files


def read_people(tracks: Sequence[str], manifest: Path | None = None) -> dict[str, str]:
    """Return the tracks of people by the names of their folders, in the given order.

    Args:
        tracks: track folders, as a user gave them.
        manifest: text file with one track folder per line, relative to the file's own folder; None for no file.

    Raises:
        ReenactError: the manifest cannot be read or has a line that is no track, there is no track at all, or two have one name.

    Example:
        >>> read_people(["outputs/tracks/anna", "outputs/tracks/ben"])
        {'anna': 'outputs/tracks/anna', 'ben': 'outputs/tracks/ben'}
    """
    named = [*tracks, *([] if manifest is None else _read_manifest(manifest))]
    if not named:
        raise ReenactError(f"{manifest or 'the command'} names no track: give folders that `lit-reenact track` wrote")
    people: dict[str, str] = {}
    for track in named:
        name = Path(os.path.normpath(track_files(Path(track))[0].parent.absolute())).name  # a link keeps its own name
        if name in people:
            twice = "is given twice" if people[name] == track else f"has the name of {people[name]}"
            raise ReenactError(f"{track} {twice}: rename one of the folders, because results are written under its name")
        people[name] = track
    return people


def _read_manifest(manifest: Path) -> list[str]:
    tracks = []
    for number, line in read_list(manifest, "one track folder"):
        folder = manifest.parent / line
        if not (folder / TRACK_NAME).is_file():
            raise ReenactError(f"{manifest}, line {number}: {folder} is no track; give a folder that `lit-reenact track` wrote")
        tracks.append(str(folder))
    return tracks
