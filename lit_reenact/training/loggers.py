"""Loggers of a training: always a CSV file, which needs nothing at all; W&B, without an account if need be; TensorBoard."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal
from urllib.error import HTTPError
from urllib.request import urlopen

from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from lit_reenact.core.errors import ReenactError

PROJECT = "lit_reenact"

LoggerName = Literal["csv", "tensorboard", "wandb"]

ANSWER_SECONDS = 5
"""Seconds that the W&B server may take to answer before a run starts offline."""

UPLOAD_SECONDS = 120
"""Seconds that the end of a run waits for the upload to W&B, unless ``WANDB_FINISH_TIMEOUT`` is set."""

_print_once = rank_zero_only(print)


class BatchStepWandbLogger(WandbLogger):
    """W&B logger with the batch step as the axis of every curve, in place of Lightning's count of optimizer steps."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        self.experiment.log({"batch_step": step, **metrics})


class BatchStepTensorBoardLogger(TensorBoardLogger):
    """TensorBoard logger with the batch step as the axis of every curve, which Lightning gives as one less."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        step = int(metrics.get("batch_step", step))
        super().log_metrics({name: value for name, value in metrics.items() if name != "batch_step"}, step)


def check_loggers(names: Sequence[LoggerName]) -> None:
    """Refuse a logger whose package is missing.

    Raises:
        ReenactError: the package of a logger is not installed.
    """
    if "tensorboard" in names and not any(map(find_spec, ("tensorboard", "tensorboardX"))):
        raise ReenactError(
            "loggers names tensorboard, but the package tensorboard is not installed: pip install 'lit_reenact[tensorboard]', "
            "or leave it out"
        )


def make_loggers(
    folder: Path,
    name: str,
    names: Sequence[LoggerName] = ("wandb",),
    batch_step: int | None = None,
    project: str = PROJECT,
) -> list[Logger]:
    """Return loggers that write into ``folder``; a resumed run goes on under the same W&B id.

    Args:
        folder: folder of the run.
        name: name of the run in W&B.
        names: loggers besides the CSV file.
        batch_step: batch step at which the training goes on. TensorBoard's values of later ones are replaced.
        project: name of the W&B project.

    Raises:
        ReenactError: the package of a logger is not installed.
    """
    check_loggers(names)
    loggers: list[Logger] = [_make_wandb_logger(folder, name, project)] if "wandb" in names else []
    if "tensorboard" in names:
        purge = None if batch_step is None else batch_step + 1
        settings: dict[str, Any] = {"version": "", "default_hp_metric": False, "purge_step": purge}
        loggers.append(BatchStepTensorBoardLogger(folder, "tensorboard", **settings))
    return [*loggers, CSVLogger(folder, name="metrics")]


@rank_zero_only
def finish_wandb() -> None:
    """End the W&B run, if there is one, and print how to upload the part that the server has not got."""
    import wandb

    run = wandb.run
    if run is None:
        return
    folder = Path(run.dir).parent
    try:
        run.finish()
    except TimeoutError:
        _print_once(f"Weights & Biases has not got all of this run: `wandb sync {shlex.quote(str(folder))}` uploads it.")
    else:
        if run.offline and not run.disabled:
            _print_once(
                f"Weights & Biases was offline: `wandb sync {shlex.quote(str(folder.parent))}/offline-run-*` uploads this run."
            )


def _make_wandb_logger(folder: Path, name: str, project: str) -> WandbLogger:
    """Return a W&B logger, online if that is possible: a training never waits for an account or a server."""
    os.environ.setdefault("WANDB_SILENT", "true")
    import wandb

    mode = _wandb_mode()
    if mode == "online":
        problem = _server_problem(wandb.setup().settings.base_url)
        if problem is None:
            try:
                return _start(folder, name, project, mode)
            except wandb.Error as error:
                problem = " ".join(str(error).split())
                wandb.teardown()  # or the id counts as taken
        _print_once(f"Weights & Biases cannot be used ({problem}): this run is logged offline.")
        mode = "offline"
    return _start(folder, name, project, mode)


def _start(folder: Path, name: str, project: str, mode: str) -> WandbLogger:
    import wandb

    seconds = float(os.environ.get("WANDB_FINISH_TIMEOUT", UPLOAD_SECONDS))
    settings = wandb.Settings(console="off", finish_timeout=seconds, finish_timeout_raises=True)
    number = _run_id(folder) if rank_zero_only.rank == 0 else None  # type: ignore[attr-defined]  # or each process would draw one
    logger = BatchStepWandbLogger(name=name, project=project, save_dir=folder, id=number, mode=mode, settings=settings)
    _use_batch_step_axis(logger)
    return logger


@rank_zero_only
def _use_batch_step_axis(logger: WandbLogger) -> None:
    logger.experiment.define_metric("batch_step")
    logger.experiment.define_metric("*", step_metric="batch_step")


def _wandb_mode() -> str:
    """Return WANDB_MODE, or online for somebody who is logged in and offline for everybody else: never a prompt."""
    import wandb

    return os.environ.get("WANDB_MODE") or ("online" if wandb.api.api_key else "offline")


def _server_problem(url: str) -> str | None:
    """Return why a server gives no useful answer, None if it does: ``wandb.init`` itself would retry for minutes."""
    try:
        with urlopen(url, timeout=ANSWER_SECONDS):
            return None
    except HTTPError as error:
        return f"{url}: {error}" if error.code >= 500 else None
    except OSError as error:
        return f"{url}: {getattr(error, 'reason', error)}"


def _run_id(folder: Path) -> str:
    """Return the id of the run, which is drawn once, unless a W&B agent gave one, and stays with the folder."""
    import wandb

    path = folder / "wandb-id.txt"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(os.environ.get("WANDB_RUN_ID") or wandb.util.generate_id())
    return path.read_text()
