"""Settings of a training that cannot be meant, refused when they are read."""

from __future__ import annotations

from typing import Any

from lit_reenact.core.errors import ReenactError
from lit_reenact.training.cluster import refuse_missing_abilities, refuse_missing_devices
from lit_reenact.training.loggers import check_loggers

COMMON = ("window", "placement", "stride", "conditioning", "image_size")
"""What the networks and the data must agree on."""

SMALLEST = {
    "budget.max_batch_steps": 1,
    "checkpoint.every_n_batches": 1,
    "data.batch_size": 1,
    "data.workers": 0,
    "model.clip_norm": 0,
    "model.learning_rate": 0,
    "model.micro_batches": 1,
    "throughput.warm_up": 0,
    "video.every_n_validations": 1,
}
"""Nothing below makes sense; weights of losses are at least 0 too."""

ELSEWHERE = {
    "max_steps": (-1, "is unknown to schedules and the progress bar: set budget.max_batch_steps instead"),
    "logger": (None, "is not read: choose with loggers=[wandb, tensorboard]; a CSV file is always written"),
    "gradient_clip_val": (None, "is of no use to two networks at once: set model.clip_norm instead"),
    "accumulate_grad_batches": (1, "is of no use to two networks at once: set model.micro_batches instead"),
    "check_val_every_n_epoch": (None, "counts epochs, but all else here counts batches: set trainer.val_check_interval instead"),
    "enable_checkpointing": (None, "cannot be chosen: a run always has checkpoints; checkpoint.every_n_batches says how often"),
}
"""Settings of Lightning's trainer whose place another one has taken, with their only value."""


def refuse_contradictions(config: Any) -> None:
    """Compare settings with each other and with this machine.

    Args:
        config: of a training, as it was parsed; before anything is made of it.

    Raises:
        ReenactError: the first that is wrong, by name, with what it contradicts.
    """
    for key in COMMON:
        model, data = config.model[key], config.data[key]
        if model != data:
            raise ReenactError(f"model.{key} is {model}, but data.{key} is {data}: give both the same value")
    _refuse_too_small(config)
    for key, (only, reason) in ELSEWHERE.items():
        if config.trainer[key] != only:
            raise ReenactError(f"trainer.{key} {reason}")
    if config.model.lambda_temporal and not config.data.flow:
        raise ReenactError(f"model.lambda_temporal is {config.model.lambda_temporal}, but data.flow is off: switch it on")
    check_loggers(config.loggers)
    refuse_missing_devices(config.trainer.accelerator, config.trainer.devices, config.trainer.num_nodes)
    refuse_missing_abilities(config.trainer.accelerator, config.trainer.precision, config.trainer.sync_batchnorm)


def _refuse_too_small(config: Any) -> None:
    smallest = SMALLEST | {f"model.{name}": 0 for name in vars(config.model) if name.startswith("lambda_")}
    for key, limit in smallest.items():
        if config[key] < limit:
            raise ReenactError(f"{key} is {config[key]}, but must be at least {limit}")
    if not 0 <= config.ema.decay < 1:
        raise ReenactError(f"ema.decay is {config.ema.decay}, but must be at least 0 and less than 1; 0 does not average")
