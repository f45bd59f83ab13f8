"""Variations of a training part as frames and images: warped, rendered and cached beside the track."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import torch
from torch import Tensor
from tqdm import tqdm

from lit_reenact.core.schema import FaceParameters, FrameImages, Track
from lit_reenact.datamodules.cache_file import CacheFile, Images
from lit_reenact.datamodules.clip_frames import ClipFrames
from lit_reenact.datamodules.conditioning_cache import CachedImages, DrawnImages, conditioning_cache, scene_digest
from lit_reenact.datamodules.subject import Subject
from lit_reenact.datamodules.variations import Variations
from lit_reenact.datamodules.windows import Part, ReadImages
from lit_reenact.edit import apply_edit, neck_of
from lit_reenact.face import FaceModel, load_face_model
from lit_reenact.rendering.mesh_warp import MeshWarp
from lit_reenact.video import resize_frames
from lit_reenact.video.cuts import cuts_in

CHUNK = 16
"""Frames warped at once."""


@dataclass(frozen=True)
class AppendedFrames:
    """Frames of a clip, followed by those of a cache file from number ``border`` on."""

    clip: ClipFrames
    file: CacheFile
    border: int

    @property
    def size(self) -> int:
        return self.clip.size

    def read(self, frames: Tensor) -> Tensor:
        """Return the frames with numbers int64 (N,): uint8 (N, size, size, 3)."""
        images = torch.empty(len(frames), self.size, self.size, 3, dtype=torch.uint8)
        own = frames < self.border
        for which, read, numbers in ((own, self.clip.read, frames), (~own, self.file.read, frames - self.border)):
            if which.any():
                images[which] = read(numbers[which])
        return images


@dataclass(frozen=True)
class AppendedImages:
    """Conditioning images of a clip, followed by those of its variations from number ``border`` on."""

    own: CachedImages
    others: CachedImages
    border: int

    def __call__(self, frames: Tensor) -> FrameImages:
        """Return the images of frames int64 (N,), in ascending order."""
        own = frames < self.border
        return FrameImages(torch.cat([self.own(frames[own]).channels, self.others(frames[~own] - self.border).channels]))


class VariedClip:
    """Variations of one actor's training part, as a clip of one copy after the other.

    Args:
        subject: actor with track and clip.
        frames: frames of the actor's clip.
        variations: settings of the random edits.
    """

    def __init__(self, subject: Subject, frames: ClipFrames, variations: Variations) -> None:
        self.subject = subject
        self.clip = frames
        self.variations = variations
        self.length = len(subject.split.train)  # frames of a copy

    @cached_property
    def model(self) -> FaceModel:
        return load_face_model(self.subject.track.info.face_model)

    @cached_property
    def parameters(self) -> FaceParameters:
        """Edited parameters of all frames of all copies."""
        track, generator = self.subject.track, torch.Generator().manual_seed(0)
        own, fps, neck = track.parameters[: self.length], Fraction(track.info.fps), neck_of(track)
        copies = [
            apply_edit(self.variations.edit(self.length, fps, generator), own, self.model, fps, neck, track.actor)
            for _ in range(self.variations.copies)
        ]
        return FaceParameters.concatenate(copies)

    @cached_property
    def track(self) -> Track:
        """Actor's track with the edited parameters; only what rendering reads is meaningful."""
        return replace(self.subject.track, parameters=self.parameters)

    @cached_property
    def conditioning_file(self) -> CacheFile:
        subject = self.subject
        return conditioning_cache(
            self.track, subject.folder, subject.image_size, subject.conditioning, f"{self.prefix}-conditioning"
        )

    @cached_property
    def frame_file(self) -> CacheFile:
        size = self.subject.image_size
        digest = scene_digest(self.track, f"{size} {self.track.info.clip_sha256}")
        return CacheFile(self.subject.folder, f"{self.prefix}-frames-{size}", digest, (len(self.track), size, size, 3))

    @property
    def prefix(self) -> str:
        """Prefix of the cache files; files of other settings or other lengths stay, since another training may use them."""
        return f"{self.variations.name}-{self.length}"

    def part(self, own: Part) -> Part:
        """Append the variations to a training part.

        Args:
            own: training part, from the first frame of the clip; the images of the variations are cached or rendered as its own.
        """
        pieces = range(self.length, self.length + len(self.track), self.length)
        cuts = cuts_in(range(self.length), own.cuts)
        return Part(
            images=self._images(own.images),
            frames=AppendedFrames(self.clip, self.frame_file, self.length),
            span=range(self.length + len(self.track)),
            valid=own.valid[: self.length].repeat(1 + self.variations.copies),
            cuts=(*cuts, *(piece + cut for piece in pieces for cut in (0, *cuts))),
        )

    def _images(self, own: ReadImages) -> ReadImages:
        if isinstance(own, CachedImages):
            return AppendedImages(own, CachedImages(self.conditioning_file), self.length)
        both = FaceParameters.concatenate([self.subject.track.parameters[: self.length], self.parameters])
        return DrawnImages(own.renderer, both) if isinstance(own, DrawnImages) else both.__getitem__

    def ensure_frames(self, progress: bool = True) -> None:
        """Write the cache file of warped frames, unless it is intact.

        Raises:
            ReenactError: the clip cannot be decoded, or the file cannot be written.
        """
        if not self.frame_file.is_intact():
            with tqdm(total=len(self.parameters), desc="varied frames", unit="frame", disable=not progress) as bar:
                self.frame_file.write(self._parts(bar.update))

    def _parts(self, advance: Callable[[int], object]) -> Iterator[Images]:
        """Warp the frames at the clip's own size, where the warp blurs them least, and yield them resized."""
        track = self.subject.track
        warp = MeshWarp(self.model, track.actor, track.camera)
        for copy in range(self.variations.copies):
            for start in range(0, self.length, CHUNK):
                numbers = torch.arange(start, min(start + CHUNK, self.length))
                frames = self.clip.reader.read(numbers.tolist())
                varied = warp(frames, track.parameters[numbers], self.parameters[copy * self.length + numbers])
                yield resize_frames(varied, self.subject.image_size).numpy()
                advance(len(numbers))
