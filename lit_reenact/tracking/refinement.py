"""E_photo: pose and expression refined on the image, at points of skin whose reflectance is known from training frames.

What a point shows is compared with its reflectance under the light of the frame, and moved along the slope of the image. The
normal equations are added to those of the landmarks, so both terms are minimised together; the light, which is linear, is
fitted anew at each step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from lit_reenact.core.geometry import flip
from lit_reenact.core.parallel import side_by_side
from lit_reenact.core.schema import Camera
from lit_reenact.face import FaceModel
from lit_reenact.face.topology import FACE_POINTS
from lit_reenact.rendering.shading import irradiance
from lit_reenact.tracking import energy, photometric
from lit_reenact.tracking.appearance import Chunk, TrackedSkin, learn_complexion, read_in_chunks, sparse_skin, training_spread
from lit_reenact.tracking.neutral import ROBUST_SCALE
from lit_reenact.tracking.photometric import Samples, SkinPoints
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.shape import Fit
from lit_reenact.tracking.skin_colour import Normal, features
from lit_reenact.tracking.smoothing import Timing
from lit_reenact.tracking.solver import POSE, Problem, Stage, State, joined, normal_equations, step
from lit_reenact.video.io import FrameReader

REFINE = (Stage(iterations=2, robust_scale=ROBUST_SCALE),)
"""Pose and expression from the fit to landmarks."""

COARSENESS = 2
"""Pixels of the clip, along each side, for one in which it is decided what hides what: cheaper, and where skin folds, safer."""

BRIGHTNESS_SCALE = 4.0
"""Difference in brightness, in % of the skin's own, at which a point begins to lose its say: a strand of hair, a highlight."""


@dataclass(frozen=True)
class KnownSkin:
    """Skin points and what is known of them.

    Attributes:
        points: N of them, where they lie in the mesh.
        neutral: (N, 3) on the neutral head, mm.
        basis: (K, N, 3) what each expression adds at coefficient 1.
        albedo: (N, 3) reflectance in [0, 1].
        reliable: bool (N,), points that may be used.
        usual: (1, 27) the usual light, towards which that of each frame is held ...
        steadiness: ... as firmly as this.
        weight: of E_photo, for each point.
    """

    points: SkinPoints
    neutral: Tensor
    basis: Tensor
    albedo: Tensor
    reliable: Tensor
    usual: Tensor
    steadiness: float
    weight: float


@dataclass(frozen=True)
class Picture:
    """What T frames show, and where a first fit sees skin in them.

    Attributes:
        images: (T, 3, H, W) in [0, 1].
        normal: (T, N, 3) of the skin points in head axes.
        weight: (T, N) as ``Samples.weight``.
    """

    images: Tensor
    normal: Tensor
    weight: Tensor


class Linearised(NamedTuple):
    """E_photo about a state of T frames.

    Attributes:
        curvature: (T, 6 + K, 6 + K).
        slope: (T, 6 + K) downhill.
        light: (T, 27) as fitted there.
        weight: (T, N) of the points after what they show there.
    """

    curvature: Tensor
    slope: Tensor
    light: Tensor
    weight: Tensor


class Refined(NamedTuple):
    """What refinement leaves.

    Attributes:
        fit: pose and expression, and how E_photo pulls at them.
        light: (T, 27) of all T frames, 0 where there are no landmarks.
        colour: of the person's bare skin, in logarithms.
    """

    fit: Fit
    light: Tensor
    colour: Normal


def refine(
    fit: Fit,
    points: Tensor,
    timing: Timing,
    model: FaceModel,
    camera: Camera,
    reader: FrameReader,
    settings: TrackerSettings,
    progress: str | None,
) -> Refined:
    """Minimise E_photo together with the terms of the landmarks, frame by frame, chunk by chunk.

    Args:
        fit: to landmarks.
        points: (T, 478, 3) landmarks in pixels, NaN where there are none.
        timing: of the T frames.
        model: face model.
        camera: of the clip.
        reader: the clip.
        settings: see there.
        progress: label of the progress bar; None shows none.
    """
    seen = timing.seen.nonzero()[:, 0]
    skin, colour = known_skin(fit, timing, model, camera, reader, settings)
    everywhere = _everywhere(fit, timing)

    def refined(chunk: Chunk) -> tuple[State, Tensor, Tensor]:
        state = everywhere[chunk.numbers]
        picture = look(chunk.frames, state, fit.neutral, skin.points, model, camera)
        state, last = refine_frames(fit.problem, skin, picture, points[chunk.numbers, :FACE_POINTS, :2], state, REFINE)
        return state, last.slope[:, POSE:].clone(), last.light

    states, pulls, lights = zip(*side_by_side(refined, read_in_chunks(reader, seen, progress)), strict=True)
    light = points.new_zeros(len(points), 27).index_copy(0, seen, torch.cat(lights))
    return Refined(replace(fit, state=joined(states), pull=torch.cat(pulls)), light, colour)


