"""The held-out split: the parts of a clip that the training of a checkpoint did and did not use."""

from __future__ import annotations

from pathlib import Path

from lit_reenact.core.split import Split, temporal_split
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.training.checkpoint import read_checkpoint
from lit_reenact.training.settings import split_settings


def held_out_split(target: TrackedClip, checkpoint: Path | None = None, window: int = 1) -> Split:
    """Return the training, validation and test parts of a clip, exactly as a checkpoint's own training had them.

    Demo, evaluation, edits and ablations all take their split from here, so that none of them measures a training frame.

    Args:
        target: clip to split.
        checkpoint: training checkpoint, whose own data settings decide; None for the default fractions.
        window: frames of the clip that one window of the network spans.

    Raises:
        ReenactError: the checkpoint cannot be read, or a part of the clip is shorter than a window.
    """
    content = {} if checkpoint is None else read_checkpoint(checkpoint)
    settings = split_settings(content.get("datamodule_hyper_parameters", {}))
    return temporal_split(len(target.track), float(target.fps), settings.fractions, window, settings.training_frames)
