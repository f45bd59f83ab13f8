"""The settings of a training from the command line: LightningCLI with this project's groups, callbacks and run folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError, set_parsing_settings
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import refuse_overwriting
from lit_reenact.core.paths import find_shipped, read_list
from lit_reenact.networks.settings import InputSettings
from lit_reenact.tracking.trackfile import track_files
from lit_reenact.training.config_checks import refuse_contradictions, refuse_old_names
from lit_reenact.training.loggers import LoggerName
from lit_reenact.training.module import ReenactModule
from lit_reenact.training.quiet import quiet
from lit_reenact.training.run_folder import RunFolder

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

SHORT_FORMS = {"--track": "--data.track", "--protocol": "--data.split.protocol"}
"""Short forms of settings on the command line."""

EMBEDDED = "embedded-"
"""``data.track: embedded-NAME`` stands for the track of an embedded clip, which is made when it is needed."""


class ReenactCLI(LightningCLI):
    """LightningCLI with this project's callbacks and run folder; it instantiates and runs nothing.

    Attributes:
        writes: whether the run's folder will be written to.
        configurations: configuration files that the arguments name.
        run_folder: folder of the run that the arguments describe.
        plain_config: every setting, as plain values.
        stop: callback that ends the training when a signal says so.
    """

    writes = False

    configurations: list[Path]
    run_folder: RunFolder
    plain_config: dict[str, Any]
    stop: Any

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        super().parse_arguments(parser, args)
        self.configurations = configuration_files(args)
        self.config.name = self.config.name or configuration_name(args)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument(
            "--name", type=str | None, default=None, help="name of the run (default: the name of its configuration file)"
        )
        parser.add_argument("--output", type=str, default="outputs", help="the run is written to OUTPUT/NAME/seed-SEED")
        parser.add_argument(
            "--init_from", type=str | None, default=None, help="start from the weights of this checkpoint, trained on other clips"
        )
        parser.add_argument("--loggers", type=list[LoggerName], default=["wandb"], help="loggers in addition to the CSV file")
        for field in fields(InputSettings):
            parser.link_arguments(f"model.inputs.{field.name}", f"data.inputs.{field.name}")
        for key, class_path in CALLBACKS.items():
            parser.add_lightning_class_args(import_class(class_path), key)

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
        tracks = [Path(track) for track in ([config.data.track] if isinstance(config.data.track, str) else config.data.track)]
        listed = [file.parent / line for file in tracks if file.is_file() for _, line in read_list(file, "one track folder")]
        read = [*tracks, *listed, *([Path(config.video.driver)] if config.video.driver else [])]
        inputs = [path for one in read for path in (one, *track_files(one))]
        start = None if config.init_from is None else Path(config.init_from)
        # The run's own configuration may be an input: it is then written as it was.
        written = run.written[1:] if run.saved or run.holds(self.plain_config) else run.written
        refuse_overwriting(written, [*self.configurations, *inputs, start], option="--name or --output")

    def instantiate_trainer(self, **settings: Any) -> Trainer:
        self.stop = import_class(STOP)()
        callbacks = [*(self.config_init.trainer.callbacks or []), self.stop]
        if self.config_init.trainer.enable_progress_bar is not False:
            callbacks.append(import_class(PROGRESS)())
        return super().instantiate_trainer(callbacks=callbacks, default_root_dir=self.run_folder.path, logger=False, **settings)


class FitCLI(ReenactCLI):
    """Settings of a training, which may not write over what it reads."""

    writes = True


def parse_config(arguments: Sequence[str], command: str = "fit") -> ReenactCLI:
    """Read the settings of a training, and build its module, data module and trainer; nothing runs.

    Args:
        arguments: words of the command line after ``lit-reenact COMMAND``.
        command: name of the command, for messages.

    Raises:
        ReenactError: a setting is unknown, of a wrong type, contradicts another, or has the name of an earlier version; or the
            command "fit" would write over one of its inputs.
    """
    words = [_long_option(word) for word in _with_shipped_files(arguments)]
    refuse_old_names(words, configuration_files(words))
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
        with quiet():
            return (FitCLI if command == "fit" else ReenactCLI)(
                model_class=ReenactModule,
                datamodule_class=import_class(DATA),
                save_config_callback=None,
                trainer_defaults=TRAINER_DEFAULTS,
                seed_everything_default=0,
                parser_kwargs=options,
                args=words,
                run=False,
                auto_configure_optimizers=False,
                load_from_checkpoint_support=False,
            )
    except (ArgumentError, MisconfigurationException, ValueError) as error:
        raise ReenactError(" ".join(str(error).split())) from error


def configuration_files(arguments: Sequence[str]) -> list[Path]:
    """Return the configuration files among the arguments of a command line, in order."""
    return [Path(arguments[index].removeprefix("--config=")) for index in _config_places(arguments)]


def configuration_name(arguments: Sequence[str]) -> str:
    """Return the stem of the last configuration file, with the trial's id if a W&B agent started this process."""
    files = configuration_files(arguments)
    name = files[-1].stem if files else "run"
    return f"{name}-{os.environ['WANDB_RUN_ID']}" if "WANDB_SWEEP_ID" in os.environ else name


def import_class(class_path: str) -> Any:
    """Return the class of a dotted path."""
    module, name = class_path.rsplit(".", 1)
    return getattr(import_module(module), name)


def _config_places(arguments: Sequence[str]) -> list[int]:
    """Return the positions of the words that name a configuration file: ``FILE`` after ``--config``, or ``--config=FILE``."""
    return [
        index
        for index, word in enumerate(arguments)
        if word.startswith("--config=") or (index and arguments[index - 1] in ("--config", "-c"))
    ]


def _with_shipped_files(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with the path of the shipped file where a configuration is not in the current folder."""
    words = list(arguments)
    for index in _config_places(words):
        option = "--config=" if words[index].startswith("--config=") else ""
        words[index] = f"{option}{find_shipped(words[index].removeprefix(option))}"
    return words


def _long_option(word: str) -> str:
    """Return the full name of a setting, ``--data.track=A``, for an option with its short form, ``--track=A``."""
    option, _, _ = word.partition("=")
    return f"{SHORT_FORMS[option]}{word.removeprefix(option)}" if option in SHORT_FORMS else word
