"""Reads what W&B wrote to disk, online or offline; the only place that knows the form of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def _records(folder: Path) -> list[Any]:
    """Of the finished run in ``wandb/run-*`` or ``wandb/offline-run-*``, in order; its writer may lag behind for a moment."""
    deadline = time.monotonic() + 30
    while not (records := list(_read(folder))) or not records[-1].HasField("exit"):
        assert time.monotonic() < deadline, f"{folder} was never finished"
        time.sleep(0.1)
    return records


def _read(folder: Path) -> Iterator[Any]:
    from wandb.proto.wandb_internal_pb2 import Record
    from wandb.sdk.internal.datastore import DataStore

    (file,) = folder.glob("*.wandb")
    if not file.stat().st_size:
        return
    store = DataStore()
    store.open_for_scan(str(file))
    while (data := store.scan_data()) is not None:
        record = Record()
        record.ParseFromString(data)
        yield record


def history(folder: Path) -> list[dict[str, Any]]:
    """What was logged, call by call; of media and the like only that there is something."""
    rows = [record.history.item for record in _records(folder) if record.HasField("history")]
    return [{item.key or item.nested_key[0]: json.loads(item.value_json) for item in row} for row in rows]


def artifacts(folder: Path) -> list[dict[str, Any]]:
    """Type, name, metadata, files and whether each artifact is an input of the run."""
    found = [record.artifact for record in _records(folder) if record.HasField("artifact")]
    return [
        {
            "type": one.type,
            "name": one.name,
            "metadata": json.loads(one.metadata),
            "files": {entry.path: (Path(entry.local_path), entry.digest) for entry in one.manifest.contents},
            "is_input": one.use_after_commit,
        }
        for one in found
    ]
