"""Training goes on whatever W&B does: without an account, without a server, and when the server goes away."""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import wandb

from lit_reenact.callbacks import BatchBudget, BatchStepCheckpoint
from lit_reenact.core.errors import ReenactError
from lit_reenact.training import loggers
from lit_reenact.training.loggers import finish_wandb, make_loggers
from lit_reenact.training.run_folder import RunFolder, batch_step_of, joined_curves
from tests.factories import make_module, make_trainer
from tests.lit_reenact.training.test_module import Windows
from tests.wandb_records import history

RUN: dict[str, object] = {"id": "r", "name": "r", "displayName": "r", "config": "{}", "sweepName": None, "historyLineCount": 0}
RUN["project"] = {"id": "p", "name": "p", "entity": {"id": "e", "name": "e"}}
ANSWERS = {
    "viewer": {"id": "v", "entity": "e", "username": "u", "flags": "{}", "teams": {"edges": []}},
    "serverInfo": {"features": [], "cliVersionInfo": {}, "latestLocalVersionInfo": None},
    "upsertBucket": {"bucket": RUN, "inserted": True, "configValidationErrors": None},
    "createRunFiles": {"runID": "r", "uploadHeaders": [], "files": []},
    "model": {"bucket": None},
}
"""The little of W&B's protocol that a run needs to begin."""


@contextmanager
def server(status: int) -> Iterator[tuple[str, ThreadingHTTPServer]]:
    """Something that answers like W&B, or with an error, to everything but the first look at it; its address."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self, code: int, body: object) -> None:
            data = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            self.answer(200, {})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or "{}")
            RUN["name"] = (asked.get("variables") or {}).get("name") or RUN["name"]  # the id that the run chose
            self.answer(status, {"data": ANSWERS} if status == 200 else {"errors": [{"message": "no such key"}]})

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}", httpd
    finally:
        httpd.shutdown()
        httpd.server_close()


@pytest.fixture(autouse=True)
def _fresh_wandb(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """It reads its environment only once."""
    wandb.teardown()
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    yield
    wandb.teardown()


def log(folder: Path, steps: int) -> Path:
    """Log so many steps and finish; the folder in which W&B keeps them."""
    loggers = make_loggers(folder, "a run")
    for step in range(1, steps + 1):
        for logger in loggers:
            logger.log_metrics({"loss/l1": 1.0 / step}, step=step)
    finish_wandb()
    (kept,) = (folder / "wandb").glob("*run-*")
    return kept


def test_a_server_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{port}")
    kept = log(tmp_path, 3)
    said = capsys.readouterr().out
    assert f"cannot be used (http://127.0.0.1:{port}: " in said
    assert "refused): this run is logged offline." in said
    assert f"`wandb sync {tmp_path}/wandb/offline-run-*` uploads this run" in said
    assert [row["loss/l1"] for row in history(kept)] == [1, 1 / 2, 1 / 3]


@pytest.mark.parametrize(("status", "reason"), [(401, "no such key"), (404, "no such key")])
def test_a_server_that_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: int, reason: str
) -> None:
    with server(status) as (address, _):
        monkeypatch.setenv("WANDB_BASE_URL", address)
        loggers = make_loggers(tmp_path, "a run")
        assert loggers[0].experiment.offline  # type: ignore[attr-defined]
        finish_wandb()
    said = capsys.readouterr().out
    assert reason in said
    assert "logged offline" in said


def test_a_server_that_goes_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("WANDB_FINISH_TIMEOUT", "3")
    with server(200) as (address, _):
        monkeypatch.setenv("WANDB_BASE_URL", address)
        loggers = make_loggers(tmp_path, "a run")
        assert not loggers[0].experiment.offline  # type: ignore[attr-defined]
        loggers[0].log_metrics({"loss/l1": 1.0}, step=1)
    for step in range(2, 50):
        loggers[0].log_metrics({"loss/l1": 1.0 / step}, step=step)
    finish_wandb()
    (kept,) = (tmp_path / "wandb").glob("run-*")
    (sentence,) = re.findall(r"`wandb sync (\S+)` uploads it", capsys.readouterr().out)
    assert Path(sentence) == kept
    assert [(row["batch_step"], row["loss/l1"]) for row in history(kept)] == [(step, 1 / step) for step in range(1, 50)]


def test_what_logs_is_chosen(tmp_path: Path) -> None:
    (only,) = make_loggers(tmp_path, "a run", ["csv"])
    only.log_metrics({"loss/l1": 0.5}, step=1)
    only.save()
    assert (tmp_path / "metrics" / "version_0" / "metrics.csv").read_text().splitlines() == ["loss/l1,step", "0.5,1"]
    assert wandb.run is None


def test_tensorboard_that_is_not_installed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loggers, "find_spec", lambda name: None)
    with pytest.raises(ReenactError, match="the package tensorboard is not installed"):
        make_loggers(tmp_path, "a run", ["tensorboard"])
    assert not list(tmp_path.iterdir())


class Writer:
    """Stands for TensorBoard's, and keeps what it is told."""

    made: ClassVar[list[Writer]] = []

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.scalars: list[tuple[str, float, int]] = []
        self.made.append(self)

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.scalars.append((name, value, step))

    def flush(self) -> None:
        pass

    close = flush


def train(folder: Path, batches: int, resume: Path | None = None) -> None:
    """With TensorBoard, values of every second batch."""
    chosen = make_loggers(folder, "a run", ["tensorboard"], batch_step_of(resume))
    settings = {"logger": chosen, "log_every_n_steps": 2, "limit_val_batches": 0}
    trainer = make_trainer(folder, BatchBudget(batches), BatchStepCheckpoint(every_n_batches=3), **settings)
    trainer.fit(make_module(), Windows(), ckpt_path=resume, weights_only=True)


def test_tensorboard_is_told_what_the_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the same batch steps; what is logged again after a kill takes the place of the first."""
    monkeypatch.setattr(loggers, "find_spec", lambda name: object())
    monkeypatch.setattr("lightning.fabric.loggers.tensorboard._TENSORBOARD_AVAILABLE", True)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Writer))
    monkeypatch.setattr(Writer, "made", [])
    train(tmp_path, 4)
    train(tmp_path, 8, resume=tmp_path / "checkpoints" / "previous.ckpt")  # of batch step 3: as if it had been killed
    first, second = Writer.made
    assert {Path(writer.settings["log_dir"]) for writer in Writer.made} == {tmp_path / "tensorboard"}
    assert [writer.settings["purge_step"] for writer in Writer.made] == [1, 4]
    kept = [row for row in first.scalars if row[2] < 4] + second.scalars
    curves: dict[str, dict[int, float]] = {}
    for name, value, step in kept:
        curves.setdefault(name, {})[step] = value
    in_file = joined_curves(RunFolder(tmp_path).metrics)
    assert curves.pop("epoch").keys() == {2, 4, 6, 8}
    assert curves.keys() == in_file.keys() > {"loss/l1", "gradient/generator"}
    for name, curve in curves.items():
        assert curve == pytest.approx(in_file[name])


def test_tensorboard_reads_it(tmp_path: Path) -> None:
    """Its own reader, of a curve that was resumed before its end."""
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    train(tmp_path, 4)
    train(tmp_path, 8, resume=tmp_path / "checkpoints" / "previous.ckpt")
    events = reader.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    in_file = joined_curves(RunFolder(tmp_path).metrics)
    assert {event.step: event.value for event in events.Scalars("loss/l1")} == pytest.approx(in_file["loss/l1"])
    assert [event.step for event in events.Scalars("loss/l1")] == [2, 4, 6, 8]
