"""Training checkpoints: read as tensors alone, and turned into networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from lit_reenact.core.errors import ReenactError
from lit_reenact.training.module import ReenactModule
from lit_reenact.training.settings import module_settings


def load_networks(checkpoint: Path, state: dict[str, Any]) -> ReenactModule:
    """Return the networks of a training checkpoint, the generator with its averaged weights where it has them.

    Args:
        checkpoint: path of the file, for the message.
        state: content of the file, from ``read_checkpoint``.

    Raises:
        ReenactError: the weights do not fit the checkpoint's own settings.
    """
    try:
        module = ReenactModule(**module_settings(state["hyper_parameters"]))
        module.load_state_dict(state["state_dict"])
        if state.get("generator_ema"):
            module.generator.load_state_dict(state["generator_ema"])
    except (KeyError, TypeError, ValueError, RuntimeError, ReenactError) as error:
        reason = str(error).splitlines()[0]
        raise ReenactError(
            f"{checkpoint} does not match the network that its settings describe ({reason}): train it again"
        ) from error
    return module


def read_checkpoint(checkpoint: Path) -> dict[str, Any]:
    """Return the content of a training checkpoint, read as tensors and plain values alone.

    Raises:
        ReenactError: there is no such file, or it is no checkpoint of this project.
    """
    if not checkpoint.is_file():
        raise ReenactError(f"{checkpoint}: no such checkpoint; `lit-reenact fit` writes checkpoints/last.ckpt in its run folder")
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises many kinds, all of which mean the same to the user
        raise ReenactError(f"{checkpoint} is damaged or no checkpoint of lit_reenact: choose another, or train again") from error
    if not isinstance(state, dict) or "state_dict" not in state or "hyper_parameters" not in state:
        raise ReenactError(f"{checkpoint} is no checkpoint of lit_reenact: choose one that `lit-reenact fit` wrote")
    return state
