"""Trainings in processes of their own, played by a tiny program that does what its first argument says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lit_reenact.experiments import processes
from lit_reenact.experiments.processes import Outcome, run_training

PROGRAM = """
import os, signal, sys, time
behaviour = sys.argv[1]
print("begins", behaviour, os.environ.get("COLOUR"), flush=True)
if behaviour == "wait":
    def save(number, frame):
        print("saved after", signal.Signals(number).name, flush=True)
        sys.exit(130)
    signal.signal(signal.SIGTERM, save)
    print("ready", flush=True)
    time.sleep(60)
elif behaviour == "write":
    os.write(int(sys.argv[2]), b"inherited")
elif behaviour == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
elif behaviour == "sentence":
    sys.exit("lit-reenact: no such weather\\nwandb: synced")
elif behaviour == "crash":
    print("lit-reenact: warning: it gets cloudy", flush=True)
    raise ValueError("too many clouds")
else:
    sys.exit(int(behaviour))
"""


@pytest.fixture(autouse=True)
def _fake_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    monkeypatch.setattr(processes, "FIT", (sys.executable, "-S", str(tmp_path / "program.py")))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "log.txt"


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        ("0", Outcome("finished")),
        ("sentence", Outcome("failed", "no such weather")),
        ("crash", Outcome("failed", "ValueError: too many clouds")),
        ("killed", Outcome("failed", "killed by SIGKILL")),
        ("3", Outcome("failed", "begins 3 None")),
    ],
)
def test_the_outcome_says_why_a_training_failed(behaviour: str, outcome: Outcome, log: Path) -> None:
    assert run_training("dawn", [behaviour], log, {}) == outcome


def test_the_log_grows_and_an_earlier_failure_is_not_repeated(log: Path) -> None:
    run_training("dawn", ["sentence"], log, {"COLOUR": "red"})
    assert run_training("dawn", ["3"], log, {"COLOUR": "blue"}) == Outcome("failed", "begins 3 blue")
    assert "begins sentence red" in log.read_text()


def test_a_file_can_be_handed_on(log: Path, tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        assert run_training("dawn", ["write", str(lock.fileno())], log, {}, [lock.fileno()]) == Outcome("finished")
    assert (tmp_path / "lock").read_text() == "inherited"


def test_a_hopeless_training_is_stopped_and_saves(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "POLL_SECONDS", 0.02)
    assert run_training("dawn", ["wait"], log, {}, is_hopeless=lambda: "ready" in log.read_text()) == Outcome("stopped")
    assert "saved after SIGTERM" in log.read_text()


@pytest.mark.parametrize("code", [130, os.EX_TEMPFAIL])
def test_a_training_that_was_interrupted_interrupts_this_process(code: int, log: Path) -> None:
    with pytest.raises(KeyboardInterrupt, match="dawn was cut off; the same command resumes it"):
        run_training("dawn", [str(code)], log, {})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_is_passed_on_once(number: signal.Signals, log: Path) -> None:
    def interrupt() -> None:
        while not log.is_file() or "ready" not in log.read_text():
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt, match="dawn was cut off"):
        run_training("dawn", ["wait"], log, {})
    thread.join()
    assert log.read_text().count("saved after SIGTERM") == 1
    assert signal.getsignal(number) == before


def test_a_process_becomes_a_training(tmp_path: Path) -> None:
    code = f"""from lit_reenact.experiments import processes
processes.FIT = {processes.FIT!r}
print("before")
processes.become_training(["3"], {{"COLOUR": "red"}})"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "before\nbegins 3 red\n")


@pytest.mark.slow
def test_a_training_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the real program
    log = tmp_path / "runs" / "log.txt"
    outcome = run_training("dawn", ["--config", str(tmp_path / "nowhere.yaml")], log, {"WANDB_MODE": "disabled"})
    assert outcome.state == "failed"
    assert "nowhere.yaml" in outcome.reason
