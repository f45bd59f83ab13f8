"""A quick scan of a video: a small picture of every frame, and a close look at some frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import LANDMARK_COUNT, Landmarks
from lit_reenact.landmarks.detection import find_faces
from lit_reenact.landmarks.following import follow
from lit_reenact.landmarks.occlusion import lip_colour
from lit_reenact.video import Frame, VideoInfo, probe
from lit_reenact.video.cuts import thumbnail
from lit_reenact.video.frames import upright
from lit_reenact.video.timeline import open_video

SAMPLES = 96
"""Number of frames that are examined closely, spread over the video."""

MOST_FACES = 3
"""Number of faces to search for in a frame."""

SMALL_SIDE = 256
"""Longer side of the grey pictures in which the background is tracked and repeated frames are found, pixels."""


@dataclass(frozen=True)
class VideoScan:
    """Result of a quick scan of a video of T frames, N of them examined closely.

    Attributes:
        info: facts about the file.
        bits: bits of each colour.
        numbers: int64 (N,) numbers of the frames examined closely.
        thumbnails: uint8 (T, 32, 32) small grey pictures of all frames.
        steps: (T - 1,) mean difference of each frame to the one before, in grey levels of 255.
        backgrounds: uint8 (N, h, w) grey pictures with a longer side of ``SMALL_SIDE`` pixels.
        landmarks: landmarks in the N frames, in pixels of the upright source.
        most_faces: largest number of faces that at least two of the N frames show.
        sharpness: (N,) sharpness of the face, from ``face_sharpness``; NaN without a face.
        lips: (N, 2) colour of the lips, from ``occlusion.lip_colour``.
    """

    info: VideoInfo
    bits: int
    numbers: Tensor
    thumbnails: npt.NDArray[np.uint8]
    steps: npt.NDArray[np.float64]
    backgrounds: npt.NDArray[np.uint8]
    landmarks: Landmarks
    most_faces: int
    sharpness: Tensor
    lips: Tensor

    @property
    def faces(self) -> Tensor:
        """Landmarks (N', 478, 3) of the frames with a face."""
        return self.landmarks.points[self.landmarks.found]


def scan_video(path: Path, progress: bool = True) -> VideoScan:
    """Decode a video once, and examine about ``SAMPLES`` of its frames closely.

    Args:
        path: the video.
        progress: True to show a progress bar.

    Raises:
        ReenactError: the file is no video, or the video is damaged.
    """
    info = probe(path)
    every = max(1, info.frame_count // SAMPLES)
    collector = _FrameCollector()
    faces, lips, sharpness = [], [], []
    frames = tqdm(_decode(path), desc=f"{path.name}: scanning", total=info.frame_count, unit=" frames", disable=not progress)
    for detected in find_faces(collector.samples(frames, every), MOST_FACES):
        largest = torch.from_numpy(max(detected, key=lambda face: float(np.ptp(face[:, 1])))) if len(detected) else _NO_FACE
        faces.append(detected)
        lips.append(lip_colour(collector.picture, largest))
        sharpness.append(face_sharpness(collector.picture, largest))
    counts = sorted((len(detected) for detected in faces), reverse=True)
    return VideoScan(
        info=info,
        bits=collector.bits,
        numbers=torch.arange(0, len(collector.thumbnails), every),
        thumbnails=np.stack(collector.thumbnails),
        steps=np.array(collector.steps),
        backgrounds=np.stack(collector.backgrounds),
        landmarks=follow(faces),
        most_faces=counts[min(1, len(counts) - 1)],
        sharpness=torch.tensor(sharpness),
        lips=torch.stack(lips),
    )


_NO_FACE = torch.full((LANDMARK_COUNT, 3), torch.nan)


@dataclass
class _FrameCollector:
    """Collect small pictures of all frames while some frames are handed on in full size."""

    thumbnails: list[npt.NDArray[np.uint8]] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    backgrounds: list[npt.NDArray[np.uint8]] = field(default_factory=list)
    bits: int = 8
    picture: Frame = field(default_factory=lambda: np.empty((0, 0, 3), dtype=np.uint8))

    def samples(self, frames: Iterable[av.VideoFrame], every: int) -> Iterator[Frame]:
        """Yield every ``every``-th frame, uint8 (H, W, 3), upright. It stays in ``picture`` until the next one is requested."""
        last: npt.NDArray[np.uint8] | None = None
        for number, frame in enumerate(frames):
            small = _small_grey(frame)
            self.thumbnails.append(thumbnail(small))
            if last is not None:
                self.steps.append(float(cv2.absdiff(small, last).mean()))
            last = small
            if number % every == 0:
                self.backgrounds.append(small)
                self.bits = frame.format.components[0].bits
                self.picture = upright(frame)
                yield self.picture


def _decode(path: Path) -> Iterator[av.VideoFrame]:
    with open_video(path) as (container, stream):
        try:
            yield from container.decode(stream)
        except av.FFmpegError as error:
            raise ReenactError(f"{path} is damaged in the middle; copy or record it again") from error


def _small_grey(frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
    """Return a frame as an upright grey picture, uint8 (h, w), with a longer side of ``SMALL_SIDE``."""
    scale = SMALL_SIDE / max(frame.width, frame.height)
    width, height = (max(2, round(side * scale / 2) * 2) for side in (frame.width, frame.height))
    small = frame.reformat(width=width, height=height, format="gray", interpolation="AREA").to_ndarray()
    return np.ascontiguousarray(np.rot90(small, round(frame.rotation / 90) % 4))


def face_sharpness(frame: Frame, points: Tensor) -> float:
    """Return the energy of fine detail over the energy of all contrast in a face scaled to a height of 128 pixels.

    Args:
        frame: uint8 (H, W, 3) RGB.
        points: (478, 3) landmarks in pixels of the frame.

    Returns:
        NaN if the landmarks are not finite.
    """
    if not bool(points.isfinite().all()):
        return float("nan")
    low, high = points[:, :2].amin(0).clamp_min(0).int().tolist(), points[:, :2].amax(0).ceil().int().tolist()
    face = cv2.cvtColor(frame[low[1] : high[1] + 1, low[0] : high[0] + 1], cv2.COLOR_RGB2GRAY)
    scale = 128 / face.shape[0]
    size = (max(1, round(face.shape[1] * scale)), 128)
    grey = cv2.resize(face, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC).astype(np.float32)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var() / max(float(grey.var()), 1.0))
