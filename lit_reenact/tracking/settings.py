"""How a clip is tracked: plain values, stored in the track file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrackerSettings:
    """Settings of the tracker.

    Attributes:
        face_model: name of the face model.
        focal_factor: focal length over the width of the clip; FaceMesh landmarks do not tell it.
        actor_fraction: the first part of the clip, from which everything about the person is learned.
        rim_weight: say of landmarks on lids, lips and brows, against 1 of all others.
        bone_weight: the same of those that expressions hardly move, which tell the pose.
        gap_weight: say of the gap between two facing points of the lips or lids against 1 of a landmark, while it is wide; the
            nearer to closed, the more (``energy.contact_weight``).
        expression_prior: weight of squared coefficients, against squared residuals in % of the outer-eye distance.
        identity_prior: weight of squared identity coefficients, in prior deviations, against squared mm.
        template_prior: how firmly the template resists its refinement: weight of a squared mm of each landmark, against its mean
            squared residual in % of the outer-eye distance.
        pose_smoothing: strength of the Whittaker smoother on the pose, at 30 frames per second.
        expression_smoothing: the same on the coefficients of brows, cheeks and nose.
        swift_smoothing: the same on those of jaw and lips.
        eye_smoothing: the same on those of blinks, and on the common direction of the eyes.
        squint_smoothing: the same on the difference between the eyes.
        light_smoothing: the same on the light.
        held_difference: mean difference of two frames, in grey levels of 255, below which the second repeats the first.
        closed_blink: blink coefficient above which an eye's gaze is not measured but interpolated.
        texture_size: side of the reflectance texture.
        texture_frames: training frames that the reflectance is learned from.
        skin_points: points of the skin that light, pose and expression of each frame are fitted to.
        photo_weight: say of a squared difference in brightness, in % of the skin's own, against that of a landmark's squared
            residual in % of the outer-eye distance; as if there were as many points as landmarks.
        light_ridge: how firmly the mean light of the clip is held towards an even one.
        light_steadiness: how firmly the light of each frame is held towards that mean.
    """

    face_model: str = "builtin"
    focal_factor: float = 4.5
    actor_fraction: float = 0.7
    rim_weight: float = 2.0
    bone_weight: float = 2.0
    gap_weight: float = 3.0
    expression_prior: float = 60.0
    identity_prior: float = 50.0
    template_prior: float = 0.05
    pose_smoothing: float = 0.8
    expression_smoothing: float = 0.5
    swift_smoothing: float = 0.2
    eye_smoothing: float = 0.1
    squint_smoothing: float = 1.0
    light_smoothing: float = 100.0
    held_difference: float = 0.25
    closed_blink: float = 0.6
    texture_size: int = 256
    texture_frames: int = 64
    skin_points: int = 1000
    photo_weight: float = 0.25
    light_ridge: float = 0.003
    light_steadiness: float = 0.03
