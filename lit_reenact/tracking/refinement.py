"""Refinement of pose and expression on the image, at points of skin whose reflectance is known from training frames.

The normal equations of E_photo are added to those of the landmarks, so both terms are minimised together. The light, which is
linear, is fitted again at each step.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from lit_reenact.core.facemesh import FACE_POINTS
from lit_reenact.core.parallel import map_in_threads
from lit_reenact.tracking.clip_frames import Chunk, read_in_chunks
from lit_reenact.tracking.complexion import learn_complexion
from lit_reenact.tracking.footage import Footage
from lit_reenact.tracking.landmark_term import POSE
from lit_reenact.tracking.photo_term import KnownSkin, PhotoModel, Picture, linearise, sample_picture
from lit_reenact.tracking.problem import Problem
from lit_reenact.tracking.schedule import REFINE, Stage
from lit_reenact.tracking.shape import Fit
from lit_reenact.tracking.skin_colour import Normal, find_features
from lit_reenact.tracking.smoothing import Timing
from lit_reenact.tracking.solver import gauss_newton_step
from lit_reenact.tracking.state import State, concatenate
from lit_reenact.tracking.tracked_skin import TrackedSkin, sparse_skin, training_spread
from lit_reenact.video import FrameReader


class Refined(NamedTuple):
    """The result of ``refine``.

    Attributes:
        fit: refined pose and expression, and the slope of E_photo there.
        light: (T, 27) light of all T frames, 0 in frames without landmarks.
        colour: distribution of the person's bare skin, in logarithms.
    """

    fit: Fit
    light: Tensor
    colour: Normal


def refine(fit: Fit, footage: Footage, reader: FrameReader, progress: str | None) -> Refined:
    """Minimise E_photo together with the terms of the landmarks, frame by frame, chunk by chunk.

    Args:
        fit: fit to landmarks.
        footage: landmarks, timing, camera, model and settings.
        reader: frames of the clip.
        progress: label of the progress bar; None shows none.
    """
    points, seen = footage.points, footage.timing.seen.nonzero()[:, 0]
    skin, colour = known_skin(fit, footage, reader)
    everywhere = _extend(fit, footage.timing)

    def refine_chunk(chunk: Chunk) -> tuple[State, Tensor, Tensor]:
        state = everywhere[chunk.numbers]
        picture = sample_picture(chunk.frames, state, fit.neutral, skin.points, footage.model, footage.camera)
        state, last = refine_frames(fit.problem, skin, picture, points[chunk.numbers, :FACE_POINTS, :2], state, REFINE)
        return state, last.quadratic.slope[:, POSE:].clone(), last.light

    states, pulls, lights = zip(*map_in_threads(refine_chunk, read_in_chunks(reader, seen, progress)), strict=True)
    light = points.new_zeros(len(points), 27).index_copy(0, seen, torch.cat(lights))
    return Refined(replace(fit, state=concatenate(states), pull=torch.cat(pulls)), light, colour)


def known_skin(fit: Fit, footage: Footage, reader: FrameReader) -> tuple[KnownSkin, Normal]:
    """Learn the reflectance of skin points from training frames, and the distribution of bare skin's colour."""
    model, timing, settings = footage.model, footage.timing, footage.settings
    points = sparse_skin(model, settings)
    tracked = TrackedSkin(model, footage.camera, fit.neutral, _extend(fit, timing), reader)
    samples = tracked.sample(points, training_spread(timing, settings.texture_frames))
    learned = learn_complexion(samples, find_features(model, points), settings)
    skin = KnownSkin(
        points=points,
        neutral=points(fit.neutral[None])[0],
        basis=points(model.expression_basis),
        albedo=learned.albedo,
        reliable=learned.reliable,
        usual=learned.usual,
        steadiness=settings.light_steadiness,
        weight=settings.photo_weight * FACE_POINTS / int(learned.reliable.sum()),
    )
    return skin, learned.colour


def refine_frames(
    problem: Problem, skin: KnownSkin, picture: Picture, observed: Tensor, state: State, stages: tuple[Stage, ...]
) -> tuple[State, PhotoModel]:
    """Run Gauss-Newton on all terms together.

    Args:
        problem: fit to landmarks.
        skin: skin points with their reflectance.
        picture: images of T frames.
        observed: (T, L, 2) landmarks, pixels.
        state: pose and expression to start from.
        stages: schedule, in order.

    Returns:
        pose and expression, and E_photo linearised about them.
    """
    photo = linearise(problem, skin, picture, picture.weight * skin.reliable, state)
    for stage in stages:
        for _ in range(stage.iterations):
            state = gauss_newton_step(problem, observed, state, stage, photo.quadratic)
            photo = linearise(problem, skin, picture, photo.weight, state)
    return state, photo


def _extend(fit: Fit, timing: Timing) -> State:
    """Extend a fit to all T frames: a frame without landmarks repeats the last one with them."""
    rank = timing.seen.cumsum(0) - 1  # of a frame among the seen ones
    return fit.state[rank.clamp_min(0)]
