"""Settings of the tracker: plain values, stored in the track file."""

from __future__ import annotations

from dataclasses import dataclass

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.split import FRACTIONS, LAST_FIFTH, ProtocolName, SplitSettings, temporal_split, training_frames


@dataclass(frozen=True)
class TrackerSettings:
    """Settings of the tracker.

    Attributes:
        face_model: name of the face model.
        focal_factor: focal length over the width of the clip, which FaceMesh landmarks do not determine.
        protocol: name of the split (``core/split.py``) in whose training part everything about the person is learned.
        actor_fraction: share of the clip, from its start, that the protocol last-fifth learns from.
        rim_weight: weight of landmarks on lids, lips and brows, against 1 of an ordinary landmark.
        bone_weight: weight of landmarks that expressions hardly move and that determine the pose, against 1 of an ordinary one.
        gap_weight: weight of the gap between two facing points of lips or lids while it is wide, against 1 of a landmark;
            ``energy.contact_weight`` raises it for a closed gap.
        expression_prior: weight of squared coefficients, against squared residuals in % of the outer-eye distance.
        identity_prior: weight of squared identity coefficients, in prior deviations, against squared mm.
        template_prior: weight of the squared move (mm) of each landmark of the template in its refinement, against its mean
            squared residual in % of the outer-eye distance.
        pose_smoothing: strength of the Whittaker smoother on the pose, at 30 frames per second.
        expression_smoothing: strength of the smoother on the coefficients of brows, cheeks and nose.
        swift_smoothing: strength of the smoother on the coefficients of jaw and lips.
        eye_smoothing: strength of the smoother on the coefficients of blinks, and on the common direction of the eyes.
        squint_smoothing: strength of the smoother on the difference between the eyes.
        light_smoothing: strength of the smoother on the light.
        held_difference: mean difference of two frames, in grey levels of 255, below which the second repeats the first.
        closed_blink: blink coefficient above which the gaze of an eye is not measured but interpolated.
        texture_size: side of the reflectance texture, texels.
        texture_frames: number of training frames that the reflectance is learned from.
        skin_points: number of skin points that light, pose and expression of each frame are fitted to.
        photo_weight: weight of a squared difference in brightness, in % of the skin's own, against that of a landmark's squared
            residual in % of the outer-eye distance, if there were as many points as landmarks.
        light_ridge: strength that holds the mean light of the clip towards an even light.
        light_steadiness: strength that holds the light of each frame towards the mean light of the clip.

    Raises:
        ReenactError: a fraction is given that the protocol does not read.
    """

    face_model: str = "builtin"
    focal_factor: float = 4.5
    protocol: ProtocolName = LAST_FIFTH
    actor_fraction: float = FRACTIONS[0]
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

    def __post_init__(self) -> None:
        if self.protocol != LAST_FIFTH and self.actor_fraction != FRACTIONS[0]:
            raise ReenactError(
                f"tracker.actor_fraction is {self.actor_fraction}, but the protocol {self.protocol} counts frames: leave one out"
            )

    def actor_frames(self, frame_count: int, fps: float) -> int:
        """Return the number of frames, from the start of a clip, that everything about the person is learned from.

        Args:
            frame_count: frames of the clip.
            fps: frames per second of the clip.

        Raises:
            ReenactError: the clip is too short for the protocol.
        """
        if self.protocol == LAST_FIFTH:
            return training_frames(frame_count, self.actor_fraction)
        return len(temporal_split(frame_count, fps, SplitSettings(protocol=self.protocol), window=1).train)
