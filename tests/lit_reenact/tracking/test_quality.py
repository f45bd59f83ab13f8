"""Figures of a track: jitter, projected landmarks, photometric gain and skin error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lit_reenact.core.geometry import axis_angle_to_matrix
from lit_reenact.core.schema import LANDMARK_COUNT, Landmarks
from lit_reenact.face import builtin_model
from lit_reenact.tracking.quality import jitter, jitter_ratio, photometric_gain, projected_landmarks, skin_error
from lit_reenact.tracking.trackfile import CLIP_NAME, load_track
from lit_reenact.video import FrameReader


def test_jitter_is_the_second_difference_by_hand() -> None:
    points = torch.zeros(5, 2, 2)
    points[:, 0, 0] = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0])  # uniform motion is no jitter
    points[2, 1] = torch.tensor([3.0, 4.0])  # one of two points jumps 5 pixels and back
    assert jitter(points)[1:-1].tolist() == [2.5, 5.0, 2.5]
    assert jitter(points)[[0, -1]].isnan().all()
    assert jitter(points[:2]).isnan().all()


def test_landmarks_are_projected_by_the_conventions(track_folder: Path) -> None:
    track, model = load_track(track_folder), builtin_model()
    frame, landmark = 30, 4
    head = model.mesh(track.actor, track.parameters)[frame, landmark].double()
    turned = axis_angle_to_matrix(track.parameters.rotation[frame]).double() @ head
    x, y, z = turned * torch.tensor([1.0, -1.0, -1.0]) + track.parameters.translation[frame]
    expected = torch.stack([x, y]) * track.camera.focal / z + track.camera.width / 2
    torch.testing.assert_close(projected_landmarks(track, model)[frame, landmark].double(), expected, atol=1e-3, rtol=0)


def test_a_track_that_repeats_its_landmarks_has_their_jitter(track_folder: Path) -> None:
    track, model = load_track(track_folder), builtin_model()
    points = torch.zeros(len(track), LANDMARK_COUNT, 3)
    points[:, :468, :2] = projected_landmarks(track, model)
    landmarks = Landmarks(points, torch.ones(len(track), dtype=torch.bool))
    assert jitter_ratio(replace(track, landmarks=landmarks), model) == pytest.approx(1.0, abs=1e-4)
    landmarks = Landmarks(2 * points, landmarks.found)
    assert jitter_ratio(replace(track, landmarks=landmarks), model) == pytest.approx(0.5, abs=1e-4)


def test_photometric_gain_is_described_in_words(track_folder: Path) -> None:
    track = load_track(track_folder)
    error = torch.full((len(track), 2), torch.nan)
    assert "not measured" in photometric_gain(replace(track, photometric_error=error))
    error[100], error[110] = torch.tensor([6.0, 5.0]), torch.tensor([8.0, 6.0])
    told = photometric_gain(replace(track, photometric_error=error))
    assert told.startswith("5.5 of 255 levels")
    assert ", 7.0 with pose and expression from landmarks alone" in told


def test_skin_error_is_small_where_the_clip_is_the_render_and_grows_with_wrong_light(track_folder: Path) -> None:
    track, model, reader = load_track(track_folder), builtin_model(), FrameReader(track_folder / CLIP_NAME)
    numbers = torch.tensor([0, 40])
    right = skin_error(track, model, reader, numbers)
    darker = replace(track, actor=replace(track.actor, reflectance=track.actor.reflectance * 0.8))
    assert (right < 6).all()  # the coding of a 64-pixel clip explains this much
    assert (skin_error(darker, model, reader, numbers) > right + 10).all()
