"""Background plate of a clip: what the camera sees without the person, as far as the training frames show it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

import lit_reenact
from lit_reenact.datamodules.cache_file import CacheFile
from lit_reenact.datamodules.clip_frames import CHUNK, ClipFrames
from lit_reenact.landmarks.person import PersonSegmenter, grow, main_regions
from lit_reenact.tracking.background import recover_background
from lit_reenact.tracking.shape import spread_evenly

MOST_FRAMES = 200
"""Number of frames that a plate is made from at most, evenly spread."""

MARGIN = 1 / 40
"""Margin around the person's mask, as a fraction of the image's side, for loose hair and its blur."""

Segmenter = Callable[[Tensor], Tensor]
"""Masks of the person, bool (N, S, S), in frames uint8 (N, S, S, 3)."""


@cache
def plate_version() -> str:
    """Return a digest of the source files that a plate depends on: a version number that cannot be forgotten."""
    package = Path(lit_reenact.__file__).parent
    sources = [package / "landmarks/person.py", package / "tracking/background.py", Path(__file__)]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


class BackgroundPlate:
    """Background plate of a clip, made once into a cache file beside the track.

    Args:
        frames: frames of the clip at the size S of the plate, whose cache file is written (``ClipFrames.ensure``).
        clip_sha256: SHA-256 of the clip.
        numbers: numbers of the training frames, int64 (N,), ascending; no other frame is looked at.
        segment: masks of the person in frames; None: by MediaPipe's selfie segmentation.

    Example:
        >>> plate = BackgroundPlate(frames, track.info.clip_sha256, subject.training_frames())
        >>> image, confidence = plate.read().split([3, 1])  # uint8 (3, S, S) and (1, S, S)
    """

    def __init__(self, frames: ClipFrames, clip_sha256: str, numbers: Tensor, segment: Segmenter | None = None) -> None:
        self.frames = frames
        self.numbers = numbers[spread_evenly(len(numbers), MOST_FRAMES)]
        self.segment = segment
        size = frames.size
        made_from = f"{clip_sha256} {size} {self.numbers.tolist()} {plate_version()}"
        digest = hashlib.sha256(made_from.encode()).hexdigest()[:16]
        self.file = CacheFile(frames.file.path.parent, f"background-{size}", digest, (1, 4, size, size))

    def ensure(self, progress: bool = True) -> None:
        """Write the cache file, unless it is intact.

        Raises:
            ReenactError: the clip cannot be decoded, or the file cannot be written.
        """
        if not self.file.is_intact():
            self.file.write([self._make(progress)[None].numpy()])

    def read(self) -> Tensor:
        """Return the plate, uint8 (4, S, S): RGB, and the confidence that the background was seen there (255: surely)."""
        self.ensure()
        return self.file.read(torch.zeros(1, dtype=torch.int64))[0]

    def _make(self, progress: bool) -> Tensor:
        segment = self.segment or PersonSegmenter()
        size, count = self.frames.size, len(self.numbers)
        margin = max(1, round(MARGIN * size))
        images = torch.empty(count, size, size, 3, dtype=torch.uint8)
        person = torch.empty(count, size, size, dtype=torch.bool)
        with tqdm(total=count, desc="background", unit="frame", disable=not progress) as bar:
            for part in torch.split(torch.arange(count), CHUNK):
                images[part] = self.frames.read(self.numbers[part])
                person[part] = grow(main_regions(segment(images[part]), margin), margin)
                bar.update(len(part))
        plate = recover_background(images, person)
        confidence = (255 * plate.confidence).round().to(torch.uint8)
        return torch.cat([plate.image.permute(2, 0, 1), confidence[None]])
