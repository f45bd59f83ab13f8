"""The two tracks that a transfer brings together, checked."""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import Actor, FaceParameters, Track
from lit_reenact.transfer.channels import amplify, play, smooth
from lit_reenact.transfer.policy import ChannelPolicy, TransferPolicy

USUAL = 1.0
"""Seconds that a source must show before its mean says what is usual for it."""


@dataclass(frozen=True)
class Pair:
    """What a policy chooses from.

    Attributes:
        driving: the T frames of the source.
        played: T frames of the target.
        seen: the target's training frames.
        rest: the reference frames of the source and of the target, one each.
        actor: the target's.
        driver: the source's actor.
        fps: frames per second of the result.
        cuts: of the result.
    """

    driving: FaceParameters
    played: FaceParameters
    seen: FaceParameters
    rest: tuple[FaceParameters, FaceParameters]
    actor: Actor
    driver: Actor
    fps: float
    cuts: tuple[int, ...]

    def of(self, channel: str) -> tuple[Tensor, Tensor, Tensor, tuple[Tensor, Tensor]]:
        """One channel of all of them, as ``follow`` takes it."""
        driving, played, seen, *rest = (getattr(p, channel) for p in (self.driving, self.played, self.seen, *self.rest))
        return driving, played, seen, (rest[0][0], rest[1][0])

    def finished(self, values: Tensor, rest: Tensor, policy: ChannelPolicy) -> Tensor:
        """With the gain and the smoothing of the policy."""
        return smooth(amplify(values, rest, policy.gain), policy.smoothing * self.fps, self.cuts)


def driver_of(source: Track | None, target: Track, policy: TransferPolicy) -> Track:
    """Whose length and rate the result has."""
    if not policy.needs_source:
        return target
    if source is None:
        needy = [name for name, channel in policy.channels.items() if channel.mode not in ("target", "typical", "camera")]
        raise ReenactError(f"this transfer needs a source, for {', '.join(needy)}: give one, or the preset 'eye-contact'")
    return source


def same_recording(source: Track, target: Track) -> bool:
    """Whether both are the same person's in the same clip, tracked alike: told by the clip's hash and the actor's values."""
    alike = (torch.equal(getattr(source.actor, f.name), getattr(target.actor, f.name)) for f in fields(Actor))
    return source.info.clip_sha256 == target.info.clip_sha256 and all(alike)


def checked_pair(source: Track, target: Track, policy: TransferPolicy) -> Pair:
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
    if policy.modes & {"relative", "matched"} and len(source) < USUAL * fps:
        raise ReenactError(
            f"{source.info.source} lasts {len(source) / float(fps):.2g} s, too short to tell what is usual for it, which the "
            f"modes 'relative' and 'matched' start from: give {USUAL:g} s or more, or choose 'reference' or 'source'"
        )
    seen = target.parameters[: target.info.actor_frames][target.valid[: target.info.actor_frames]]
    if not len(seen):
        raise ReenactError(f"no training frame of {target.info.source} shows a face: track a clip that does")
    return Pair(
        driving=source.parameters,
        played=target.parameters[play(len(target), len(source))],
        seen=seen,
        rest=(_frame(source, policy.reference, policy), _frame(target, policy.target_reference, policy)),
        actor=target.actor,
        driver=source.actor,
        fps=float(fps),
        cuts=transferred_cuts(source, target, policy),
    )


def _frame(track: Track, number: int, policy: TransferPolicy) -> FaceParameters:
    """The reference frame of a track; some frame if the policy asks for none."""
    if "reference" not in policy.modes:
        number = 0
    if number >= len(track):
        raise ReenactError(f"the reference frame {number} is not among the {len(track)} frames of {track.info.source}")
    return track.parameters[number : number + 1]


def transferred_cuts(source: Track | None, target: Track, policy: TransferPolicy) -> tuple[int, ...]:
    """The first frame after every cut of what ``transfer`` gives: of the source's, and of the target's frames that it plays."""
    driver = driver_of(source, target, policy)
    cuts = set(driver.info.cuts if policy.needs_source else ())
    if policy.plays_target:
        borders = torch.tensor(target.info.cuts, dtype=torch.int64)
        shot = torch.bucketize(play(len(target), len(driver)), borders, right=True)
        cuts |= set(((shot.diff() != 0).nonzero()[:, 0] + 1).tolist())
    return tuple(sorted(cuts))
