"""Videos that are hard to track: each is either accepted with warnings about its quality, or refused in one sentence."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from skimage.data import astronaut

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import Landmarks
from lit_reenact.landmarks.detection import detect
from lit_reenact.tracking.clip_warnings import cut_warnings, face_warnings
from lit_reenact.tracking.tracker import TrackerSettings, track, track_video
from lit_reenact.tracking.working_clip import Prepared, prepare
from lit_reenact.video import Frame, FrameReader, iterate_frames, probe
from lit_reenact.video.hdr import linear_light
from tests.lit_reenact.inspection.test_video_checks import over_the_mouth
from tests.video_files import remux, write_video

PORTRAIT = np.ascontiguousarray(astronaut()[:300, 80:380])


def prepared(folder: Path, frames: list[Frame], fps: int = 30) -> Prepared:
    times = list(range(len(frames)))
    source = write_video(folder / "source.mp4", frames, times, Fraction(1, fps))
    return prepare(source, folder / "clip.mp4", size=128, progress=False)


def has(words: str, warnings: tuple[str, ...] | list[str]) -> bool:
    return any(words in note for note in warnings)


def swaying(count: int) -> list[Frame]:
    photograph = astronaut()
    shifts = [round(5 * np.sin(k / 4)) for k in range(count)]
    return [np.ascontiguousarray(photograph[:300, 80 + s : 380 + s]) for s in shifts]


def test_a_good_one_has_no_notes(tmp_path: Path) -> None:
    assert prepared(tmp_path, swaying(20)).warnings == ()


def test_a_hand_over_the_mouth_is_told(tmp_path: Path) -> None:
    frames = swaying(45)
    landmarks = detect(frames, total=None, progress=None)
    frames[15:30] = [over_the_mouth(frames[k], landmarks.points[k]) for k in range(15, 30)]
    assert has("the mouth seems to be covered in 15 of 45 frames, first at 0.5 s", prepared(tmp_path, frames).warnings)


def test_five_frames_per_second_are_told(tmp_path: Path) -> None:
    result = prepared(tmp_path, swaying(20), fps=5)
    assert has("5 frames per second are few", result.warnings)
    assert probe(result.clip).frame_count == 20


@pytest.mark.parametrize("side", [60, 128])
def test_a_face_of_forty_pixels_is_told_or_refused(side: int, tmp_path: Path) -> None:
    """A face of about 40 pixels is found in a picture that it fills; in a large picture it is not."""
    small = np.asarray(cv2.resize(PORTRAIT, (100, 100), interpolation=cv2.INTER_AREA))
    if side == 128:
        warnings = prepared(tmp_path, [small] * 15).warnings
        assert has("the face is 37 pixels high", warnings)
        assert has("gaze and lips are measured poorly", warnings)
    else:
        scene = np.full((720, 1280, 3), 90, dtype=np.uint8)
        scene[300:400, 500:600] = small
        with pytest.raises(ReenactError, match="no face was found in its 15 frames; it must fill a quarter"):
            prepared(tmp_path, [scene] * 15)


@pytest.mark.slow
def test_4k(tmp_path: Path) -> None:
    scene = np.full((2160, 3840, 3), 90, dtype=np.uint8)
    scene[:, 800:2960] = cv2.resize(PORTRAIT, (2160, 2160), interpolation=cv2.INTER_CUBIC)
    result = prepared(tmp_path, [scene] * 12)
    assert (result.info.width, result.info.height) == (3840, 2160)
    assert bool(result.valid.all())
    assert result.warnings == ()


def pq_code(light: np.ndarray) -> np.ndarray:
    """PQ codes in [0, 1] of luminance in cd/m², as SMPTE ST 2084 prints the formula."""
    y = (light / 10000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * y) / (1 + 2392 / 128 * y)) ** (2523 / 32)


def hlg_code(light: np.ndarray) -> np.ndarray:
    """HLG codes in [0, 1] of luminance in cd/m² on a display of 1000, channel by channel (ITU-R BT.2100)."""
    scene = (light / 1000) ** (1 / 1.2)
    return np.where(
        scene <= 1 / 12, np.sqrt(3 * scene), 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    )


HDR = {"PQ": (16, pq_code), "HLG": (18, hlg_code)}


def write_hdr(path: Path, frames: list[Frame], transfer: str) -> Path:
    """The frames as 10-bit HDR with BT.2020 primaries, their white at 203 cd/m²."""
    to_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
    number_of_transfer, code = HDR[transfer]
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "5"})
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], "yuv420p10le"
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace, context.color_range = number_of_transfer, 9, 9, 1
        for number, frame in enumerate(frames):
            codes = code(203 * (frame / 255.0) ** 2.4 @ to_2020.T)
            picture = av.VideoFrame.from_ndarray(np.round(codes * 65535).astype(np.uint16), format="rgb48le")
            picture = picture.reformat(format="yuv420p10le", dst_colorspace=9, dst_color_range="MPEG")
            picture.pts, picture.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("transfer", ["PQ", "HLG"])
def test_hdr_becomes_the_colours_of_an_ordinary_video(transfer: str, tmp_path: Path) -> None:
    frames = swaying(12)
    source = write_hdr(tmp_path / "hdr.mp4", frames, transfer)
    result = prepare(source, tmp_path / "clip.mp4", size=128, progress=False)
    assert result.info.hdr == transfer
    assert has(f"its colours are HDR ({transfer})", result.warnings)
    shown, meant = next(iterate_frames(source)).astype(float), frames[0].astype(float)
    darker = meant.max(-1) < 210  # highlights above are compressed
    assert np.abs(shown - meant)[darker].mean() < 2.5
    assert np.abs((shown - meant)[darker].mean(0)).max() < 1
    assert shown[~darker].mean() > 190
    np.testing.assert_array_equal(FrameReader(result.clip).read([3]).shape, (1, 128, 128, 3))


def test_an_hdr_portrait_video_of_a_phone_is_tracked(tmp_path: Path) -> None:
    """A video stored sideways with a rotation flag, 10 bits, HLG, has the track of the same pictures upright and ordinary."""
    upright = [np.pad(frame, ((90, 150), (0, 0), (0, 0)), constant_values=90) for frame in swaying(24)]  # (540, 300)
    lying = write_hdr(tmp_path / "lying.mp4", [np.ascontiguousarray(np.rot90(frame, 1)) for frame in upright], "HLG")
    sources = {
        "phone": remux(lying, tmp_path / "phone.mp4", rotation=-90),
        "plain": write_video(tmp_path / "plain.mp4", upright),
    }
    small = TrackerSettings(texture_size=64, texture_frames=8, skin_points=200)
    tracks = {name: track_video(source, tmp_path / name, small, size=128, progress=False) for name, source in sources.items()}
    assert tracks["phone"].info.warnings == (
        "its colours are HDR (HLG); the clip has those of an ordinary video, its highlights compressed",
    )
    assert tracks["plain"].info.warnings == ()
    assert bool(tracks["phone"].valid.all())
    report = (tmp_path / "phone" / "report.html").read_text()
    assert "its colours are HDR (HLG)" in report
    phone, plain = (tracks[name].parameters for name in ("phone", "plain"))
    assert torch.rad2deg((phone.rotation - plain.rotation).abs().mean()) < 1
    assert (phone.expression - plain.expression).abs().mean() < 0.02
    reflectance = [tracks[name].actor.reflectance for name in ("phone", "plain")]
    assert (reflectance[0] - reflectance[1]).abs().mean() < 0.03


def test_transfer_functions_by_the_standards_own_values() -> None:
    """PQ code 0.58 is 203 cd/m² and 0.75 is 983 (BT.2408, table 1); HLG 0.75 is 203 on a display of 1000."""
    pq, hlg = linear_light("PQ"), linear_light("HLG")
    assert pq[round(0.58 * 65535)] == pytest.approx(1.0, rel=0.01)
    assert pq[round(0.75 * 65535)] == pytest.approx(983 / 203, rel=0.01)
    assert hlg[round(0.75 * 65535)] == pytest.approx(1.0, rel=0.01)
    assert hlg[-1] == pytest.approx(1000 / 203, rel=0.01)


def turned(points: torch.Tensor, degrees: float) -> torch.Tensor:
    angle = torch.deg2rad(torch.tensor(degrees))
    x, y, z = (points - points.mean(0)).unbind(-1)
    return torch.stack([x * angle.cos() + z * angle.sin(), y, z * angle.cos() - x * angle.sin()], -1)


def test_a_profile_is_told() -> None:
    face = detect([PORTRAIT], total=1, progress=None).points[0]
    points = torch.stack([turned(face, degrees) for degrees in (0, 20, -20, 60, -65, 70)])
    yes = torch.ones(6, dtype=torch.bool)
    warnings = face_warnings(Landmarks(points * 3, yes), yes, most_faces=1, max_gap_seconds=0.3)
    assert warnings == ["in 3 of 6 frames the head is turned by more than 40°, where half of the face is guessed"]


def test_two_people_who_alternate_are_told(shared_dir: Path) -> None:
    def face_of(name: str, skip: int) -> torch.Tensor:
        frames = (frame for k, frame in enumerate(iterate_frames(shared_dir / "videos" / f"{name}.mp4")) if k >= skip)
        return detect((frame for frame, _ in zip(frames, range(12), strict=False)), total=None, progress=None).points

    first, second, again = face_of("d9", 0), face_of("d10", 0), face_of("d9", 60)
    yes = torch.ones(36, dtype=torch.bool)
    warnings = cut_warnings(Landmarks(torch.cat([first, second, again]), yes), (12, 24), fps=30.0)
    assert "2 cuts (at 0.4, 0.8 s)" in warnings[0]
    assert "the shot from 0.4 s on seems to show another person" in warnings[1]
    assert len(cut_warnings(Landmarks(torch.cat([first, again]), yes[:24]), (12,), fps=30.0)) == 1


@pytest.mark.slow
def test_nothing_is_smoothed_across_the_cut_of_a_spliced_clip(shared_dir: Path, tmp_path: Path) -> None:
    """The pose of the last frame before a cut does not depend on the frames after it."""
    videos = {name: iterate_frames(shared_dir / "videos" / f"{name}.mp4") for name in ("d14", "d6")}
    start = [cv2.resize(frame, (256, 256)) for frame, _ in zip(videos["d14"], range(60), strict=False)]
    end = [cv2.resize(frame, (256, 256)) for frame, _ in zip(videos["d6"], range(60), strict=False)]
    result = prepared(tmp_path, [*start, *end])
    assert result.cuts == (60,)
    made = track(result, TrackerSettings(actor_fraction=0.5), progress=False)
    assert made.info.cuts == (60,)
    steps = torch.linalg.vector_norm(made.parameters.translation.diff(dim=0), dim=1)
    assert float(steps[59]) > 5 * float(steps[[56, 57, 58, 60, 61, 62]].max())
