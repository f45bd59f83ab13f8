"""Logging of an evaluation to W&B: numbers, worst and best frames and the report, in the run that trained the network."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import wandb
from lightning.pytorch.loggers import WandbLogger

from lit_reenact.evaluation.candidates import MODEL
from lit_reenact.evaluation.evaluate import Evaluation
from lit_reenact.evaluation.report_pictures import extreme_frames
from lit_reenact.synthesis import error_picture
from lit_reenact.training.loggers import PROJECT, finish_wandb, make_loggers
from lit_reenact.training.run_folder import batch_step_of

COLUMNS = ["method", "metric", "mean", "low", "high"]
ID_NAME = "wandb-id.txt"


def log_evaluation(evaluation: Evaluation, folder: Path, checkpoint: Path | None = None, project: str = PROJECT) -> None:
    """Log an evaluation to W&B; without an account or a connection it is kept on disk, for `wandb sync`.

    Args:
        evaluation: evaluation whose frames are logged.
        folder: folder of its ``metrics.json``, whose numbers are logged, and of its ``report.html``.
        checkpoint: evaluated checkpoint. If it lies in the folder of a run, the log continues that W&B run at the checkpoint's
            batch step; otherwise ``folder`` gets a W&B run of its own, which the next evaluation there continues.
        project: name of the W&B project.
    """
    trained = None if checkpoint is None else _run_of(checkpoint)
    place = trained or folder
    name = f"{place.parent.name} {place.name.replace('-', ' ')}" if trained else f"evaluation {folder.name}"
    logger, *_ = make_loggers(place, name, project=project)
    assert isinstance(logger, WandbLogger)
    results = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    group = "evaluation_matted" if results["matted"] else "evaluation"  # two kinds of numbers that no curve may mix
    logger.log_hyperparams({group: {"protocol": results["protocol"]}})
    rows = list(_rows(results))
    logged: dict[str, Any] = {
        _key(group, method, metric): value["mean"] for method, metric, value in rows if value["mean"] is not None
    }
    shares = results.get("pixel_origin", {}).get("shares", {})
    logged |= {f"{group}/{name}": share for name, share in shares.items() if share is not None}
    medians = results.get("reference_distance", {}).get("medians", {})
    logged |= {f"{group}/reference_distance/{_word(name)}": value for name, value in medians.items() if value is not None}
    table = [[method, metric, *(value[column] for column in COLUMNS[2:])] for method, metric, value in rows]
    logged[f"{group}/table"] = wandb.Table(columns=COLUMNS, data=table)
    logged[f"{group}/report"] = wandb.Html(str(folder / "report.html"), inject=False)
    logged |= {f"{group}/{kind}_frames": _pictures(evaluation, kind == "worst") for kind in ("worst", "best")}
    logger.log_metrics(logged, step=batch_step_of(checkpoint) if trained else 0)
    finish_wandb()


def _run_of(checkpoint: Path) -> Path | None:
    """Return the folder of the run that a checkpoint lies in, if W&B knows that run."""
    folder = checkpoint.resolve().parent.parent
    return folder if (folder / ID_NAME).is_file() else None


def _rows(results: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, float | None]]]:
    """Yield method, metric and value of everything that ``metrics.json`` holds."""
    for method, metrics in (*results["methods"].items(), (MODEL, results["motion"]), *results["other_motion"].items()):
        for metric, value in metrics.items():
            yield method, metric, value


def _key(group: str, method: str, metric: str) -> str:
    return f"{group}/{metric}" if method == MODEL else f"{group}/{_word(method)}/{metric}"


def _word(name: str) -> str:
    return re.sub(r"\W+", "_", name)


def _pictures(evaluation: Evaluation, worst: bool) -> list[wandb.Image]:
    """Return real frame | output | error of the frames that the report shows as the worst or the best."""
    errors = evaluation.values[MODEL]["face_l1"]
    pictures = []
    for number in extreme_frames(evaluation, worst):
        real, generated = evaluation.real[number], evaluation.generated[number]
        row = torch.cat([real, generated, error_picture(generated[None], real[None])[0].to(real)], dim=1)
        caption = f"frame {evaluation.frames[number]}, face L1 {float(errors[number]):.1f}: real, output, error"
        pictures.append(wandb.Image(row.numpy(), caption=caption))
    return pictures
