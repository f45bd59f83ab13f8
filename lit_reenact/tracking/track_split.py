"""Split of a tracked clip, from whose held-out frames the tracker learned nothing either."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import Track
from lit_reenact.core.split import LAST_FIFTH, Split, SplitSettings, temporal_split


def split_track(track: Track, folder: Path, settings: SplitSettings, window: int) -> Split:
    """Return the parts of a tracked clip.

    Args:
        track: track of the clip.
        folder: folder of the track, for messages.
        settings: protocol, and what it leaves open.
        window: frames that a network's window spans, the least that a part may hold.

    Raises:
        ReenactError: a part is too short, or the tracker learned the person from frames after the training part.
    """
    frames, fps = len(track), float(Fraction(track.info.fps))
    split = temporal_split(frames, fps, settings, window)
    learnable = len(temporal_split(frames, fps, replace(settings, training_frames=None), window).train)
    if track.info.actor_frames > learnable:
        raise ReenactError(
            f"the actor of {folder} was estimated from the first {track.info.actor_frames} frames, but the training part of "
            f"{settings.name} ends at frame {learnable}, so the held-out frames would not be unseen: {_advice(settings)}"
        )
    return split


def _advice(settings: SplitSettings) -> str:
    again = f"run `lit-reenact track VIDEO --protocol {settings.protocol}` again"
    own_fractions = settings.protocol == LAST_FIFTH and settings.name != LAST_FIFTH
    return f"choose larger fractions, or {again}" if own_fractions else again
