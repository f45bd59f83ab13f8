from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from skimage.data import astronaut

from lit_reenact.commands.main import main
from lit_reenact.video import VideoWriter


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, np.ndarray, int], Path]:
    def video(name: str, image: np.ndarray, frames: int) -> Path:
        with VideoWriter(tmp_path / name, Fraction(25), tags={}) as writer:
            for _ in range(frames):
                writer.write(image)
        return tmp_path / name

    return video


def test_it_describes_the_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    for what in ("Python 3.", "torch 2.", "weights of the metrics", "Weights & Biases", "lit-reenact demo"):
        assert what in out


def test_a_short_portrait_is_usable_with_hints(write: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    video = write("portrait.mp4", np.ascontiguousarray(astronaut()[:300, 80:380]), 30)
    assert main(["doctor", str(video)]) == 0
    out = capsys.readouterr().out
    assert "30 frames, 300x300, 25.00 frames/s, 1.2 s, no audio" in out
    assert "a face in 100 %" in out
    assert "as a target it is short" in out
    assert "the face is small" in out  # it is about 100 pixels high


def test_a_wall_and_a_missing_file_are_problems(write: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    wall = write("wall.mp4", np.full((200, 200, 3), 128, np.uint8), 12)
    assert main(["doctor", str(wall), "missing.mp4"]) == 2
    problems = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  problem")]
    assert len(problems) == 2
    assert "no face" in problems[0]
    assert "missing.mp4" in problems[1]
