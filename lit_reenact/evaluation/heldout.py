"""The held-out split: the parts of a clip that the training of a checkpoint did and did not use."""

from __future__ import annotations

from pathlib import Path

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.split import LAST_FIFTH, ProtocolName, Split, SplitSettings
from lit_reenact.tracking.track_split import split_track
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.training.checkpoint import read_checkpoint
from lit_reenact.training.settings import split_settings


def held_out_split(
    target: TrackedClip, checkpoint: Path | None = None, window: int = 1, protocol: ProtocolName | None = None
) -> Split:
    """Return the training, validation and test parts of a clip, exactly as a checkpoint's own training had them.

    Demo, evaluation, edits and ablations all take their split from here, so that none of them measures a training frame.

    Args:
        target: clip to split.
        checkpoint: training checkpoint, whose own data settings decide; None if there is none.
        window: frames of the clip that one window of the network spans.
        protocol: name of the split; None for that of the checkpoint, or for the default without one.

    Raises:
        ReenactError: the checkpoint cannot be read or was trained with another protocol, a part of the clip is shorter than a
            window, or the tracker learned from held-out frames.
    """
    if checkpoint is None:
        settings = SplitSettings(protocol=protocol or LAST_FIFTH)
    else:
        settings = split_settings(read_checkpoint(checkpoint).get("datamodule_hyper_parameters", {}))
        if protocol is not None and protocol != settings.name:
            raise ReenactError(
                f"{checkpoint} was trained with the split {settings.name}, so its training may have seen frames that --protocol "
                f"{protocol} tests: leave the option out, or train with `lit-reenact fit --protocol {protocol}`"
            )
    return split_track(target.track, target.folder, settings, window)
