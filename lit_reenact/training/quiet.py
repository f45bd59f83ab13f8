"""Silence for Lightning's messages that do not concern the user of a command."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

IRRELEVANT_WARNINGS = (
    "LightningCLI's args parameter",
    "The `srun` command is available",
    ".*does not have many workers",
    ".*The number of training batches",
    ".*treespec, LeafSpec",
    ".*resuming from a checkpoint that ended before the epoch ended",
)
"""Patterns of Lightning's warnings that do not concern the user of a command."""


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Lightning's messages that do not concern the user of a command."""
    loggers = [logging.getLogger(f"lightning.{part}") for part in ("pytorch", "fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    with warnings.catch_warnings():
        for message in IRRELEVANT_WARNINGS:
            warnings.filterwarnings("ignore", message=message)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
