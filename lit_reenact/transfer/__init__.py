"""Transfer of motion between two actors: ``FaceParameters`` in, ``FaceParameters`` out, nothing else.

The network never knows which of these functions ran; it sees only the images rendered from their result.
"""

from __future__ import annotations

from lit_reenact.transfer.pair import transferred_cuts
from lit_reenact.transfer.policy import ChannelPolicy, Mode, TransferPolicy
from lit_reenact.transfer.presets import PRESETS, load_policy, policy_of
from lit_reenact.transfer.recombination import expression_part, reenact, transfer
from lit_reenact.transfer.relative import (
    REACH,
    UNSURE_TURN,
    limit_softly,
    mean_rotation,
    neck,
    transfer_rotation,
    transfer_translation,
)
from lit_reenact.transfer.resampling import frames_at_rate, resample, resample_track, resampled_cuts

__all__ = [
    "PRESETS",
    "REACH",
    "UNSURE_TURN",
    "ChannelPolicy",
    "Mode",
    "TransferPolicy",
    "expression_part",
    "frames_at_rate",
    "limit_softly",
    "load_policy",
    "mean_rotation",
    "neck",
    "policy_of",
    "reenact",
    "resample",
    "resample_track",
    "resampled_cuts",
    "transfer",
    "transfer_rotation",
    "transfer_translation",
    "transferred_cuts",
]
