"""A training that starts from what another one has learned on other clips."""

from __future__ import annotations

from pathlib import Path

from lit_reenact.core.errors import ReenactError
from lit_reenact.training.checkpoint import load_networks, read_checkpoint
from lit_reenact.training.module import ReenactModule
from lit_reenact.training.settings import first_difference

IMAGE_SIZE = "inputs.image_size"

FREE = (IMAGE_SIZE, "generator.dropout", "discriminator.scales")
"""Settings of the networks that may differ: weights learned with others mean the same."""


def start_from(module: ReenactModule, checkpoint: Path) -> None:
    """Give the networks of a new training the weights of a checkpoint, the generator its averaged ones.

    The mean frame stays that of the module: it belongs to the clips. So do optimizers and the count of batch steps. Everybody's
    neural texture starts from the mean of those in the checkpoint.

    Args:
        module: networks that are not trained yet.
        checkpoint: path of a file written by ``lit-reenact fit``. A discriminator that it was trained without keeps its
            random weights.

    Raises:
        ReenactError: there is no such file, it is no checkpoint of this project, or its networks are not the module's.
    """
    trained = load_networks(checkpoint, read_checkpoint(checkpoint))
    shared = [name for name in module.discriminators if name in trained.discriminators]
    _refuse_other_networks(trained, module, checkpoint, ("inputs", "generator", *(["discriminator"] if shared else [])), FREE)
    weights = trained.generator.state_dict()
    if weights.keys() != module.generator.state_dict().keys():  # a map of 1x1 is not normalised
        _refuse_other_networks(trained, module, checkpoint, ("inputs",), ())
    weights |= {name: buffer for name, buffer in module.generator.named_buffers(recurse=False) if name in weights}
    module.generator.load_state_dict(weights)
    if module.generator.texture is not None:
        module.generator.texture.set_actors(1)  # the training makes room for its own persons
    for name in shared:
        module.discriminators[name].load_state_dict(trained.discriminators[name].state_dict())


def _refuse_other_networks(
    trained: ReenactModule, module: ReenactModule, checkpoint: Path, groups: tuple[str, ...], free: tuple[str, ...]
) -> None:
    before, now = ({name: one.hparams[name] for name in groups} for one in (trained, module))
    difference = first_difference(before, now, free)
    if difference is not None:
        raise ReenactError(
            f"{checkpoint} has other networks: it was trained with model.{difference.name} = {difference.before}, this command "
            f"has {difference.now}; give both the same value, or train without --init_from"
        )
