"""``lit-reenact fit | validate | test``: LightningCLI, one folder a run, and errors in one sentence."""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError, set_parsing_settings
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities import rank_zero_only

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import refuse_overwriting
from lit_reenact.tracking.trackfile import track_files
from lit_reenact.training.cluster import requeue_job
from lit_reenact.training.config_checks import refuse_contradictions
from lit_reenact.training.finetuning import start_from
from lit_reenact.training.loggers import LoggerName, finish_wandb, make_loggers
from lit_reenact.training.module import ReenactModule
from lit_reenact.training.run_folder import RunFolder, batch_step_of

DATA = "lit_reenact.datamodules.TrackDataModule"
PROGRESS = "lit_reenact.callbacks.BatchProgressBar"
STOP = "lit_reenact.callbacks.GracefulStop"
CALLBACKS = {
    "ema": "lit_reenact.callbacks.ExponentialMovingAverage",
    "metrics": "lit_reenact.callbacks.FrameMetrics",
    "video": "lit_reenact.callbacks.ReenactmentVideo",
    "budget": "lit_reenact.callbacks.BatchBudget",
    "schedule": "lit_reenact.callbacks.LearningRateSchedule",
    "checkpoint": "lit_reenact.callbacks.BatchStepCheckpoint",
    "throughput": "lit_reenact.callbacks.Throughput",
    "health": "lit_reenact.callbacks.TrainingHealth",
    "artifacts": "lit_reenact.callbacks.Artifacts",
}
"""The callbacks of every run by their key in the configuration; more can stand in ``trainer.callbacks``."""

TRAINER_DEFAULTS = {
    "max_epochs": -1,  # the budget ends a run
    "check_val_every_n_epoch": None,  # val_check_interval counts batches over all epochs
    "val_check_interval": 500,
    "num_sanity_val_steps": 0,
    "log_every_n_steps": 10,
    "enable_model_summary": False,
    "use_distributed_sampler": False,  # the data module gives each process its share
}

_say = rank_zero_only(print)

EMBEDDED = "embedded-"
"""``data.track: embedded-NAME`` stands for the track of an embedded clip, which is made when it is needed."""


class ReenactCLI(LightningCLI):
    """LightningCLI with this project's callbacks and run folder; it instantiates and runs nothing.

    Attributes:
        configurations: the files that the arguments name.
        run_folder: of the run that the arguments describe.
        plain_config: every setting, as plain values.
        stop: the callback that ends the training when a signal says so.
        writes: whether the run's folder will be written to.
    """

    writes = False

    configurations: list[Path]
    run_folder: RunFolder
    plain_config: dict[str, Any]
    stop: Any

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        super().parse_arguments(parser, args)
        self.configurations = _configurations(args)
        self.config.name = self.config.name or _configuration_name(args)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--name", type=str | None, default=None, help="of the run (default: that of its configuration file)")
        parser.add_argument("--output", type=str, default="outputs", help="the run is written to OUTPUT/NAME/seed-SEED")
        parser.add_argument(
            "--init_from", type=str | None, default=None, help="start from the weights of this checkpoint, trained on other clips"
        )
        parser.add_argument("--loggers", type=list[LoggerName], default=["wandb"], help="besides the CSV file")
        for key, class_path in CALLBACKS.items():
            parser.add_lightning_class_args(_import(class_path), key)

    def before_instantiate_classes(self) -> None:
        config = self.config
        refuse_contradictions(config)
        self.run_folder = RunFolder(Path(config.output) / config.name / f"seed-{config.seed_everything}")
        self.plain_config = yaml.safe_load(self.parser.dump(config, skip_unset=False))
        if self.writes:
            self._refuse_lost_inputs()
        track = config.data.track
        if isinstance(track, str) and track.startswith(EMBEDDED):
            from lit_reenact.demo_clips.clips import ensure_embedded_track

            config.data.track = str(ensure_embedded_track(track.removeprefix(EMBEDDED), Path(config.output) / "embedded"))

    def _refuse_lost_inputs(self) -> None:
        config, run = self.config, self.run_folder
        tracks = [config.data.track] if isinstance(config.data.track, str) else config.data.track
        read = [*tracks, *([config.video.driver] if config.video.driver else [])]
        inputs = [path for one in read for path in (Path(one), *track_files(Path(one)))]
        start = None if config.init_from is None else Path(config.init_from)
        # A run may be told by its own configuration, which is then written as it was.
        written = run.written[1:] if run.saved or run.holds(self.plain_config) else run.written
        refuse_overwriting(written, [*self.configurations, *inputs, start], option="--name or --output")

    def instantiate_trainer(self, **settings: Any) -> Trainer:
        self.stop = _import(STOP)()
        callbacks = [*(self.config_init.trainer.callbacks or []), self.stop]
        if self.config_init.trainer.enable_progress_bar is not False:
            callbacks.append(_import(PROGRESS)())
        return super().instantiate_trainer(callbacks=callbacks, default_root_dir=self.run_folder.path, logger=False, **settings)


