"""Contradictory settings of a training, refused when they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lit_reenact.core.errors import ReenactError
from lit_reenact.losses.settings import WEIGHTS
from lit_reenact.training.cluster import refuse_missing_abilities, refuse_missing_devices
from lit_reenact.training.loggers import check_loggers
from lit_reenact.training.settings import RENAMED, flatten

SMALLEST = {
    "budget.max_batch_steps": 1,
    "checkpoint.every_n_batches": 1,
    "data.batch_size": 1,
    "data.loading.workers": 0,
    **{f"model.losses.{name}": 0 for name in WEIGHTS},
    "model.optimizer.clip_norm": 0,
    "model.optimizer.learning_rate": 0,
    "model.optimizer.micro_batches": 1,
    "throughput.warm_up": 0,
    "video.every_n_validations": 1,
}
"""Smallest value of each setting that makes sense."""

ELSEWHERE = {
    "max_steps": (-1, "is unknown to schedules and the progress bar: set budget.max_batch_steps instead"),
    "logger": (None, "is not read: choose with loggers=[wandb, tensorboard]; a CSV file is always written"),
    "gradient_clip_val": (None, "cannot clip two networks separately: set model.optimizer.clip_norm instead"),
    "accumulate_grad_batches": (1, "does not work with manual optimisation: set model.optimizer.micro_batches instead"),
    "check_val_every_n_epoch": (
        None,
        "counts epochs, but everything else here counts batches: set trainer.val_check_interval instead",
    ),
    "enable_checkpointing": (None, "cannot be chosen: a run always has checkpoints; checkpoint.every_n_batches says how often"),
}
"""Settings of Lightning's trainer that another setting replaces, with their only allowed value."""


def refuse_old_names(words: list[str], files: list[Path]) -> None:
    """Refuse names that settings had in earlier versions.

    Args:
        words: arguments of the command line.
        files: configuration files among them.

    Raises:
        ReenactError: an old name is used; the message has the new one.
    """
    used = [("", word.removeprefix("--").split("=")[0]) for word in words if word.startswith("--")]
    used += [(f"{file}: ", name) for file in files for name, _ in flatten(_content(file))]
    for place, name in used:
        if name in RENAMED:
            raise ReenactError(f"{place}{name} is now {RENAMED[name]}: write that name instead")


def _content(file: Path) -> object:
    """Return the settings of a YAML file; nothing if it cannot be read, which the parser then says."""
    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None


def refuse_contradictions(config: Any) -> None:
    """Compare settings with each other and with this machine.

    Args:
        config: parsed settings of a training, before anything is made of them.

    Raises:
        ReenactError: a setting is wrong; the message names the first one, and what it contradicts.
    """
    _refuse_too_small(config)
    for key, (only, reason) in ELSEWHERE.items():
        if config.trainer[key] != only:
            raise ReenactError(f"trainer.{key} {reason}")
    weight = config.model.losses.temporal
    if weight and not config.data.loading.flow:
        raise ReenactError(f"model.losses.temporal is {weight}, but data.loading.flow is off: switch it on")
    check_loggers(config.loggers)
    refuse_missing_devices(config.trainer.accelerator, config.trainer.devices, config.trainer.num_nodes)
    refuse_missing_abilities(config.trainer.accelerator, config.trainer.precision, config.trainer.sync_batchnorm)


def _refuse_too_small(config: Any) -> None:
    for key, limit in SMALLEST.items():
        if config[key] < limit:
            raise ReenactError(f"{key} is {config[key]}, but must be at least {limit}")
    if not 0 <= config.ema.decay < 1:
        raise ReenactError(f"ema.decay is {config.ema.decay}, but must be at least 0 and less than 1; 0 does not average")
