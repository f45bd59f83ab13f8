"""The whole tracker on a rendered clip whose parameters are known, with landmarks projected instead of detected."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import sha256_of
from lit_reenact.core.geometry import axis_angle_to_matrix, gaze_direction, head_to_camera, project
from lit_reenact.core.schema import Actor, CropBox, Landmarks, Track
from lit_reenact.face import builtin_model
from lit_reenact.rendering.conditioning import ConditioningRenderer
from lit_reenact.tracking import tracker
from lit_reenact.tracking.tracker import TrackerSettings, track, track_video
from lit_reenact.tracking.working_clip import Prepared
from lit_reenact.video import FrameReader, probe
from tests.factories import make_track

SETTINGS = TrackerSettings(texture_size=64, texture_frames=16, skin_points=400)
FRAMES, GAP = 90, slice(40, 52)


def project_face(made: Track) -> Tensor:
    """Project the landmarks (T, 478, 3) of a track, irises where the eyes look."""
    model, parameters = builtin_model(), made.parameters
    landmarks = model.landmarks_of(made.actor, parameters)
    irises = (made.actor.eyeballs + 10.45 * gaze_direction(parameters.gaze.view(-1, 2, 2)))[:, [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]]
    placed = head_to_camera(torch.cat([landmarks, irises], 1), parameters.rotation, parameters.translation)
    seen = project(placed, made.camera)
    distance = parameters.translation[:, None, 2]
    depth = (seen[..., 2] - distance) * made.camera.focal / distance / 0.8
    return torch.cat([seen[..., :2], depth[..., None]], -1)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[Track, Prepared]:
    folder = tmp_path_factory.mktemp("known")
    made = make_track(folder, frames=FRAMES, size=128, fps=Fraction(30))
    points = project_face(made)
    valid = torch.ones(FRAMES, dtype=torch.bool)
    points[GAP], valid[GAP] = torch.nan, False
    clip = folder / "clip.mp4"
    info = replace(probe(clip), path=Path("known.mp4"))
    return made, Prepared(clip, Landmarks(points, valid), valid, CropBox(0, 0, 128), info, "ab" * 32, ("a warning",))


@pytest.fixture(scope="module")
def found(known: tuple[Track, Prepared]) -> Track:
    return track(known[1], SETTINGS, progress=False)


def correlation(a: Tensor, b: Tensor) -> float:
    return float(np.corrcoef(a.numpy(), b.numpy())[0, 1])


def test_known_parameters_are_found(known: tuple[Track, Prepared], found: Track) -> None:
    made, seen = known[0].parameters, known[1].valid
    turn = axis_angle_to_matrix(found.parameters.rotation).transpose(-1, -2) @ axis_angle_to_matrix(made.rotation)
    angle = torch.rad2deg(torch.acos(((turn.diagonal(dim1=-1, dim2=-2).sum(-1) - 1) / 2).clamp(-1, 1)))[seen]
    assert angle.mean() < 3  # the neutral face is learned from frames that all grimace: a constant turn may remain
    assert found.error[seen].mean() < 1.3
    names = builtin_model().expression_names
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        k = names.index(name)
        assert correlation(found.parameters.expression[seen, k], made.expression[seen, k]) > 0.8, name
    # This face presses its lips through each other where mouthClose exceeds jawOpen; the tracker lets them meet.
    jaw, close = names.index("jawOpen"), names.index("mouthClose")
    parted, known_parted = (e[seen, jaw] - e[seen, close] for e in (found.parameters.expression, made.expression))
    assert correlation(parted, known_parted.clamp(min=0)) > 0.8
    for channel in range(4):
        assert correlation(found.parameters.gaze[seen, channel], made.gaze[seen, channel]) > 0.8


def test_diffuse_image_looks_like_the_frame(known: tuple[Track, Prepared], found: Track) -> None:
    renderer = ConditioningRenderer(builtin_model(), found.actor, found.camera)
    numbers = torch.tensor([5, 30, 70, 85])
    diffuse = renderer(found.parameters[numbers])[:, :3].permute(0, 2, 3, 1).float()
    frames = FrameReader(known[1].clip).read(numbers.tolist()).float()
    skin = (diffuse > 0).any(-1)
    assert (diffuse - frames)[skin].abs().mean() < 12  # of 255, edges of the eyes and the outline included


def test_photometric_error_is_measured_in_held_out_frames(found: Track) -> None:
    """The landmarks are exact, so the image cannot improve the fit and should not spoil it."""
    measured = found.photometric_error.isfinite().all(1)
    assert measured.nonzero().min() >= found.info.actor_frames
    assert measured.sum() == 16
    before, after = found.photometric_error[measured].mean(0).tolist()
    assert after < 1.02 * before < 4


def test_frames_without_a_face_are_interpolated(found: Track) -> None:
    assert bool(found.error[GAP].isnan().all())
    for field in fields(found.parameters):
        assert bool(getattr(found.parameters, field.name).isfinite().all()), field.name
    assert found.info.warnings == ("a warning",)
    assert found.info.actor_frames == 63


def test_actor_does_not_depend_on_held_out_frames(known: tuple[Track, Prepared], found: Track) -> None:
    prepared = known[1]
    points = prepared.landmarks.points.clone()
    points[63:] = points[63:].flip(0) * 1.1
    other = track(replace(prepared, landmarks=replace(prepared.landmarks, points=points)), SETTINGS, progress=False)
    for field in fields(Actor):
        # Even the same clip differs by a few 1e-6, because the order of sums depends on the place of the numbers in memory.
        # The smallest corrective modes are little more than such noise, so their tolerance is larger.
        tolerance = 1e-3 if field.name == "correctives" else 2e-5
        torch.testing.assert_close(getattr(other.actor, field.name), getattr(found.actor, field.name), atol=tolerance, rtol=0)
    assert not torch.equal(other.parameters.rotation[63:], found.parameters.rotation[63:])


def test_no_face_to_learn_from(known: tuple[Track, Prepared]) -> None:
    prepared = known[1]
    points = prepared.landmarks.points.clone()
    points[:63] = torch.nan
    blind = replace(prepared, landmarks=replace(prepared.landmarks, points=points))
    with pytest.raises(ReenactError, match=r"known\.mp4: no face in the first 63 of 90 frames"):
        track(blind, SETTINGS, progress=False)


def test_track_video_writes_three_files_and_reuses_them(
    known: tuple[Track, Prepared], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, folder, prepared = tmp_path / "known.mp4", tmp_path / "out", known[1]
    source.write_bytes(prepared.clip.read_bytes())
    calls: list[Path] = []

    def fake_prepare(source: Path, clip: Path, size: int, progress: bool) -> Prepared:
        calls.append(clip)
        clip.write_bytes(prepared.clip.read_bytes())
        return replace(prepared, clip=clip, source_sha256=sha256_of(source))

    monkeypatch.setattr(tracker, "prepare", fake_prepare)
    first = track_video(source, folder, SETTINGS, size=128, progress=False)
    assert {p.name for p in folder.iterdir()} == {"clip.mp4", "track.safetensors", "report.html", "report.png"}
    again = track_video(source, folder, SETTINGS, size=128, progress=False)
    assert len(calls) == 1
    assert again.info == first.info

    track_video(source, folder, replace(SETTINGS, rim_weight=1.0), size=128, progress=False)
    assert len(calls) == 2
    (folder / "clip.mp4").write_bytes(b"damaged")
    track_video(source, folder, replace(SETTINGS, rim_weight=1.0), size=128, progress=False)
    assert len(calls) == 3


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ReenactError, match="choose another output folder"):
        track_video(tmp_path / "any.mp4", tmp_path / "file" / "track", SETTINGS)
