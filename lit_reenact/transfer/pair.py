"""The two tracks of a transfer, checked and brought together."""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import Actor, FaceParameters, Track
from lit_reenact.transfer.channels import amplify, play, smooth
from lit_reenact.transfer.policy import ChannelPolicy, TransferPolicy

SHORTEST = 1.0
"""Shortest source, seconds, whose mean counts as typical of it."""


@dataclass(frozen=True)
class Pair:
    """Parameters that the modes of a policy choose from.

    Attributes:
        source: T frames of the source.
        target: T frames of the target, played forward and back.
        training: training frames of the target that show a face.
        references: reference frame of the source, reference frame of the target; one frame each.
        source_actor: actor of the source.
        target_actor: actor of the target.
        fps: frames per second of the result.
        cuts: first frame after every cut of the result.
    """

    source: FaceParameters
    target: FaceParameters
    training: FaceParameters
    references: tuple[FaceParameters, FaceParameters]
    source_actor: Actor
    target_actor: Actor
    fps: float
    cuts: tuple[int, ...]

    def channel(self, name: str) -> tuple[Tensor, Tensor, Tensor, tuple[Tensor, Tensor]]:
        """Return one channel of source, target, training and references, as ``follow`` takes them."""
        source, target, training, *references = (
            getattr(parameters, name) for parameters in (self.source, self.target, self.training, *self.references)
        )
        return source, target, training, (references[0][0], references[1][0])

    def finish(self, values: Tensor, rest: Tensor, policy: ChannelPolicy) -> Tensor:
        """Apply the gain and the smoothing of a policy to a channel (T, C) with the rest value (C,)."""
        return smooth(amplify(values, rest, policy.gain), policy.smoothing * self.fps, self.cuts)


def timing_track(source: Track | None, target: Track, policy: TransferPolicy) -> Track:
    """Return the track whose length and frame rate the result has.

    Raises:
        ReenactError: the policy needs a source, but there is none.
    """
    if not policy.needs_source:
        return target
    if source is None:
        needy = [name for name, channel in policy.channels.items() if channel.mode not in ("target", "typical", "camera")]
        raise ReenactError(f"this transfer needs a source, for {', '.join(needy)}: give one, or the preset 'eye-contact'")
    return source


def is_same_recording(source: Track, target: Track) -> bool:
    """Return whether two tracks show the same clip with equal actors, by the clips' hashes and the actors' values."""
    alike = (torch.equal(getattr(source.actor, f.name), getattr(target.actor, f.name)) for f in fields(Actor))
    return source.info.clip_sha256 == target.info.clip_sha256 and all(alike)


def make_pair(source: Track, target: Track, policy: TransferPolicy) -> Pair:
    """Check two tracks against a policy, and bring them together.

    Raises:
        ReenactError: the face models differ, frames of two rates would be shown together, the source is too short for a mean,
            no training frame of the target shows a face, or a reference frame does not exist.
    """
    if source.info.face_model_hash != target.info.face_model_hash:
        raise ReenactError(
            f"{source.info.source} was tracked with the face model {source.info.face_model} ({source.info.face_model_hash}) and "
            f"{target.info.source} with {target.info.face_model} ({target.info.face_model_hash}): track both with the same one"
        )
    fps, fps_of_target = Fraction(source.info.fps), Fraction(target.info.fps)
    if policy.plays_target and fps != fps_of_target:
        raise ReenactError(
            f"{source.info.source} has {float(fps):g} frames per second and {target.info.source} {float(fps_of_target):g}, and "
            "this transfer shows frames of both at once: bring the tracks to one rate first"
        )
    if policy.modes & {"relative", "matched"} and len(source) < SHORTEST * fps:
        raise ReenactError(
            f"{source.info.source} lasts {len(source) / float(fps):.2g} s, too short for a typical pose and expression, which "
            f"the modes 'relative' and 'matched' start from: give {SHORTEST:g} s or more, or choose 'reference' or 'source'"
        )
    training = target.parameters[: target.info.actor_frames][target.valid[: target.info.actor_frames]]
    if not len(training):
        raise ReenactError(f"no training frame of {target.info.source} shows a face: track a clip that does")
    return Pair(
        source=source.parameters,
        target=target.parameters[play(len(target), len(source))],
        training=training,
        references=(
            _reference_frame(source, policy.reference, policy),
            _reference_frame(target, policy.target_reference, policy),
        ),
        source_actor=source.actor,
        target_actor=target.actor,
        fps=float(fps),
        cuts=transferred_cuts(source, target, policy),
    )


def _reference_frame(track: Track, number: int, policy: TransferPolicy) -> FaceParameters:
    """Return the reference frame of a track; the first frame if the policy needs none."""
    if "reference" not in policy.modes:
        number = 0
    if number >= len(track):
        raise ReenactError(f"the reference frame {number} is not among the {len(track)} frames of {track.info.source}")
    return track.parameters[number : number + 1]


def transferred_cuts(source: Track | None, target: Track, policy: TransferPolicy) -> tuple[int, ...]:
    """Return the first frame after every cut of the result of ``transfer``: cuts of the source, and of the target if it plays."""
    timing = timing_track(source, target, policy)
    cuts = set(timing.info.cuts if policy.needs_source else ())
    if policy.plays_target:
        borders = torch.tensor(target.info.cuts, dtype=torch.int64)
        shot = torch.bucketize(play(len(target), len(timing)), borders, right=True)
        cuts |= set(((shot.diff() != 0).nonzero()[:, 0] + 1).tolist())
    return tuple(sorted(cuts))
