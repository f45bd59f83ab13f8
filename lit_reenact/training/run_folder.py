"""The folder of one run: its configuration, checkpoints, logs and videos, found again by the same command."""

from __future__ import annotations

import csv
import os
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning.pytorch.utilities import rank_zero_only

from lit_reenact.core.errors import ReenactError

FREE_KEYS = (
    "artifacts.kinds",
    "budget.max_batch_steps",
    "data.workers",
    "health.patience",
    "loggers",
    "throughput.warm_up",
    "trainer.accelerator",
    "trainer.devices",
    "trainer.enable_progress_bar",
    "trainer.num_nodes",
    "trainer.strategy",
    "video.driver",
)
"""What may change when a run goes on: how long and on what it trains and what is told of it, not what it learns."""


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
    def previous(self) -> Path:
        """The checkpoint before ``last``: should that be damaged."""
        return self.path / "checkpoints" / "previous.ckpt"

    @property
    def saved(self) -> list[Path]:
        """The checkpoints to go on from that are there, the newest first."""
        return [path for path in (self.last, self.previous) if path.is_file()]

    @property
    def best(self) -> Path:
        """The checkpoint with the smallest validation error."""
        return self.path / "checkpoints" / "best.ckpt"

    @property
    def written(self) -> tuple[Path, ...]:
        """All that a training writes, as files, and as folders that are its own."""
        return (
            self.config,
            *(self.path / name for name in ("checkpoints", "metrics", "tensorboard", "videos", "wandb", "wandb-id.txt")),
        )

    @property
    def metrics(self) -> tuple[Path, ...]:
        """The CSV logs, one for each time that the run was started, in order."""
        files = self.path.glob("metrics/version_*/metrics.csv")
        return tuple(sorted(files, key=lambda file: int(file.parent.name.removeprefix("version_"))))

    def newest(self) -> Path | None:
        """The checkpoint to go on from: ``last``, or ``previous`` if that is damaged; None for a new run.

        Raises:
            ReenactError: there is no other than damaged ones.
        """
        whole = next((path for path in self.saved if is_whole(path)), None)
        if self.saved and whole is None:
            raise ReenactError(f"{self.saved[0]} is damaged: remove {self.path} to train anew")
        return whole

    def batch_step(self) -> int:
        """How many batches the newest checkpoint has seen; 0 without one.

        Raises:
            ReenactError: as ``newest``.
        """
        return batch_step_of(self.newest())

    def holds(self, config: dict[str, Any]) -> bool:
        """Tell whether this configuration is there already."""
        try:
            return bool(yaml.safe_load(self.config.read_text()) == config)
        except (OSError, ValueError, yaml.YAMLError):
            return False

    def claim(self, config: dict[str, Any]) -> None:
        """Write the configuration, unless the folder holds a checkpoint of another one.

        Raises:
            AnotherRunError: it does; the message names the first setting that differs.
        """
        if self.config.is_file() and self.saved:
            self._refuse_another(config)
        self._write(config)

    @rank_zero_only
    def _write(self, config: dict[str, Any]) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        partial = self.config.with_name(f".{self.config.name}.{os.getpid()}")
        partial.write_text(yaml.safe_dump(config, sort_keys=False))
        os.replace(partial, self.config)

    def _refuse_another(self, config: dict[str, Any]) -> None:
        before, now = dict(flatten(yaml.safe_load(self.config.read_text()))), dict(flatten(config))
        for key in sorted(before.keys() | now.keys()):
            if key not in FREE_KEYS and before.get(key) != now.get(key):
                raise AnotherRunError(
                    f"{self.path} holds a run with {key} = {before.get(key)}, this command has {now.get(key)}: "
                    f"give this run another --name, or remove that folder to train anew"
                )


def joined_curves(logs: Iterable[Path]) -> dict[str, dict[int, float]]:
    """Every logged name with its values by batch step.

    Args:
        logs: ``RunFolder.metrics``. What was trained again after a kill counts as it came out the last time. A row without a
            batch step belongs to that of the row before.
    """
    curves: dict[str, dict[int, float]] = {}
    for path in logs:
        batch_step = 0
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                batch_step = int(float(row.get("batch_step") or batch_step))
                for name in row.keys() - {"batch_step", "step", "epoch"}:
                    if row[name]:
                        curves.setdefault(name, {})[batch_step] = float(row[name])
    return {name: dict(sorted(curve.items())) for name, curve in sorted(curves.items())}


def flatten(config: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested dictionaries as (dotted key, value)."""
    if isinstance(config, dict) and config:
        for key, value in config.items():
            yield from flatten(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, config


def batch_step_of(checkpoint: Path | None) -> int:
    """How many batches a checkpoint has seen; 0 for none."""
    return (
        0 if checkpoint is None else int(torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)["batch_step"])
    )


def is_whole(checkpoint: Path) -> bool:
    """Whether a checkpoint is as it was written, by the checksums of its parts."""
    try:
        with zipfile.ZipFile(checkpoint) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, ValueError):
        return False
