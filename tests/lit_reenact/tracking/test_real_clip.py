"""The tracker on real clips, against measures taken from their landmarks without a face model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lit_reenact.core.geometry import head_to_camera, matrix_to_axis_angle, project
from lit_reenact.core.schema import Actor, Camera
from lit_reenact.core.split import training_frames
from lit_reenact.face import FaceModel, builtin_model, load_face_model
from lit_reenact.landmarks.measures import DEPTH_SCALE
from lit_reenact.rendering.openings import Openness
from lit_reenact.tracking.clip_frames import find_held_frames
from lit_reenact.tracking.energy import length, outer_eye_length
from lit_reenact.tracking.footage import Footage
from lit_reenact.tracking.quality import photometric_error
from lit_reenact.tracking.refinement import refine
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.shape import Fit, Shape, fit_landmarks, smooth_shape
from lit_reenact.tracking.smoothing import Timing
from lit_reenact.tracking.state import State
from lit_reenact.tracking.template import eye_openings, lip_opening
from lit_reenact.tracking.tracked_skin import TrackedSkin
from lit_reenact.tracking.working_clip import prepare
from lit_reenact.video import FrameReader

pytestmark = pytest.mark.slow

CHIN, NASION = 152, 168
LEFT_CORNER, RIGHT_CORNER = 291, 61
SETTINGS = TrackerSettings()
ICT = "assets/ict_facekit.npz"


@dataclass(frozen=True)
class Clip:
    """A real clip and its fit."""

    footage: Footage
    fit: Fit
    shape: Shape
    reader: FrameReader

    @property
    def points(self) -> Tensor:
        """Landmarks (T, 468, 3) without the irises."""
        return self.footage.points[:, :468]

    @property
    def timing(self) -> Timing:
        return self.footage.timing

    @property
    def model(self) -> FaceModel:
        return self.footage.model

    @property
    def camera(self) -> Camera:
        return self.footage.camera

    @cached_property
    def unrefined(self) -> Shape:
        """Smoothed fit to landmarks alone."""
        return smooth_shape(self.fit, self.footage)

    def expression(self, name: str) -> Tensor:
        return self.shape.expression[:, self.model.expression_names.index(name)]

    @property
    def turned_back(self) -> Tensor:
        """Landmarks without the head's rotation."""
        return (self.points * self.points.new_tensor([1, -1, -DEPTH_SCALE])) @ self.shape.rotation

    @property
    def projected(self) -> Tensor:
        """Fitted landmarks (T, 468, 2) in pixels."""
        model, shape = self.model, self.shape
        moved = torch.tensordot(shape.expression, model.at_landmarks(model.expression_basis), dims=1)
        placed = head_to_camera(model.landmarks(shape.neutral) + moved, matrix_to_axis_angle(shape.rotation), shape.translation)
        return project(placed, self.camera)[..., :2]


