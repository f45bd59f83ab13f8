"""One actor of the training data: a track with its working clip, its split and its cache files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import sha256_of
from lit_reenact.core.paths import read_list
from lit_reenact.core.schema import ConditioningImage, Track
from lit_reenact.core.split import Split, SplitSettings
from lit_reenact.datamodules.cache_file import CacheFile
from lit_reenact.datamodules.clip_frames import ClipFrames
from lit_reenact.datamodules.conditioning_cache import conditioning_cache
from lit_reenact.face import load_face_model
from lit_reenact.rendering.renderer import Renderer, make_renderer
from lit_reenact.tracking.track_split import split_track
from lit_reenact.tracking.trackfile import CLIP_NAME, load_track
from lit_reenact.video import probe

AGAIN = "run `lit-reenact track` again"


class Subject:
    """Track of one actor, checked against its working clip.

    Args:
        folder: folder that ``lit-reenact track`` wrote.
        image_size: side of the images, pixels.
        parts: parts of the clip.
        span: number of frames of the clip that a window reaches over.
        conditioning: names of the conditioning images of each frame.
    """

    def __init__(
        self,
        folder: Path,
        image_size: int,
        parts: SplitSettings,
        span: int,
        conditioning: Sequence[ConditioningImage],
    ) -> None:
        self.folder = folder
        self.clip = folder / CLIP_NAME
        self.image_size = image_size
        self.parts = parts
        self.span = span
        self.conditioning = conditioning

    @cached_property
    def track(self) -> Track:
        """Track in the folder, checked.

        Raises:
            ReenactError: the track is missing or damaged, or its clip is missing, has changed or is too small.
        """
        track = load_track(self.folder)
        self._check_clip(track)
        for field in fields(track.parameters):
            known = getattr(track.parameters, field.name).isfinite().flatten(1).all(1)
            if not known.all():
                frame = int((~known).nonzero()[0])
                raise ReenactError(f"the track in {self.folder} has no finite {field.name} in frame {frame}: {AGAIN}")
        if self.image_size > track.camera.width:
            raise ReenactError(
                f"image_size {self.image_size} is larger than the {track.camera.width} pixels of {self.clip}: "
                f"choose a smaller one, or run `lit-reenact track` again with `--size {self.image_size}`"
            )
        return track

    def _check_clip(self, track: Track) -> None:
        if not self.clip.is_file():
            raise ReenactError(f"{self.clip}: the track's working clip is missing; run `lit-reenact track` on its video again")
        if sha256_of(self.clip) != track.info.clip_sha256:
            raise ReenactError(f"{self.clip} is not the clip that the track beside it was made from; {AGAIN}")
        frames = probe(self.clip).frame_count
        if frames != len(track):
            raise ReenactError(f"{self.clip} has {frames} frames, but the track beside it {len(track)}: {AGAIN}")

    @cached_property
    def split(self) -> Split:
        """Frames of the training, validation and test parts.

        Raises:
            ReenactError: a part is shorter than a window or the limit, or the actor was estimated from held-out frames.
        """
        return split_track(self.track, self.folder, self.parts, self.span)

    @cached_property
    def renderer(self) -> Renderer:
        """Renderer of this actor's conditioning images at this size."""
        model = load_face_model(self.track.info.face_model)
        return make_renderer(model, self.track.actor, self.track.camera, self.image_size, self.conditioning)

    @cached_property
    def conditioning_file(self) -> CacheFile:
        return conditioning_cache(self.track, self.folder, self.image_size, self.conditioning)

    def frames(self, keep: int) -> ClipFrames:
        """Return the frames of the clip, of which a cache file holds the first ``keep``."""
        return ClipFrames(self.clip, self.track.info.clip_sha256, self.image_size, keep)

    def training_frames(self) -> Tensor:
        """Return the numbers of the training frames that show a face: int64 (N,)."""
        return torch.tensor([frame for frame in self.split.train if self.track.valid[frame]])


def read_subjects(track: str | Sequence[str]) -> list[Path]:
    """Return the track folders that the setting ``data.track`` names.

    Args:
        track: one folder, a list of folders, or a text file with one folder per line, relative to the file's own folder; empty
            lines and lines that begin with # do not count.

    Raises:
        ReenactError: the file cannot be read or names no folder, or a folder is named twice.
    """
    folders = [Path(track)] if isinstance(track, str) else [Path(folder) for folder in track]
    source = str(track)
    if len(folders) == 1 and folders[0].is_file():
        manifest = folders[0]
        folders = [manifest.parent / line for _, line in read_list(manifest, "one track folder")]
    if not folders:
        raise ReenactError(f"data.track: {source} names no track folder")
    seen: set[Path] = set()
    for folder in folders:
        if folder.resolve() in seen:
            raise ReenactError(f"data.track: {folder} is named twice")
        seen.add(folder.resolve())
    return folders
