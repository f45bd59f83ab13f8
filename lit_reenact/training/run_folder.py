"""Folder of one run: its configuration, checkpoints, logs and videos, found again by the same command."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning.pytorch.utilities import rank_zero_only

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import write_text
from lit_reenact.core.split import LAST_FIFTH
from lit_reenact.training.settings import RENAMED, first_difference, flatten

FREE_KEYS = (
    "artifacts.kinds",
    "budget.max_batch_steps",
    "data.loading.workers",
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
"""Settings that may change when a run goes on: how long and on what it trains and what it reports, not what it learns."""

ADDED = {
    "data.split.protocol": LAST_FIFTH,
    "data.loading.reference_gap": 0.5,
    "data.augmentation.omission": 0.0,
    "data.augmentation.hiding": 0.0,
    "model.inputs.references": 0,
    "model.inputs.plate": False,
    "model.generator.texture_channels": 0,
    "model.discriminator.scales": 1,
    **{f"model.losses.{name}": 0.0 for name in ("mouth_adversarial", "eyes_adversarial", "face_lpips", "mouth_lpips")},
}
"""Settings that runs from before them do not name, with the value that they were trained with."""


class AnotherRunError(ReenactError):
    """A run's folder holds a network that was trained with other settings."""


@dataclass(frozen=True)
class RunFolder:
    """Folder of a run, ``OUTPUT/NAME/seed-S``.

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
        """The checkpoint before ``last``, used if ``last`` is damaged."""
        return self.path / "checkpoints" / "previous.ckpt"

    @property
    def saved(self) -> list[Path]:
        """The existing checkpoints to go on from, the newest first."""
        return [path for path in (self.last, self.previous) if path.is_file()]

    @property
    def best(self) -> Path:
        """The checkpoint with the smallest validation error."""
        return self.path / "checkpoints" / "best.ckpt"

    @property
    def written(self) -> tuple[Path, ...]:
        """Files and own folders that a training writes."""
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
        """Return the checkpoint to go on from: ``last``, or ``previous`` if that is damaged; None for a new run.

        Raises:
            ReenactError: all checkpoints are damaged.
        """
        whole = next((path for path in self.saved if is_whole(path)), None)
        if self.saved and whole is None:
            raise ReenactError(f"{self.saved[0]} is damaged: remove {self.path} to train again")
        return whole

    def batch_step(self) -> int:
        """Return the number of batches that the newest checkpoint has seen; 0 without one.

        Raises:
            ReenactError: all checkpoints are damaged.
        """
        return batch_step_of(self.newest())

    def holds(self, config: dict[str, Any]) -> bool:
        """Return whether the folder has this configuration already."""
        try:
            return bool(yaml.safe_load(self.config.read_text()) == config)
        except (OSError, ValueError, yaml.YAMLError):
            return False

    def other_settings(self, config: Mapping[str, Any]) -> str | None:
        """Compare the run in this folder with the settings of a command.

        Args:
            config: every setting of the command, nested, as plain values.

        Returns:
            The difference in words, to follow "a run"; None if there is no run with a checkpoint, or if it has these settings.
        """
        if not self.config.is_file() or not self.saved:
            return None
        before = yaml.safe_load(self.config.read_text())
        old_name = next((name for name, _ in flatten(before) if name in RENAMED), None)
        if old_name is not None:
            return f"of an earlier version of lit_reenact, in which {RENAMED[old_name]} was called {old_name}"
        difference = first_difference({**ADDED, **dict(flatten(before))}, {**ADDED, **dict(flatten(dict(config)))}, FREE_KEYS)
        if difference is None:
            return None
        return f"with {difference.name} = {difference.before}, this command has {difference.now}"

    def claim(self, config: dict[str, Any]) -> None:
        """Write the configuration, unless the folder holds a checkpoint of another one.

        Raises:
            AnotherRunError: it does; the message names the first setting that differs.
        """
        reason = self.other_settings(config)
        if reason is not None:
            raise AnotherRunError(
                f"{self.path} holds a run {reason}: give this run another --name, or remove that folder to train again"
            )
        self._write(config)

    @rank_zero_only
    def _write(self, config: dict[str, Any]) -> None:
        write_text(self.config, yaml.safe_dump(config, sort_keys=False))


def joined_curves(logs: Iterable[Path]) -> dict[str, dict[int, float]]:
    """Return every logged name with its values by batch step.

    Args:
        logs: CSV files, from ``RunFolder.metrics``. Batches that were trained again after a kill count with their last values.
            A row without a batch step belongs to that of the row before.
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


def batch_step_of(checkpoint: Path | None) -> int:
    """Return the number of batches that a checkpoint has seen; 0 for none."""
    return (
        0 if checkpoint is None else int(torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)["batch_step"])
    )


def is_whole(checkpoint: Path) -> bool:
    """Return whether a checkpoint is as it was written, by the checksums of its parts."""
    try:
        with zipfile.ZipFile(checkpoint) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, ValueError):
        return False
