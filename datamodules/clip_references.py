"""Reference frames of one actor: key frames of the training part, and where the pixels of every frame lie in them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cached_property

import torch
from torch import Tensor

from lit_reenact.core.schema import KeyFrames
from lit_reenact.datamodules.cache_file import CacheFile
from lit_reenact.datamodules.loading import Rendering
from lit_reenact.datamodules.reference_cache import (
    AppendedMaps,
    CachedMaps,
    ComputedMaps,
    ReadMaps,
    ensure_maps,
    reference_cache,
)
from lit_reenact.datamodules.subject import Subject
from lit_reenact.datamodules.varied_clip import VariedClip
from lit_reenact.datamodules.windows import Part
from lit_reenact.face import load_face_model
from lit_reenact.rendering.reference_maps import MAP_SIZE, ReferenceWarp
from lit_reenact.rendering.reference_selection import choose_key_frames, key_frame_features, outside_gap
from lit_reenact.video import FrameReader


class ClipReferences:
    """Key frames of one clip and the maps of its frames, and of its variations.

    Args:
        subject: actor with track and clip.
        count: number of key frames.
        gap: seconds to either side of a frame in which it is shown no key frame in training.
        rendering: place where conditioning images are rendered; maps are cached if these are.
        varied: variations of the training part; None without.
    """

    def __init__(self, subject: Subject, count: int, gap: float, rendering: Rendering, varied: VariedClip | None) -> None:
        self.subject, self.count, self.varied = subject, count, varied
        self.gap = round(gap * float(Fraction(subject.track.info.fps)))  # frames
        self.cached = rendering == "cache"

    @cached_property
    def numbers(self) -> Tensor:
        """Numbers of the key frames, int64 (K,), all of them training frames that show a face.

        Raises:
            ReenactError: the training part has fewer frames that differ from each other.
        """
        track, training = self.subject.track, self.subject.training_frames()
        model = load_face_model(track.info.face_model)
        features = key_frame_features(model, track.actor, track.camera, track.parameters[training])
        return choose_key_frames(features, training, self.count)

    @cached_property
    def key_frames(self) -> KeyFrames:
        """The key frames, decoded at the clip's own size.

        Raises:
            ReenactError: the clip cannot be decoded.
        """
        frames = FrameReader(self.subject.clip).read(self.numbers.tolist())
        return KeyFrames(self.numbers, frames.permute(0, 3, 1, 2).contiguous(), self.subject.track.parameters[self.numbers])

    def ensure(self) -> None:
        """Write the cache files of the maps, unless they are intact or not wanted.

        Raises:
            ReenactError: a file cannot be written.
        """
        if self.cached:
            ensure_maps(self._file, self._warp, self.subject.track.parameters)
            if self.varied is not None:
                ensure_maps(self._varied_file(self.varied), self._warp, self.varied.parameters)

    def held_out(self, part: Part) -> Part:
        """Add the maps to a part whose frames may be shown every key frame."""
        return replace(part, maps=self._maps, near=torch.zeros(len(self.subject.track), self.count, dtype=torch.bool))

    def training(self, part: Part) -> Part:
        """Add the maps to the training part; a variation is as near to a key frame as the frame that it was warped from."""
        own = ~outside_gap(self.numbers, torch.arange(len(self.subject.track)), self.gap)  # (T, K)
        if self.varied is None:
            return replace(part, maps=self._maps, near=own)
        length, copies = self.varied.length, self.varied.variations.copies
        maps = AppendedMaps(self._maps, self._varied_maps(self.varied), length)
        return replace(part, maps=maps, near=own[:length].repeat(1 + copies, 1))

    @cached_property
    def _warp(self) -> ReferenceWarp:
        track = self.subject.track
        model = load_face_model(track.info.face_model)
        return ReferenceWarp(model, track.actor, track.camera, track.parameters[self.numbers])

    @cached_property
    def _maps(self) -> ReadMaps:
        return CachedMaps(self._file) if self.cached else ComputedMaps(self._warp, self.subject.track.parameters)

    @cached_property
    def _file(self) -> CacheFile:
        return reference_cache(self.subject.track, self.subject.folder, self.numbers, MAP_SIZE)

    def _varied_maps(self, varied: VariedClip) -> ReadMaps:
        return CachedMaps(self._varied_file(varied)) if self.cached else ComputedMaps(self._warp, varied.parameters)

    def _varied_file(self, varied: VariedClip) -> CacheFile:
        return reference_cache(varied.track, self.subject.folder, self.numbers, MAP_SIZE, f"{varied.prefix}-references")
