"""Checkpoint that a run goes on from, and curves of a run over several starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lit_reenact.core.errors import ReenactError
from lit_reenact.training.run_folder import AnotherRunError, RunFolder, joined_curves


def cut(content: bytes) -> bytes:
    """Cut a file as a full disk or a crash leaves it."""
    return content[: len(content) // 2]


def flip(content: bytes) -> bytes:
    """One bit in the middle of a weight."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """With ``last`` of batch step 20 and ``previous`` of 10."""
    run = RunFolder(tmp_path)
    run.last.parent.mkdir()
    for path, step in ((run.last, 20), (run.previous, 10)):
        torch.save({"batch_step": step, "weights": torch.rand(1000)}, path)
    return run


def test_it_goes_on_from_the_last_one(run: RunFolder) -> None:
    assert (run.newest(), run.batch_step()) == (run.last, 20)


@pytest.mark.parametrize(
    "damage", [cut, flip, lambda content: b"", lambda content: None], ids=["cut", "flipped", "empty", "none"]
)
def test_or_from_the_one_before(run: RunFolder, damage: Callable[[bytes], bytes | None]) -> None:
    content = damage(run.last.read_bytes())
    run.last.unlink()
    if content is not None:
        run.last.write_bytes(content)
    assert (run.newest(), run.batch_step()) == (run.previous, 10)


def test_nothing_whole_is_refused(run: RunFolder) -> None:
    for path in (run.last, run.previous):
        path.write_bytes(cut(path.read_bytes()))
    with pytest.raises(ReenactError, match=r"last\.ckpt is damaged: remove"):
        run.newest()


def test_a_new_run_has_none(tmp_path: Path) -> None:
    assert (RunFolder(tmp_path).newest(), RunFolder(tmp_path).batch_step()) == (None, 0)


def settings(channels: int, workers: int = 0) -> dict[str, Any]:
    return {"model": {"generator": {"channels": channels}}, "data": {"loading": {"workers": workers}}}


def test_another_configuration_is_refused_whichever_checkpoint_there_is(run: RunFolder) -> None:
    run.claim(settings(8))
    run.last.unlink()
    with pytest.raises(ReenactError, match=r"model\.generator\.channels = 8, this command has 9"):
        run.claim(settings(9))
    run.claim(settings(8, workers=2))


def test_a_run_from_before_protocols_goes_on_with_the_default_one(run: RunFolder) -> None:
    run.claim({"data": {"split": {"training_frames": None}}})
    with pytest.raises(ReenactError, match=r"data\.split\.protocol = last-fifth, this command has insta-350"):
        run.claim({"data": {"split": {"training_frames": None, "protocol": "insta-350"}}})
    run.claim({"data": {"split": {"training_frames": None, "protocol": "last-fifth"}}})


def test_a_run_of_an_earlier_version_is_refused_in_words(run: RunFolder) -> None:
    run.config.write_text("model:\n  channels: 8\n  lambda_l1: 100.0\n")
    with pytest.raises(
        AnotherRunError,
        match=r"earlier version .* model\.generator\.channels was called model\.channels: give .* --name, or remove",
    ):
        run.claim(settings(8))
    assert run.config.read_text() == "model:\n  channels: 8\n  lambda_l1: 100.0\n"


def test_of_what_was_trained_twice_the_later_counts(tmp_path: Path) -> None:
    logs = {
        "version_2": "batch_step,loss/l1,step,val/psnr\n6.0,0.3,5,\n8.0,0.2,7,\n,,7,20.0\n",
        "version_10": "batch_step,epoch,loss/l1,step\n8.0,0,0.1,7\n10.0,1,0.05,9\n",
    }
    for name, text in logs.items():
        (tmp_path / "metrics" / name).mkdir(parents=True)
        (tmp_path / "metrics" / name / "metrics.csv").write_text(text)
    curves = joined_curves(RunFolder(tmp_path).metrics)
    assert curves == {"loss/l1": {6: 0.3, 8: 0.1, 10: 0.05}, "val/psnr": {8: 20.0}}
