"""Source video to working clip: a steady square around the head, at a constant rate, that decord reads exactly and fast."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import sha256_of
from lit_reenact.core.schema import CropBox, Landmarks
from lit_reenact.landmarks.detection import describe_detector
from lit_reenact.landmarks.gaps import fill_gaps
from lit_reenact.landmarks.occlusion import find_covered_mouths, lip_colour
from lit_reenact.provenance import code_version, recording_tags
from lit_reenact.tracking.clip_warnings import cut_warnings, face_warnings, file_warnings, mouth_warnings
from lit_reenact.tracking.crop import MARGIN, choose_crop, is_inside, to_clip
from lit_reenact.tracking.face_search import MAX_FACES, MAX_GAP_SECONDS, find_person, min_frames_to_believe, with_progress
from lit_reenact.tracking.partial_results import Unfinished, forget_if_refused
from lit_reenact.video import Frame, VideoInfo, VideoWriter, iterate_frames, probe
from lit_reenact.video.cuts import THUMBNAIL_SIDE, find_cuts, thumbnail

MIN_FRAMES = 11
"""Minimum number of frames with a whole face: a window, from fewer of which nothing can be learned."""


@dataclass(frozen=True)
class Prepared:
    """A working clip and the face in it.

    Attributes:
        clip: mp4 file: square, constant frame rate, a key frame every 12 frames, the source's sound.
        landmarks: landmarks in pixels of the clip, interpolated in short gaps; ``found`` is False there.
        valid: bool (T,), frames with landmarks whose face lies inside the crop.
        crop: part of the upright source frame that the clip shows.
        info: the source; frame rate and frame count are those of the clip, too.
        source_sha256: SHA-256 of the source file.
        warnings: warnings about the video, in sentences.
        cuts: first frame after every hard cut.
    """

    clip: Path
    landmarks: Landmarks
    valid: Tensor
    crop: CropBox
    info: VideoInfo
    source_sha256: str
    warnings: tuple[str, ...]
    cuts: tuple[int, ...] = ()


def prepare(source: Path, clip: Path, size: int = 256, margin: float = MARGIN, progress: bool = True) -> Prepared:
    """Make the working clip of a video, in two passes over its frames and constant memory.

    Landmarks are measured in the source, at its own resolution, and then mapped to the clip. Partial results are kept beside the
    clip (``partial_results.Unfinished``): a run that was killed continues there, with the same result.

    Args:
        source: video with a face.
        clip: mp4 file to write.
        size: side of the clip, pixels.
        margin: side of the crop in heights of the face (hairline to chin).
        progress: whether to show progress bars on stderr.

    Raises:
        ReenactError: the source cannot be read, has too few frames or too few with a face; or ``clip`` cannot be written.

    Example:
        >>> prepared = prepare(Path("me.mp4"), Path("outputs/tracks/me/clip.mp4"))
    """
    with forget_if_refused(Path(clip).parent):
        return _prepare(Path(source), Path(clip), size, margin, progress)


def _prepare(source: Path, clip: Path, size: int, margin: float, progress: bool) -> Prepared:
    info = probe(source)
    if info.frame_count < MIN_FRAMES:
        raise ReenactError(f"{source} has {info.frame_count} frames, fewer than a window of {MIN_FRAMES}: use a longer video")
    digest = sha256_of(source)
    depends = {"source_sha256": digest, "faces": MAX_FACES, "code": code_version(), **describe_detector()}
    unfinished = Unfinished(clip.parent, depends)
    seen, most_faces = find_person(info, unfinished, progress)
    crop, landmarks = _crop(info, seen, size, margin)
    measured = _finish_clip(clip, unfinished, info, digest, crop, landmarks, size, progress)
    cuts = find_cuts(measured["thumbnails"])
    landmarks, valid = _fit_frames(landmarks, cuts, info.fps, size)
    fps, covered = float(info.fps), find_covered_mouths(torch.from_numpy(measured["lips"]), min_frames_to_believe(info.fps))
    warnings = (
        *file_warnings(info),
        *face_warnings(seen, valid, most_faces, MAX_GAP_SECONDS),
        *mouth_warnings(covered, fps),
        *cut_warnings(seen, cuts, fps),
    )
    return Prepared(clip, landmarks, valid, crop, info, digest, warnings, cuts)


def _crop(info: VideoInfo, seen: Landmarks, size: int, margin: float) -> tuple[CropBox, Landmarks]:
    """Choose the crop and map the landmarks into it; refuse a video that shows too little of a face."""
    if not seen.found.any():
        raise ReenactError(
            f"{info.path}: no face was found in its {len(seen)} frames; it must fill a quarter of the picture's height"
        )
    crop = choose_crop(seen, info.width, info.height, margin)
    landmarks = to_clip(seen, crop, size)
    whole = int(_fit_frames(landmarks, (), info.fps, size)[1].sum())
    if whole < MIN_FRAMES:
        raise ReenactError(
            f"{info.path}: a whole face is seen in {whole} of its {len(seen)} frames, "
            f"fewer than a window of {MIN_FRAMES}: use a video that shows the face for longer"
        )
    return crop, landmarks


def _finish_clip(
    clip: Path,
    unfinished: Unfinished,
    info: VideoInfo,
    source_sha256: str,
    crop: CropBox,
    landmarks: Landmarks,
    size: int,
    progress: bool,
) -> dict[str, npt.NDArray[Any]]:
    """Write the clip unless an earlier run has finished it; return the measurements of ``_write_clip``."""
    facts = {**asdict(crop), "size": size}
    measured = unfinished.load("clip", **facts, clip_sha256=sha256_of(clip)) if clip.is_file() else None
    if measured is None:
        partial = unfinished.folder / clip.name
        measured = _write_clip(partial, info, source_sha256, crop, landmarks, size, progress)
        unfinished.store("clip", measured, **facts, clip_sha256=sha256_of(partial))
        partial.replace(clip)
    return measured


def _write_clip(
    clip: Path, info: VideoInfo, source_sha256: str, crop: CropBox, landmarks: Landmarks, size: int, progress: bool
) -> dict[str, npt.NDArray[Any]]:
    """Write the clip in a second pass; return its ``thumbnails`` uint8 (T, 32, 32) and colours of the ``lips`` (T, 2)."""
    thumbnails = np.empty((len(landmarks), THUMBNAIL_SIDE, THUMBNAIL_SIDE), dtype=np.uint8)
    lips = np.empty((len(landmarks), 2), dtype=np.float32)
    tags = recording_tags(f"Working clip of {info.path.name}", source=info.path.name, source_sha256=source_sha256)
    with VideoWriter(clip, info.fps, tags=tags, audio_from=info.path, crf=13, preset="veryfast") as writer:
        frames = with_progress(iterate_frames(info.path), info.frame_count, f"{info.path.name}: writing the clip", progress)
        for number, (frame, points) in enumerate(zip(frames, landmarks.points, strict=True)):
            cropped = _resize(frame[crop.y : crop.y + crop.side, crop.x : crop.x + crop.side], size)
            writer.write(cropped)
            thumbnails[number], lips[number] = thumbnail(cropped), lip_colour(cropped, points)
    return {"thumbnails": thumbnails, "lips": lips}


def _fit_frames(landmarks: Landmarks, cuts: tuple[int, ...], fps: Fraction, size: int) -> tuple[Landmarks, Tensor]:
    """Fill short gaps of landmarks on the clip; also return bool (T,), frames that show the whole face."""
    filled, has_points = fill_gaps(landmarks, int(MAX_GAP_SECONDS * fps), cuts)
    return filled, has_points & is_inside(filled, size)


def _resize(image: Frame, size: int) -> Frame:
    shrinks = image.shape[0] > size
    return np.asarray(
        cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC), dtype=np.uint8
    )
