"""Where a training logs to: W&B, without an account if need be, and a CSV file that needs nothing at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only

PROJECT = "lit_reenact"


class BatchStepWandbLogger(WandbLogger):
    """W&B with the batch step as the axis of every curve, in place of Lightning's count of both optimizers' steps."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        self.experiment.log({"batch_step": step, **metrics})


def make_loggers(folder: Path, name: str) -> list[Logger]:
    """Loggers that write into ``folder``; a resumed run goes on under the same W&B id."""
    os.environ.setdefault("WANDB_SILENT", "true")
    import wandb

    wandb_logger = BatchStepWandbLogger(
        name=name,
        project=PROJECT,
        save_dir=folder,
        id=_run_id(folder),
        mode=_wandb_mode(),
        settings=wandb.Settings(console="off"),
    )
    _use_batch_step_axis(wandb_logger)
    return [wandb_logger, CSVLogger(folder, name="metrics")]


@rank_zero_only
def _use_batch_step_axis(logger: WandbLogger) -> None:
    logger.experiment.define_metric("batch_step")
    logger.experiment.define_metric("*", step_metric="batch_step")


def _wandb_mode() -> str:
    """What WANDB_MODE says, else online for somebody who is logged in and offline for everybody else: never a prompt."""
    import wandb

    return os.environ.get("WANDB_MODE") or ("online" if wandb.api.api_key else "offline")


def _run_id(folder: Path) -> str:
    """An id that is drawn once, unless a W&B agent gave one, and stays with the folder."""
    import wandb

    path = folder / "wandb-id.txt"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(os.environ.get("WANDB_RUN_ID") or wandb.util.generate_id())
    return path.read_text()