def known_skin(
    fit: Fit, timing: Timing, model: FaceModel, camera: Camera, reader: FrameReader, settings: TrackerSettings
) -> tuple[KnownSkin, Normal]:
    """The skin points of a clip with the reflectance that training frames show at them, and the colour of bare skin."""
    points = sparse_skin(model, settings)
    samples = TrackedSkin(model, camera, fit.neutral, _everywhere(fit, timing), reader).sample(
        points, training_spread(timing, settings.texture_frames)
    )
    learned = learn_complexion(samples, features(model, points), settings)
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


def look(frames: Tensor, state: State, neutral: Tensor, points: SkinPoints, model: FaceModel, camera: Camera) -> Picture:
    """Frames uint8 (T, H, W, 3) as ``Picture``, with skin where the state puts it."""
    mesh = energy.deform(neutral, model.expression_basis, state.expression)
    normal = photometric.skin_normals(model, points, mesh)
    _, placed = energy.place(mesh, state.rotation, state.translation)
    coarse = Camera(camera.focal / COARSENESS, camera.width // COARSENESS, camera.height // COARSENESS)
    weight = photometric.visibility(model, points, placed, _turned(normal, state), coarse)
    return Picture(frames.permute(0, 3, 1, 2).float() / 255, normal, weight)


def refine_frames(
    problem: Problem, skin: KnownSkin, picture: Picture, observed: Tensor, state: State, stages: tuple[Stage, ...]
) -> tuple[State, Linearised]:
    """Gauss-Newton on all terms together; observed: (T, L, 2) landmarks in pixels. Also returns E_photo about the result."""
    photo = linearise(problem, skin, picture, picture.weight * skin.reliable, state)
    for stage in stages:
        for _ in range(stage.iterations):
            curvature, slope = normal_equations(problem, state, observed, stage.robust_scale)
            state = step(problem, state, curvature + photo.curvature, slope + photo.slope, stage.pose)
            photo = linearise(problem, skin, picture, photo.weight, state)
    return state, photo


def linearise(problem: Problem, skin: KnownSkin, picture: Picture, weight: Tensor, state: State) -> Linearised:
    """E_photo about a state, with light fitted under the given weights (T, N)."""
    turned, placed = energy.place(energy.deform(skin.neutral, skin.basis, state.expression), state.rotation, state.translation)
    colour, gradient = colour_and_gradient(picture.images, energy.project_landmarks(placed, problem.camera))
    normal = _turned(picture.normal, state)
    light = photometric.fit_light(Samples(colour, normal, weight), skin.albedo, skin.steadiness, skin.usual)
    unit = skin.albedo[skin.reliable].mean() / 100  # % of the skin's brightness
    residual = (skin.albedo * irradiance(normal, light) - colour).mean(-1) / unit  # (T, N)
    weight = picture.weight * skin.reliable * energy.geman_mcclure_weight(residual[..., None], BRIGHTNESS_SCALE)
    by_point = energy.brightness_jacobian(gradient / unit, energy.projection_jacobian(placed, problem.camera))
    by_pose = energy.pose_jacobian(turned, by_point, state.translation)
    by_expression = energy.expression_jacobian(by_point, state.rotation, skin.basis)
    derivative = torch.cat([by_pose, by_expression], -1).squeeze(2)  # (T, N, 6 + K)
    weighted = (derivative * (skin.weight * weight)[..., None]).transpose(-1, -2)
    slope = (weighted @ residual[..., None]).squeeze(-1)
    return Linearised(weighted @ derivative, slope, light, weight)


def colour_and_gradient(images: Tensor, pixel: Tensor) -> tuple[Tensor, Tensor]:
    """Images (T, C, H, W) at pixels (T, N, 2): (T, N, C), and the central differences of their mean by x and y, (T, N, 2)."""
    steps = pixel.new_tensor([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
    found = photometric.look_up(images, (pixel + steps[:, None, None]).transpose(0, 1).flatten(1, 2))  # (T, 5 N, C)
    colour, right, left, below, above = found.view(len(images), len(steps), -1, images.shape[1]).unbind(1)
    return colour, torch.stack([right - left, below - above], -1).mean(2) / 2


def _everywhere(fit: Fit, timing: Timing) -> State:
    """The fit of all T frames; one without landmarks has that of the last frame with them."""
    rank = timing.seen.cumsum(0) - 1  # of a frame among the seen ones
    return fit.state[rank.clamp_min(0)]


def _turned(normal: Tensor, state: State) -> Tensor:
    """Normals (T, N, 3) in head axes to camera axes."""
    return (normal @ state.rotation.transpose(-1, -2)) * flip(normal)
