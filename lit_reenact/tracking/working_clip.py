"""Source video to working clip: a steady square around the head, at a constant rate, that decord reads exactly and fast."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import sha256_of
from lit_reenact.core.parallel import prefetch
from lit_reenact.core.schema import LANDMARK_COUNT, CropBox, Landmarks
from lit_reenact.landmarks.detection import BLOCK, LEAD, describe_detector, find_faces
from lit_reenact.landmarks.following import Points, follow
from lit_reenact.landmarks.gaps import fill_gaps
from lit_reenact.landmarks.occlusion import find_covered_mouths, lip_colour
from lit_reenact.provenance import code_version, recording_tags
from lit_reenact.tracking.clip_warnings import notes_on_cuts, notes_on_faces, notes_on_file, notes_on_mouth
from lit_reenact.tracking.partial_results import Unfinished, forgotten_if_refused
from lit_reenact.video import Frame, VideoInfo, VideoWriter, iterate_frames, probe
from lit_reenact.video.cuts import THUMBNAIL_SIDE, find_cuts, thumbnail

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

    Landmarks are measured in the source, at its own resolution, and then mapped to the clip. What is found is kept beside the
    clip (``unfinished.Unfinished``): a run that was killed goes on there, with the same result.

    Args:
        source: any video with a face.
        clip: the mp4 to write.
        size: side of the clip, pixels.
        margin: side of the crop in heights of the face (hairline to chin); 2 shows the hair, the neck and some shoulder.
        progress: whether to show progress bars on stderr.

    Raises:
        ReenactError: as ``video.probe``; or the video has too few frames, or too few with a face; or ``clip`` cannot be written.
    """
    with forgotten_if_refused(Path(clip).parent):
        return _prepare(Path(source), Path(clip), size, margin, progress)


def _prepare(source: Path, clip: Path, size: int, margin: float, progress: bool) -> Prepared:
    info = probe(source)
    if info.frame_count < MIN_FRAMES:
        raise ReenactError(f"{source} has {info.frame_count} frames, fewer than a window of {MIN_FRAMES}: use a longer video")
    digest = sha256_of(source)
    depends = {"source_sha256": digest, "faces": FACES_LOOKED_FOR, "code": code_version(), **describe_detector()}
    unfinished = Unfinished(clip.parent, depends)
    seen, most_faces = _find_person(info, unfinished, progress)
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
    facts = {**asdict(crop), "size": size}
    looks = unfinished.kept("clip", **facts, clip_sha256=sha256_of(clip)) if clip.is_file() else None
    if looks is None:
        made = unfinished.folder / clip.name
        looks = _write_clip(made, info, digest, crop, landmarks, size, progress)
        unfinished.keep("clip", looks, **facts, clip_sha256=sha256_of(made))
        made.replace(clip)
    cuts = find_cuts(looks["thumbnails"])
    landmarks, valid = _fit_frames(landmarks, cuts, info.fps, size)
    fps, covered = float(info.fps), find_covered_mouths(torch.from_numpy(looks["lips"]), _usual_frames(info.fps))
    notes = (
        *notes_on_file(info),
        *notes_on_faces(seen, valid, most_faces, MAX_GAP_SECONDS),
        *notes_on_mouth(covered, fps),
        *notes_on_cuts(seen, cuts, fps),
    )
    return Prepared(clip, landmarks, valid, crop, info, digest, notes, cuts)


def _find_person(info: VideoInfo, unfinished: Unfinished, progress: bool) -> tuple[Landmarks, int]:
    """The first pass: landmarks of one person in pixels of the source, and how many faces are seen at once.

    What an earlier run has found is not looked for again; the result is the same.
    """
    faces = _faces_kept(info.frame_count, unfinished)
    if len(faces) < info.frame_count:
        if faces:
            sentence = f"faces in {len(faces)} of {info.frame_count} frames are known from a run that did not finish"
            tqdm.write(f"{info.path.name}: {sentence}", file=sys.stderr)
        faces += _look_for_faces(info, len(faces), unfinished, progress)
    return follow(faces), _usual_maximum([len(each) for each in faces], info.fps)


def _look_for_faces(info: VideoInfo, known: int, unfinished: Unfinished, progress: bool) -> Iterator[Points]:
    """The faces of every frame after the first ``known``, whole blocks of which are kept as they come."""
    # Not a list of small arrays: allocated one between two frames each, they would leave holes that no frame fits into.
    block = np.empty((BLOCK, FACES_LOOKED_FOR, LANDMARK_COUNT, 3), dtype=np.float32)
    counts = np.empty(BLOCK, dtype=np.int64)
    first = max(0, known - LEAD)
    label = f"{info.path.name}: finding the face"
    frames = _with_progress(iterate_frames(info.path, first=first), info.frame_count, label, progress, first)
    for number, found in enumerate(find_faces(frames, FACES_LOOKED_FOR, first), known):
        place = number % BLOCK
        block[place, : len(found)], counts[place] = found, len(found)
        if place == BLOCK - 1 or number == info.frame_count - 1:
            done, used = slice(place + 1), np.arange(FACES_LOOKED_FOR) < counts[: place + 1, None]
            full: dict[str, npt.NDArray[Any]] = {"counts": counts[done], "points": block[done][used]}
            unfinished.keep(f"faces-{number // BLOCK}", full)
            yield from _by_frame(full)


def _faces_kept(frame_count: int, unfinished: Unfinished) -> list[Points]:
    """Faces of the first frames of a video, whole blocks of them, as an unfinished run found them."""
    faces: list[Points] = []
    for number in range(-(-frame_count // BLOCK)):
        block = unfinished.kept(f"faces-{number}")
        if block is None:
            break
        faces += _by_frame(block)
    return faces


def _by_frame(block: dict[str, npt.NDArray[Any]]) -> list[Points]:
    return np.split(block["points"], np.cumsum(block["counts"])[:-1])


def _write_clip(
    clip: Path, info: VideoInfo, source_sha256: str, crop: CropBox, landmarks: Landmarks, size: int, progress: bool
) -> dict[str, npt.NDArray[Any]]:
    """The second pass: write the clip, and collect its ``thumbnails`` uint8 (T, 32, 32) and colours of the ``lips`` (T, 2)."""
    thumbnails = np.empty((len(landmarks), THUMBNAIL_SIDE, THUMBNAIL_SIDE), dtype=np.uint8)
    lips = np.empty((len(landmarks), 2), dtype=np.float32)
    tags = recording_tags(f"Working clip of {info.path.name}", source=info.path.name, source_sha256=source_sha256)
    with VideoWriter(clip, info.fps, tags=tags, audio_from=info.path, crf=13, preset="veryfast") as writer:
        frames = _with_progress(iterate_frames(info.path), info.frame_count, f"{info.path.name}: writing the clip", progress)
        for number, (frame, points) in enumerate(zip(frames, landmarks.points, strict=True)):
            shown = _resize(frame[crop.y : crop.y + crop.side, crop.x : crop.x + crop.side], size)
            writer.write(shown)
            thumbnails[number], lips[number] = thumbnail(shown), lip_colour(shown, points)
    return {"thumbnails": thumbnails, "lips": lips}


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
    points = landmarks.points[..., :2]
    return (points.amin((1, 2)) >= -0.02 * size) & (points.amax((1, 2)) <= 1.02 * size)


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


def _with_progress(frames: Iterator[Frame], total: int, label: str, progress: bool, first: int = 0) -> Iterator[Frame]:
    yield from tqdm(prefetch(frames), desc=label, total=total, initial=first, unit=" frames", disable=not progress)
