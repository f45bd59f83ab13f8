"""The folder of one run: its configuration, checkpoints, logs and videos, found again by the same command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from lit_reenact.errors import ReenactError
from lit_reenact.schema import CONDITIONING

FREE_KEYS = (
    "budget.max_batch_steps",
    "data.workers",
    "trainer.accelerator",
    "trainer.devices",
    "trainer.enable_progress_bar",
    "trainer.num_nodes",
)
"""What may change when a run goes on: how long and on what it trains, not what it learns."""


EARLIER = {"model.conditioning": list(CONDITIONING), "data.conditioning": list(CONDITIONING)}
"""What runs had before there was a setting for it."""


class AnotherRunError(ReenactError):
    """A run's folder holds a network that was trained with other settings."""


@dataclass(frozen=True)
class RunFolder:
    """Where a run lives: ``OUTPUT/NAME/seed-S``.

    Attributes:
        path: the folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """Every setting of the run, as plain YAML."""
        return self.path / "config.yaml"

    @property
    def last(self) -> Path:
        """The checkpoint to resume from."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def best(self) -> Path:
        """The checkpoint with the smallest validation error."""
        return self.path / "checkpoints" / "best.ckpt"

    @property
    def metrics(self) -> tuple[Path, ...]:
        """The CSV logs, one for each time that the run was started, in order."""
        files = self.path.glob("metrics/version_*/metrics.csv")
        return tuple(sorted(files, key=lambda file: int(file.parent.name.removeprefix("version_"))))

    def batch_step(self) -> int:
        """How many batches the last checkpoint has seen; 0 without one.

        Raises:
            ReenactError: the checkpoint is damaged.
        """
        if not self.last.is_file():
            return 0
        try:
            return int(torch.load(self.last, map_location="cpu", weights_only=True, mmap=True)["batch_step"])
        except Exception as error:  # torch.load raises many kinds, all of which mean the same to the user
            raise ReenactError(f"{self.last} is damaged: remove {self.path} to train anew") from error

    def claim(self, config: dict[str, Any]) -> None:
        """Write the configuration, unless the folder holds a checkpoint of another one.

        Raises:
            AnotherRunError: it does; the message names the first setting that differs.
        """
        if self.last.is_file() and self.config.is_file():
            self._refuse_another(config)
        self.path.mkdir(parents=True, exist_ok=True)
        partial = self.config.with_name(f".{self.config.name}.{os.getpid()}")
        partial.write_text(yaml.safe_dump(config, sort_keys=False))
        os.replace(partial, self.config)

    def _refuse_another(self, config: dict[str, Any]) -> None:
        before, now = EARLIER | dict(flatten(yaml.safe_load(self.config.read_text()))), dict(flatten(config))
        for key in sorted(before.keys() | now.keys()):
            if key not in FREE_KEYS and before.get(key) != now.get(key):
                raise AnotherRunError(
                    f"{self.path} holds a run with {key} = {before.get(key)}, this command has {now.get(key)}: "
                    f"give this run another --name, or remove that folder to train anew"
                )


def flatten(config: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested dictionaries as (dotted key, value)."""
    if isinstance(config, dict) and config:
        for key, value in config.items():
            yield from flatten(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, config
