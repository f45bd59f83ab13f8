"""A training that starts from what another one has learned on other clips."""

from __future__ import annotations

from pathlib import Path

from lit_reenact.core.errors import ReenactError
from lit_reenact.training.checkpoint import load_networks, read_checkpoint
from lit_reenact.training.module import ReenactModule

GENERATOR_SETTINGS = ("conditioning", "window", "placement", "stride", "channels", "levels", "max_channels", "norm", "head")
DISCRIMINATOR_SETTINGS = ("discriminator_channels", "discriminator_layers", "discriminator_norm")
"""Settings of the networks' inputs, layers and output; weights that were learned with others would not mean the same."""


def start_from(module: ReenactModule, checkpoint: Path) -> None:
    """Give the networks of a new training the weights of a checkpoint, the generator its averaged ones.

    The mean frame stays that of the module: it belongs to the clips. So do optimizers and the count of batch steps.

    Args:
        module: not trained yet.
        checkpoint: written by ``lit-reenact fit``. If it was trained without a discriminator, the module's starts anew.

    Raises:
        ReenactError: no such file, not a checkpoint of this project, or networks other than the module's.
    """
    trained = load_networks(checkpoint, read_checkpoint(checkpoint))
    judged = bool(module.lambda_adversarial and trained.lambda_adversarial)
    for name in GENERATOR_SETTINGS + (DISCRIMINATOR_SETTINGS if judged else ()):
        _refuse_another(name, trained, module, checkpoint)
    weights = trained.generator.state_dict()
    if weights.keys() != module.generator.state_dict().keys():  # a map of 1x1 is not normalised
        _refuse_another("image_size", trained, module, checkpoint)
    if "mean_frame" in weights:
        weights["mean_frame"] = module.generator.mean_frame
    module.generator.load_state_dict(weights)
    if judged:
        module.discriminator.load_state_dict(trained.discriminator.state_dict())


def _refuse_another(name: str, trained: ReenactModule, module: ReenactModule, checkpoint: Path) -> None:
    before, now = (_plain(one.hparams[name]) for one in (trained, module))
    if before != now:
        raise ReenactError(
            f"{checkpoint} has other networks: it was trained with model.{name} = {before}, this command has {now}; "
            "give both the same value, or train without --init_from"
        )


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
