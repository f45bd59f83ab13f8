"""Results of a benchmark in Weights & Biases."""

from __future__ import annotations

from typing import Any

import wandb
from lightning.pytorch.loggers import WandbLogger

from lit_reenact.experiments.benchmark.comparison import Results
from lit_reenact.experiments.benchmark.writing import cells, heads
from lit_reenact.training.loggers import finish_wandb, make_loggers


def log_benchmark(results: Results, project: str) -> None:
    """Log the table, the page and the videos in a run of the benchmark's own; without a connection it stays on disk.

    Args:
        results: what the benchmark found out, written to its folder already.
        project: name of the W&B project.
    """
    folder = results.plan.output
    logger, *_ = make_loggers(folder, f"benchmark {results.plan.benchmark.file.stem}", project=project)
    assert isinstance(logger, WandbLogger)
    rows = [[row.entry.name, *cells(results, row)] for row in results.rows]
    logged: dict[str, Any] = {"benchmark/table": wandb.Table(columns=["method", *heads(results)], data=rows)}
    for row in results.rows:
        for name, summary in row.metrics.items():
            logged[f"benchmark/{row.entry.name}/{name}"] = summary.mean.value
    logged["benchmark/report"] = wandb.Html(str(folder / "report.html"), inject=False)
    logged |= {f"benchmark/{clip}": wandb.Video(str(one.path), format="mp4") for clip, one in results.videos.items()}
    logger.log_metrics(logged, step=0)
    finish_wandb()
