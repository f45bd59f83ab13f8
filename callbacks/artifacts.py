"""W&B artifacts: the tracks that a run read, and the network and videos that it produced."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_warn

from lit_reenact.callbacks.base import Callback, Trainer, callbacks_of
from lit_reenact.callbacks.checkpoint import BatchStepCheckpoint
from lit_reenact.callbacks.reenactment_video import ReenactmentVideo
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.tracking.trackfile import TRACK_NAME, load_track
from lit_reenact.training.module import ReenactModule
from lit_reenact.training.run_folder import RunFolder

Kind = Literal["track", "model", "video"]


class Artifacts(Callback):
    """Callback that logs a run's inputs and outputs to W&B, so that a video can be traced back to its tracks.

    The inputs are the ``track`` of every actor and of the driver of the run's videos. The outputs, logged at the end, are the
    best checkpoint as ``model`` and the last videos as ``video``. Offline they wait beside the run for ``wandb sync``; nothing
    here waits for a server.

    Example:
        >>> trainer = Trainer(callbacks=[Artifacts(kinds=["track", "model"])])
    """

    def __init__(self, kinds: Sequence[Kind] = ("track", "model", "video")) -> None:
        """
        Args:
            kinds: artifacts to log. With ``[]`` only curves and the videos shown beside them leave this machine.
        """
        super().__init__()
        self.kinds = kinds

    def on_fit_start(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        folders = [subject.folder for subject in trainer.datamodule.subjects]
        for folder in [*folders, *(clip.folder for clip in _drivers(trainer))] if "track" in self.kinds else []:
            info = load_track(folder).info
            facts = {"source": info.source, "source_sha256": info.source_sha256, "clip_sha256": info.clip_sha256}
            facts["face_model"] = info.face_model
            _log_artifact(trainer, "track", Path(info.source).stem, [folder / TRACK_NAME], facts, is_input=True)

    def on_fit_end(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        run = RunFolder(Path(trainer.default_root_dir).resolve())
        name = run.path.parent.name
        for checkpoint in callbacks_of(trainer, BatchStepCheckpoint):
            if "model" in self.kinds and run.best.is_file():
                _log_artifact(trainer, "model", name, [run.best], {**checkpoint.best, "monitor": checkpoint.monitor})
        videos = sorted((run.path / "videos").glob("step-*.mp4"))
        if "video" in self.kinds and videos:
            step = videos[-1].stem.removesuffix("-driven")
            last = [video for video in videos if video.stem.removesuffix("-driven") == step]
            _log_artifact(trainer, "video", name, last, {"batch_step": int(step.removeprefix("step-"))})


def _drivers(trainer: Trainer) -> list[TrackedClip]:
    return [video.driver for video in callbacks_of(trainer, ReenactmentVideo) if video.driver is not None]


def _log_artifact(
    trainer: Trainer, kind: Kind, name: str, files: Sequence[Path], facts: dict[str, Any], *, is_input: bool = False
) -> None:
    if not trainer.is_global_zero:
        return
    import wandb

    for logger in trainer.loggers:
        if not isinstance(logger, WandbLogger) or logger.experiment.disabled:
            continue
        run = logger.experiment
        artifact = wandb.Artifact(re.sub(r"[^\w.-]", "_", f"{kind}-{name}", flags=re.ASCII)[:128], type=kind, metadata=facts)
        try:
            for file in files:
                copy = _snapshot(file, Path(run.dir).resolve().parent / "artifacts")
                artifact.add_file(str(copy), name=file.name, skip_cache=True, policy="immutable")
        except OSError as error:
            rank_zero_warn(f"Weights & Biases gets no artifact {artifact.name}: {error}")
            continue
        artifact.finalize()
        # log_artifact and use_artifact call this too, but wait for the server, and use_artifact refuses to work offline.
        run._interface.publish_artifact(run, artifact, ["latest"], is_user_created=True, use_after_commit=is_input)


def _snapshot(file: Path, folder: Path) -> Path:
    """Link a file into ``folder``, or copy it where links are not supported, and return the new path.

    A link is enough because files of a run are replaced as a whole, never changed in place.
    """
    copy = folder / f"{file.stat().st_ino}-{file.name}"
    folder.mkdir(parents=True, exist_ok=True)
    copy.unlink(missing_ok=True)
    try:
        os.link(file, copy)
    except OSError:
        shutil.copyfile(file, copy)
    return copy
