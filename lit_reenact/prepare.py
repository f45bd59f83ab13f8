"""Source video to working clip: a steady square around the head, at a constant rate, that decord reads exactly and fast."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from lit_reenact.cuts import find_cuts, thumbnail
from lit_reenact.errors import ReenactError
from lit_reenact.landmarks import fill_gaps, find_faces, follow
from lit_reenact.notes import notes_on_cuts, notes_on_faces, notes_on_file, notes_on_mouth
from lit_reenact.occlusion import covered_mouths, lip_colour
from lit_reenact.provenance import recording_tags
from lit_reenact.schema import CropBox, Landmarks
from lit_reenact.video import Frame, VideoInfo, VideoWriter, iterate_frames, probe, sha256

MIN_FRAMES = 11
"""A window: nothing can be learned from fewer frames."""

MAX_GAP_SECONDS = 0.3
"""A face that is missing for longer is not guessed: those frames are left out of training."""

FACES_LOOKED_FOR = 3


@dataclass(frozen=True)
class Prepared:
    """A working clip and where the face is in it.

    Attributes:
        clip: the mp4: square, constant frame rate, a key frame every 12 frames, the source's sound.
        landmarks: in pixels of the clip; interpolated in short gaps (``found`` says where the face was really seen).
        valid: bool (T,), frames with landmarks whose face lies inside the crop.
        crop: the part of the upright source frame that the clip shows.
        info: of the source; its frame rate and frame count are the clip's too.
        source_sha256: of the source file.
        notes: sentences for the user about what was found in the video.
        cuts: the first frame after every hard cut.
    """

    clip: Path
    landmarks: Landmarks
    valid: Tensor
    crop: CropBox
    info: VideoInfo
    source_sha256: str
    notes: tuple[str, ...]
    cuts: tuple[int, ...] = ()


def prepare(source: Path, clip: Path, size: int = 256, margin: float = 2.0, progress: bool = True) -> Prepared:
    """Make the working clip of a video, in two passes over its frames and constant memory.

    Landmarks are measured in the source, at its own resolution, and then mapped to the clip.

    Args:
        source: any video with a face.
        clip: the mp4 to write.
        size: side of the clip, pixels.
        margin: side of the crop in heights of the face (hairline to chin); 2 shows the hair, the neck and some shoulder.
        progress: whether to show progress bars on stderr.

    Raises:
        ReenactError: as ``video.probe``; or the video has too few frames, or too few with a face; or ``clip`` cannot be written.
    """
    source, clip = Path(source), Path(clip)
    info = probe(source)
    if info.frame_count < MIN_FRAMES:
        raise ReenactError(f"{source} has {info.frame_count} frames, fewer than a window of {MIN_FRAMES}: use a longer video")
    frames = _with_progress(iterate_frames(source), info.frame_count, f"{source.name}: finding the face", progress)
    faces = list(find_faces(frames, FACES_LOOKED_FOR))
    seen = follow(faces)
    if not seen.found.any():
        raise ReenactError(
            f"{source}: no face was found in its {len(seen)} frames; it must fill a quarter of the picture's height"
        )
    crop = choose_crop(seen, info.width, info.height, margin)
    landmarks = to_clip(seen, crop, size)
    whole = int(_fit_frames(landmarks, (), info.fps, size)[1].sum())
    if whole < MIN_FRAMES:
        raise ReenactError(
            f"{source}: a whole face is seen in {whole} of its {len(seen)} frames, "
            f"fewer than a window of {MIN_FRAMES}: use a video that shows the face for longer"
        )
    digest = sha256(source)
    tags = recording_tags(f"Working clip of {source.name}", source=source.name, source_sha256=digest)
    thumbnails, lips = [], []
    with VideoWriter(clip, info.fps, tags=tags, audio_from=source, crf=14) as writer:
        frames = _with_progress(iterate_frames(source), info.frame_count, f"{source.name}: writing the clip", progress)
        for frame, points in zip(frames, landmarks.points, strict=True):
            shown = _resize(frame[crop.y : crop.y + crop.side, crop.x : crop.x + crop.side], size)
            writer.write(shown)
            thumbnails.append(thumbnail(shown))
            lips.append(lip_colour(shown, points))
    cuts = find_cuts(np.stack(thumbnails))
    landmarks, valid = _fit_frames(landmarks, cuts, info.fps, size)
    fps, covered = float(info.fps), covered_mouths(torch.stack(lips), _usual_frames(info.fps))
    most_faces = _usual_maximum([len(f) for f in faces], info.fps)
    notes = (
        *notes_on_file(info),
        *notes_on_faces(seen, valid, most_faces, MAX_GAP_SECONDS),
        *notes_on_mouth(covered, fps),
        *notes_on_cuts(seen, cuts, fps),
    )
    return Prepared(clip, landmarks, valid, crop, info, digest, notes, cuts)


def _fit_frames(landmarks: Landmarks, cuts: tuple[int, ...], fps: Fraction, size: int) -> tuple[Landmarks, Tensor]:
    """Landmarks on the clip with short gaps filled, and bool (T,): frames that show the whole face."""
    filled, has_points = fill_gaps(landmarks, int(MAX_GAP_SECONDS * fps), cuts)
    return filled, has_points & _inside(filled, size)


def choose_crop(landmarks: Landmarks, width: int, height: int, margin: float) -> CropBox:
    """The steady square that holds the face in every frame in which it was found.

    Its side is ``margin`` face heights, or more if the face moves far, and at most what the frame allows.

    Args:
        landmarks: in pixels of the source.
        width: of the source, pixels.
        height: of the source, pixels.
        margin: see ``prepare``.
    """
    points = landmarks.points[landmarks.found][..., :2]  # (T', 478, 2)
    low, high = points.amin(1), points.amax(1)  # (T', 2)
    face_height = float((high - low)[:, 1].median())
    first, last = low.amin(0), high.amax(0)
    room = 0.5 * face_height  # half a face beyond the face on every side, wherever it moves
    side = max(margin * face_height, float((last - first).max()) + room)
    side_px = min(round(side), width, height)
    # The head reaches about as far above the hairline as the neck below the chin: the face's middle is the crop's.
    middle = (first + last) / 2
    x, y = (round(float(m) - side_px / 2) for m in middle)
    return CropBox(x=min(max(x, 0), width - side_px), y=min(max(y, 0), height - side_px), side=side_px)


def to_clip(landmarks: Landmarks, crop: CropBox, size: int) -> Landmarks:
    """Landmarks in source pixels to pixels of a clip of ``size`` that shows ``crop``; z is scaled alike."""
    corner = landmarks.points.new_tensor([crop.x, crop.y, 0.0])
    return Landmarks(points=(landmarks.points - corner) * (size / crop.side), found=landmarks.found)


def _inside(landmarks: Landmarks, size: int) -> Tensor:
    """Bool (T,): whether the face lies in the picture but for a sliver of 2 %; False where there are no points."""
    points = landmarks.points[..., :2] / size
    return ((points >= -0.02) & (points <= 1.02)).all(-1).all(-1)


def _resize(image: Frame, size: int) -> Frame:
    shrinks = image.shape[0] > size
    return np.asarray(
        cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC), dtype=np.uint8
    )


def _usual_frames(fps: Fraction) -> int:
    """Frames for which something must be seen to be believed: as long as a gap may be, for single frames may be mistaken."""
    return max(2, int(MAX_GAP_SECONDS * fps))


def _usual_maximum(counts: list[int], fps: Fraction) -> int:
    """The largest number of faces that is seen for long enough."""
    return max((n for n in range(FACES_LOOKED_FOR + 1) if sum(c >= n for c in counts) >= _usual_frames(fps)), default=1)


def _with_progress(frames: Iterator[Frame], total: int, label: str, progress: bool) -> Iterator[Frame]:
    yield from tqdm(frames, desc=label, total=total, unit=" frames", disable=not progress)