class FitCLI(ReenactCLI):
    """The arguments of a training, which may not write over what it reads."""

    writes = True


def run_fit(arguments: Sequence[str]) -> RunFolder:
    """Train until the budget is spent; the same arguments again resume where the run stopped.

    A new run starts from ``--init_from`` if that is given; one that is resumed goes on from its own last checkpoint.

    Args:
        arguments: of the command line after ``lit-reenact fit``.

    Raises:
        ReenactError: an unknown or contradictory setting, unusable data, a checkpoint of other networks to start from, a
            folder with a run of another configuration, or a checkpoint that cannot be written.
        KeyboardInterrupt: the user stopped the training; the last checkpoint is written.
        SystemExit: the time of this SLURM job is almost up; so it is, and the job is queued again. The code is 75, which means
            that it is worth another try.
    """
    cli = _parse(arguments, "fit")
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
        _say(f"{run.path} is trained already: {done} of {budget} batch steps.")
    else:
        if done:
            _say(f"Resuming {run.path} at batch step {done} of {budget}.")
        elif start is not None:
            _say(f"Starting from the weights of {start}.")
        _train(cli, resume=newest)
    _say(f"Wrote {run.path}: checkpoints/ (best and last), videos/, metrics/, wandb/ (`wandb sync` uploads it), config.yaml.")
    _say(f"Next: {_reenact_command(cli.datamodule.folder, run.best)}")
    return run


def run_validate(arguments: Sequence[str]) -> dict[str, float]:
    """Measure the best checkpoint of a run on the validation part; the arguments are those of its training."""
    return _measure(arguments, "validate")


def run_test(arguments: Sequence[str]) -> dict[str, float]:
    """Measure the best checkpoint of a run on the test part; the arguments are those of its training."""
    return _measure(arguments, "test")


def _parse(arguments: Sequence[str], command: str) -> ReenactCLI:
    set_parsing_settings(omegaconf_absolute_to_relative_paths=True)
    options = {
        "prog": f"lit-reenact {command}",
        "description": "",
        # omegaconf+ resolves ${...} after all files and options are read: an override reaches every place that refers to it
        "parser_mode": "omegaconf+",
        "allow_abbrev": False,
        "exit_on_error": False,
    }
    try:
        with _quiet():
            return (FitCLI if command == "fit" else ReenactCLI)(
                model_class=ReenactModule,
                datamodule_class=_import(DATA),
                save_config_callback=None,
                trainer_defaults=TRAINER_DEFAULTS,
                seed_everything_default=0,
                parser_kwargs=options,
                args=[_long_option(word) for word in arguments],
                run=False,
                auto_configure_optimizers=False,
                load_from_checkpoint_support=False,
            )
    except (ArgumentError, MisconfigurationException, ValueError) as error:
        raise ReenactError(" ".join(str(error).split())) from error


