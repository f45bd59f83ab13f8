"""A quick pass over a video: a little of every frame, and some frames closely."""

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

Picture = cv2.typing.MatLike

SAMPLES = 96
"""Frames looked at closely, spread over the video."""

MOST_FACES = 3

SMALL_SIDE = 256
"""Longer side of the grey pictures in which the background is followed and repeated frames are found, pixels."""

CAMERA_STEP = 1.0
"""Pixels of the small pictures by which the background may shift."""

LEAST_CORNERS = 6

CORNER_STRENGTH = 2e-4
"""Smallest eigenvalue of a corner that is more than noise or a hair before a wall."""


@dataclass(frozen=True)
class Glance:
    """What a quick pass over a video of T frames saw, N of them closely.

    Attributes:
        info: of the file.
        bits: of each colour.
        numbers: int64 (N,), the frames looked at closely.
        thumbnails: uint8 (T, 32, 32).
        steps: (T - 1,) mean difference of each picture to the one before, in grey levels of 255.
        backgrounds: uint8 (N, h, w) small grey pictures.
        landmarks: of the N frames, in pixels of the upright source.
        most_faces: seen in at least two of the N frames.
        sharpness: (N,) of the face, see ``face_sharpness``.
        lips: (N, 2), see ``occlusion.lip_colour``.
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
        """(N', 478, 3) landmarks of the frames with a face."""
        return self.landmarks.points[self.landmarks.found]


def glance(path: Path, progress: bool = True) -> Glance:
    """Decode a video once; only ``SAMPLES`` of its frames are looked at closely.

    Raises:
        ReenactError: as ``video.probe``, or the video is damaged somewhere in the middle.
    """
    info = probe(path)
    every = max(1, info.frame_count // SAMPLES)
    reel = _Reel()
    faces, lips, sharpness = [], [], []
    frames = tqdm(_decode(path), desc=f"{path.name}: looking", total=info.frame_count, unit=" frames", disable=not progress)
    for found in find_faces(reel.samples(frames, every), MOST_FACES):
        largest = torch.from_numpy(max(found, key=lambda face: float(np.ptp(face[:, 1])))) if len(found) else _NO_FACE
        faces.append(found)
        lips.append(lip_colour(reel.picture, largest))
        sharpness.append(face_sharpness(reel.picture, largest))
    counts = sorted((len(found) for found in faces), reverse=True)
    return Glance(
        info=info,
        bits=reel.bits,
        numbers=torch.arange(0, len(reel.thumbnails), every),
        thumbnails=np.stack(reel.thumbnails),
        steps=np.array(reel.steps),
        backgrounds=np.stack(reel.backgrounds),
        landmarks=follow(faces),
        most_faces=counts[min(1, len(counts) - 1)],
        sharpness=torch.tensor(sharpness),
        lips=torch.stack(lips),
    )


_NO_FACE = torch.full((LANDMARK_COUNT, 3), torch.nan)


@dataclass
class _Reel:
    """Collects what is small of every frame while it hands out some frames whole."""

    thumbnails: list[npt.NDArray[np.uint8]] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    backgrounds: list[npt.NDArray[np.uint8]] = field(default_factory=list)
    bits: int = 8
    picture: Frame = field(default_factory=lambda: np.empty((0, 0, 3), dtype=np.uint8))

    def samples(self, frames: Iterable[av.VideoFrame], every: int) -> Iterator[Frame]:
        """Every ``every``-th frame: uint8 (H, W, 3), upright, which is ``picture`` until the next is asked for."""
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
    """uint8 (h, w), upright; its longer side is ``SMALL_SIDE``."""
    scale = SMALL_SIDE / max(frame.width, frame.height)
    width, height = (max(2, round(side * scale / 2) * 2) for side in (frame.width, frame.height))
    small = frame.reformat(width=width, height=height, format="gray", interpolation="AREA").to_ndarray()
    return np.ascontiguousarray(np.rot90(small, round(frame.rotation / 90) % 4))


def face_sharpness(frame: Frame, points: Tensor) -> float:
    """Energy of fine detail over that of all contrast in a face scaled to a height of 128 pixels; NaN without landmarks.

    Args:
        frame: uint8 (H, W, 3) RGB.
        points: (478, 3) landmarks in its pixels.
    """
    if not bool(points.isfinite().all()):
        return float("nan")
    low, high = points[:, :2].amin(0).clamp_min(0).int().tolist(), points[:, :2].amax(0).ceil().int().tolist()
    face = cv2.cvtColor(frame[low[1] : high[1] + 1, low[0] : high[0] + 1], cv2.COLOR_RGB2GRAY)
    scale = 128 / face.shape[0]
    size = (max(1, round(face.shape[1] * scale)), 128)
    grey = cv2.resize(face, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC).astype(np.float32)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var() / max(float(grey.var()), 1.0))


def moving_background(backgrounds: npt.NDArray[np.uint8], faces: Tensor) -> float | None:
    """Share of the pictures in which the background as a whole has shifted against the middle one.

    Followed are corners beside and above the head; hair moves every which way, a camera moves them all alike.

    Args:
        backgrounds: uint8 (N, h, w).
        faces: (N, 478, 2) landmarks in their pixels, NaN where there is no face.

    Returns:
        None if there is too little texture to tell.
    """
    middle = len(backgrounds) // 2
    # An exposure that follows the scene changes all of a picture alike.
    pictures = [cv2.convertScaleAbs(picture, alpha=100 / max(float(picture.mean()), 1.0)) for picture in backgrounds]
    corners = _background_corners(pictures[middle], faces[middle].numpy())
    if len(corners) < LEAST_CORNERS:
        return None
    shifts = [_common_shift(pictures[middle], other, corners) for k, other in enumerate(pictures) if k != middle]
    told = [float(np.linalg.norm(shift)) > CAMERA_STEP for shift in shifts if shift is not None]
    return float(np.mean(told)) if len(told) >= len(shifts) / 3 else None


def _background_corners(picture: Picture, face: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Corners (K, 1, 2) outside the head and above the shoulders."""
    mask = np.full(picture.shape, 255, dtype=np.uint8)
    if np.isfinite(face).all():
        (left, top), (right, bottom) = face.min(0), face.max(0)
        width, height = right - left, bottom - top
        side = (max(0, round(left - 0.4 * width)), max(0, round(right + 0.4 * width)))
        mask[max(0, round(top - 0.6 * height)) :, side[0] : side[1]] = 0
        mask[max(0, round(bottom - 0.2 * height)) :] = 0
    mask[cv2.cornerMinEigenVal(picture, blockSize=5) < CORNER_STRENGTH] = 0
    found = cv2.goodFeaturesToTrack(picture, maxCorners=100, qualityLevel=1e-6, minDistance=5, mask=mask, blockSize=5)
    return np.empty((0, 1, 2), dtype=np.float32) if found is None else np.asarray(found, dtype=np.float32)


def _common_shift(first: Picture, second: Picture, corners: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | None:
    """By how much most of the corners have moved, (2,) pixels; None if they do not agree."""
    there, seen, _ = cv2.calcOpticalFlowPyrLK(first, second, corners, corners.copy(), winSize=(15, 15), maxLevel=3)
    back, seen_back, _ = cv2.calcOpticalFlowPyrLK(second, first, there, corners.copy(), winSize=(15, 15), maxLevel=3)
    good = (seen[:, 0] > 0) & (seen_back[:, 0] > 0) & (np.abs(back - corners).max((1, 2)) < 0.5)
    moved = (there - corners)[good, 0]
    if len(moved) < LEAST_CORNERS:
        return None
    common = np.median(moved, axis=0)
    return common if float((np.abs(moved - common).max(1) < 1).mean()) > 0.6 else None
