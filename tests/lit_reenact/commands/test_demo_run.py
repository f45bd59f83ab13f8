"""The demo's own manners; the way it goes has tests of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from lit_reenact.commands import demo_run
from lit_reenact.core.errors import ReenactError
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.training.run_folder import RunFolder
from tests.factories import make_track


def test_a_network_of_another_target_is_not_taken_and_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    make_track(tmp_path / "track", frames=200, size=128)
    another = RunFolder(tmp_path / "run" / "seed-0")
    another.last.parent.mkdir(parents=True)
    torch.save({"batch_step": 3}, another.last)
    another.config.write_text(yaml.safe_dump({"data": {"track": "someone else"}}))
    with pytest.raises(ReenactError, match=r"run/seed-0 holds a network that was trained on another target .*: add --retrain"):
        demo_run._train(tmp_path, TrackedClip.load(tmp_path / "track"), retrain=False, steps=1)
    assert another.batch_step() == 3