def _train(cli: ReenactCLI, resume: Path | None) -> None:
    cli.stop.listen(signal.SIGUSR1)  # before the first batch it would end this process on the spot
    name = f"{cli.config.name} seed {cli.config.seed_everything}"
    cli.trainer.loggers = make_loggers(cli.run_folder.path, name, cli.config.loggers, batch_step_of(resume))
    try:
        with _quiet():
            cli.trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=resume, weights_only=True)
        return
    except SystemExit:
        if not cli.trainer.interrupted:
            raise
        signal.signal(signal.SIGINT, signal.default_int_handler)  # Lightning had switched Ctrl-C off for its shutdown
    finally:
        finish_wandb()
    step = batch_step_of(next(iter(cli.run_folder.saved), None))  # not checked: whoever goes on there does that
    where = f"stopped at batch step {step}, saved in {cli.run_folder.last}" if step else "stopped before the first checkpoint"
    if cli.stop.received == signal.SIGUSR1:
        _queue_again(where, cli.trainer.is_global_zero)
    raise KeyboardInterrupt(f"{where}; the same command goes on there")


def _queue_again(where: str, is_first: bool) -> None:
    """End this process, if SLURM then runs the job again; the others end without a word, lest SLURM ends the first at once."""
    if not is_first:
        raise SystemExit
    job = requeue_job()
    if job is not None:
        print(f"lit-reenact: {where}; SLURM runs job {job} again, and it goes on there.", file=sys.stderr)
        raise SystemExit(os.EX_TEMPFAIL)


@rank_zero_only
def _drop_damaged(run: RunFolder) -> None:
    """Else it would take the place of the one before, when the next one is written."""
    if run.last.is_file():
        run.last.unlink()
        print(f"lit-reenact: warning: {run.last} is damaged: going on from {run.previous.name}, the one before.", file=sys.stderr)


def _measure(arguments: Sequence[str], command: str) -> dict[str, float]:
    cli = _parse(arguments, command)
    cli.datamodule.check()
    checkpoint = cli.run_folder.best
    if not checkpoint.is_file():
        raise ReenactError(f"{checkpoint}: no such checkpoint; run `lit-reenact fit` with the same arguments first")
    run = getattr(cli.trainer, command)
    with _quiet():
        (metrics,) = run(cli.model, datamodule=cli.datamodule, ckpt_path=checkpoint, weights_only=True, verbose=False)
    means = {name: value for name, value in metrics.items() if "/" in name}
    for name, value in means.items():
        _say(f"{name:22} {value:8.4f}")
    part = {"validate": "validation", "test": "test"}[command]
    _say(f"These are means over the frames of the {part} part of {cli.datamodule.folder}, made by {checkpoint}.")
    _say(f"Next: {_reenact_command(cli.datamodule.folder, checkpoint)}")
    return means


def _reenact_command(target: Path, checkpoint: Path) -> str:
    return f"lit-reenact reenact --source SOURCE_TRACK --target {target} --checkpoint {checkpoint} -o out.mp4"


def _long_option(word: str) -> str:
    """``--track`` is short for ``--data.track``."""
    return f"--data.track{word.removeprefix('--track')}" if word == "--track" or word.startswith("--track=") else word


def _configurations(arguments: Sequence[str]) -> list[Path]:
    """The configuration files among the arguments."""
    words = [part for word in arguments for part in (word.split("=", 1) if word.startswith("--config=") else [word])]
    return [Path(value) for option, value in pairwise(words) if option in ("--config", "-c")]


def _configuration_name(arguments: Sequence[str]) -> str:
    """The stem of the last configuration file among the arguments; with the trial's id if a W&B agent started this process."""
    files = _configurations(arguments)
    name = files[-1].stem if files else "run"
    return f"{name}-{os.environ['WANDB_RUN_ID']}" if "WANDB_SWEEP_ID" in os.environ else name


def _import(class_path: str) -> Any:
    module, name = class_path.rsplit(".", 1)
    return getattr(import_module(module), name)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the notes of Lightning that do not concern the user of this command."""
    loggers = [logging.getLogger(f"lightning.{part}") for part in ("pytorch", "fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    with warnings.catch_warnings():
        for note in (
            "LightningCLI's args parameter",
            "The `srun` command is available",
            ".*does not have many workers",
            ".*The number of training batches",
            ".*treespec, LeafSpec",
            ".*resuming from a checkpoint that ended before the epoch ended",
        ):
            warnings.filterwarnings("ignore", message=note)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
