"""``lit-reenact fit | validate | test``: runs, resumes, and reports to the user."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_only

from lit_reenact.core.errors import ReenactError
from lit_reenact.training.cli import ReenactCLI, parse_config
from lit_reenact.training.cluster import requeue_job
from lit_reenact.training.finetuning import start_from
from lit_reenact.training.loggers import finish_wandb, make_loggers
from lit_reenact.training.quiet import quiet
from lit_reenact.training.run_folder import RunFolder, batch_step_of

_print_once = rank_zero_only(print)


def run_fit(arguments: Sequence[str]) -> RunFolder:
    """Train until the budget is spent; the same arguments again resume where the run stopped.

    A new run starts from ``--init_from`` if that is given; one that is resumed goes on from its own last checkpoint.

    Args:
        arguments: words of the command line after ``lit-reenact fit``.

    Raises:
        ReenactError: a setting is unknown or contradictory, the data is unusable, the checkpoint to start from has other
            networks, the folder holds a run of another configuration, or a checkpoint cannot be written.
        KeyboardInterrupt: the user stopped the training; the last checkpoint is written.
        SystemExit: the time of this SLURM job is almost up; the last checkpoint is written, and the job is queued again. The
            code is 75, which means that another try is worth it.
    """
    cli = parse_config(arguments, "fit")
    run, budget = cli.run_folder, cli.config.budget.max_batch_steps
    cli.datamodule.check()
    newest, start = run.newest(), cli.config.init_from
    done = batch_step_of(newest)
    if start is not None and newest is None:
        start_from(cli.model, Path(start))
    run.claim(cli.plain_config)
    if newest is not None and newest != run.last:
        _drop_damaged(run)
    if done >= budget:
        _print_once(f"{run.path} is trained already: {done} of {budget} batch steps.")
    else:
        if done:
            _print_once(f"Resuming {run.path} at batch step {done} of {budget}.")
        elif start is not None:
            _print_once(f"Starting from the weights of {start}.")
        train(cli, resume=newest)
    logs = "metrics/, wandb/ (`wandb sync` uploads it)" if "wandb" in cli.config.loggers else "metrics/"
    _print_once(f"Wrote {run.path}: checkpoints/ (best and last), videos/, {logs}, config.yaml.")
    _print_once(f"Next: {_reenact_command(cli.datamodule.folder, run.best)}")
    return run


def run_validate(arguments: Sequence[str]) -> dict[str, float]:
    """Measure the best checkpoint of a run on the validation part; the arguments are those of its training."""
    return _measure(arguments, "validate")


def run_test(arguments: Sequence[str]) -> dict[str, float]:
    """Measure the best checkpoint of a run on the test part; the arguments are those of its training."""
    return _measure(arguments, "test")


def train(cli: ReenactCLI, resume: Path | None) -> None:
    """Run the trainer with its loggers.

    Args:
        cli: module, data and trainer.
        resume: checkpoint to go on from; None starts a new training.

    Raises:
        KeyboardInterrupt: the user, or a signal, stopped the training; the last checkpoint is written.
        SystemExit: SLURM runs the job again.
    """
    cli.stop.listen(signal.SIGUSR1)  # before the first batch it would end this process on the spot
    name = f"{cli.config.name} seed {cli.config.seed_everything}"
    cli.trainer.loggers = make_loggers(cli.run_folder.path, name, cli.config.loggers, batch_step_of(resume))
    for logger in cli.trainer.loggers:
        logger.log_hyperparams({"protocol": cli.datamodule.split.protocol})
    cli.model.base = cli.datamodule.base
    cli.model.key_frames = cli.datamodule.key_frames
    cli.model.actors = len(cli.datamodule.subjects)
    try:
        with quiet():
            cli.trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=resume, weights_only=True)
        return
    except SystemExit:
        if not cli.trainer.interrupted:
            raise
        signal.signal(signal.SIGINT, signal.default_int_handler)  # Lightning had switched Ctrl-C off for its shutdown
    finally:
        finish_wandb()
    step = batch_step_of(next(iter(cli.run_folder.saved), None))  # resuming verifies its checksums
    where = f"stopped at batch step {step}, saved in {cli.run_folder.last}" if step else "stopped before the first checkpoint"
    if cli.stop.received == signal.SIGUSR1:
        _queue_again(where, cli.trainer.is_global_zero)
    raise KeyboardInterrupt(f"{where}; the same command resumes it")


def _queue_again(where: str, is_first: bool) -> None:
    """End this process if SLURM runs the job again; processes but the first end in silence, or SLURM would end the first too."""
    if not is_first:
        raise SystemExit
    job = requeue_job()
    if job is not None:
        print(f"lit-reenact: {where}; SLURM runs job {job} again, and it resumes there.", file=sys.stderr)
        raise SystemExit(os.EX_TEMPFAIL)


@rank_zero_only
def _drop_damaged(run: RunFolder) -> None:
    """Delete a damaged ``last.ckpt`` so that it does not overwrite ``previous.ckpt`` when the next one is written."""
    if run.last.is_file():
        run.last.unlink()
        print(f"lit-reenact: warning: {run.last} is damaged: going on from {run.previous.name}, the one before.", file=sys.stderr)


def _measure(arguments: Sequence[str], command: str) -> dict[str, float]:
    cli = parse_config(arguments, command)
    cli.datamodule.check()
    checkpoint = cli.run_folder.best
    if not checkpoint.is_file():
        raise ReenactError(f"{checkpoint}: no such checkpoint; run `lit-reenact fit` with the same arguments first")
    run = getattr(cli.trainer, command)
    with quiet():
        (metrics,) = run(cli.model, datamodule=cli.datamodule, ckpt_path=checkpoint, weights_only=True, verbose=False)
    means = {name: value for name, value in metrics.items() if "/" in name}
    for name, value in means.items():
        _print_once(f"{name:22} {value:8.4f}")
    part = {"validate": "validation", "test": "test"}[command]
    _print_once(f"These are means over the frames of the {part} part of {cli.datamodule.folder}, made by {checkpoint}.")
    _print_once(f"Next: {_reenact_command(cli.datamodule.folder, checkpoint)}")
    return means


def _reenact_command(target: Path, checkpoint: Path) -> str:
    return f"lit-reenact reenact --source SOURCE_TRACK --target {target} --checkpoint {checkpoint} -o out.mp4"