@pytest.fixture(scope="module")
def clip_of(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("clips")

    @cache
    def landmarks(name: str) -> tuple[Tensor, Timing]:
        prepared = prepare(shared_dir / "videos" / f"{name}.mp4", folder / f"{name}.mp4", size=256, progress=False)
        points = prepared.landmarks.points
        seen = points.isfinite().flatten(1).all(1)
        held = find_held_frames(FrameReader(prepared.clip), SETTINGS.held_difference)
        return points, Timing(seen, prepared.valid, held, float(prepared.info.fps), training_frames(len(points), 0.7))

    @cache
    def load(name: str, face_model: str) -> Clip:
        model = builtin_model() if face_model == "builtin" else load_face_model(str(shared_dir / face_model))
        points, timing = landmarks(name)
        camera = Camera(focal=4.5 * 256, width=256, height=256)
        reader = FrameReader(folder / f"{name}.mp4")
        footage = Footage(points, timing, model, camera, SETTINGS)
        fit = fit_landmarks(footage)
        return Clip(footage, fit, smooth_shape(refine(fit, footage, reader, None).fit, footage), reader)

    def clip_of(name: str, face_model: str = "builtin") -> Clip:
        return load(name, face_model)  # one key of the cache, whether the model is named or not

    return clip_of


def correlation(a: Tensor, b: Tensor) -> float:
    return float(np.corrcoef(a.double().numpy(), b.double().numpy())[0, 1])


@pytest.mark.parametrize(("name", "fitted", "written", "corrected"), [
    ("d9", 0.9, 1.1, 0.6),
    ("d10", 0.9, 1.1, 0.6),
    ("d14", 0.9, 1.1, 0.6),
    ("d6", 1.3, 1.5, 0.75),
])  # fmt: skip
def test_landmarks_are_fitted(clip_of, name: str, fitted: float, written: float, corrected: float) -> None:  # type: ignore[no-untyped-def]
    """Check errors in % of the outer-eye distance: before smoothing, in the track, and with corrective modes when held-out."""
    clip = clip_of(name)
    unseen = clip.timing.actor_frames + int(clip.timing.fps)
    assert clip.shape.fitted_error.nanmean() <= fitted
    assert clip.shape.error.nanmean() <= written
    assert clip.shape.corrected_error[unseen:].nanmean() <= corrected


@pytest.mark.parametrize(("name", "most"), [("d9", 0.998), ("d6", 0.995), ("d10", 0.98), ("d14", 0.98)])
def test_refinement_explains_the_picture_better(clip_of, name: str, most: float) -> None:  # type: ignore[no-untyped-def]
    """Compare held-out frames; each shape learns its own reflectance."""
    clip = clip_of(name)

    def error(shape: Shape) -> Tensor:
        state = State(shape.rotation, shape.translation, shape.expression)
        skin = TrackedSkin(clip.model, clip.camera, shape.neutral, state, clip.reader)
        return photometric_error(skin, clip.timing, SETTINGS).nanmean()

    assert error(clip.shape) <= most * error(clip.unrefined)


@pytest.mark.parametrize(
    ("name", "fitted", "written"), [("d9", 1.0, 1.2), ("d10", 1.0, 1.2), ("d14", 1.0, 1.2), ("d6", 1.4, 1.6)]
)
def test_landmarks_are_fitted_with_ict_facekit(clip_of, name: str, fitted: float, written: float) -> None:  # type: ignore[no-untyped-def]
    clip = clip_of(name, ICT)
    assert clip.shape.fitted_error.nanmean() <= fitted
    assert clip.shape.error.nanmean() <= written
    for eye, side in enumerate(("Left", "Right")):
        least = 0.9 if name in ("d9", "d14") else 0.8
        assert correlation(-clip.expression(f"eyeBlink{side}"), eye_openings(clip.turned_back)[:, eye]) >= least


@pytest.mark.parametrize(("name", "most"), [("d9", 0.65), ("d10", 0.65), ("d14", 0.65), ("d6", 0.65)])
@pytest.mark.parametrize("face_model", ["builtin", ICT])
def test_the_track_is_calmer_than_its_landmarks(clip_of, name: str, most: float, face_model: str) -> None:  # type: ignore[no-untyped-def]
    """Compare mean second differences over time, of all frames and of the quietest third, at little more error."""

    def jitter(points: Tensor) -> Tensor:
        return length(points[2:] - 2 * points[1:-1] + points[:-2]).mean(1)

    clip = clip_of(name, face_model)
    raw = clip.points[..., :2]
    calm, restless = jitter(clip.projected), jitter(raw)
    assert calm.mean() <= most * restless.mean()
    speed = length(raw[2:] - raw[:-2]).mean(1)
    if name in ("d9", "d14"):  # in the others the head never rests
        still = speed <= speed.quantile(0.3)
        assert calm[still].mean() <= 0.55 * restless[still].mean()
    assert clip.shape.error.nanmean() <= clip.shape.fitted_error.nanmean() + 0.3


@pytest.mark.parametrize(("name", "jaw"), [("d9", 0.8), ("d6", 0.8), ("d14", 0.7)])
@pytest.mark.parametrize("face_model", ["builtin", ICT])
def test_jaw_open_is_the_travel_of_the_chin(clip_of, name: str, jaw: float, face_model: str) -> None:  # type: ignore[no-untyped-def]
    clip = clip_of(name, face_model)
    points = clip.turned_back
    drop = length(points[:, CHIN] - points[:, NASION]) / outer_eye_length(points)
    assert correlation(clip.expression("jawOpen"), drop) >= jaw


@pytest.mark.parametrize(("name", "widest"), [("d9", 0.005), ("d14", 0.005), ("d10", 0.02), ("d6", 0.02)])
def test_lips_meet_where_they_are_seen_to_meet(clip_of, name: str, widest: float) -> None:  # type: ignore[no-untyped-def]
    clip = clip_of(name)
    opening, fitted = lip_opening(clip.points[..., :2]), lip_opening(clip.projected)
    assert correlation(opening, fitted) >= 0.97
    closed = opening < 0.01
    assert fitted[closed].mean() <= widest


@pytest.mark.parametrize(("name", "least"), [("d9", 0.9), ("d14", 0.9), ("d10", 0.85), ("d6", 0.8)])
def test_each_eye_blinks_on_its_own(clip_of, name: str, least: float) -> None:  # type: ignore[no-untyped-def]
    clip = clip_of(name)
    for eye, side in enumerate(("Left", "Right")):
        assert correlation(-clip.expression(f"eyeBlink{side}"), eye_openings(clip.turned_back)[:, eye]) >= least


@pytest.mark.parametrize("name", ["d9", "d14"])
def test_pucker_and_smile_are_the_width_of_the_mouth(clip_of, name: str) -> None:  # type: ignore[no-untyped-def]
    clip = clip_of(name)
    points = clip.turned_back
    width = length(points[:, LEFT_CORNER] - points[:, RIGHT_CORNER]) / outer_eye_length(points)
    assert correlation(-clip.expression("mouthPucker"), width) >= 0.8
    assert correlation(clip.expression("mouthSmileLeft") + clip.expression("mouthSmileRight"), width) >= 0.8


@pytest.mark.parametrize("name", ["d6", "d9", "d14"])
def test_shut_eyes_and_closed_lips_are_drawn_closed(clip_of, name: str) -> None:  # type: ignore[no-untyped-def]
    """Clearly open eyes and mouths are drawn with nothing hidden."""
    clip = clip_of(name)
    model, shape = clip.model, clip.shape
    nothing = torch.zeros(0)
    actor = Actor(shape.neutral, shape.identity, nothing, nothing, nothing, nothing)
    drawn = Openness(model, actor)(shape.neutral + torch.tensordot(shape.expression, model.expression_basis, dims=1))
    eyes, lips = eye_openings(clip.points), lip_opening(clip.points)
    usual = eyes.nanmedian(0).values
    assert drawn[:, :2][eyes < 0.3 * usual].mean() < 0.1
    assert drawn[:, :2][eyes > 0.8 * usual].mean() > 0.98
    assert drawn[lips < 0.01, 2].mean() < 0.2
    assert drawn[lips > 0.03, 2].mean() > 0.98
