"""Frames at irregular times in a video of constant rate."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from lit_reenact.live.recording import Recording
from lit_reenact.video import VideoWriter, iterate_frames
from tests.video_files import number_of, numbered


@pytest.mark.parametrize(
    ("moments", "expected"),
    [
        ([7.0, 7.1, 7.2, 7.3], [0, 1, 2, 3]),
        ([0.0, 0.29, 0.4], [0, 0, 0, 1, 2]),  # the second comes late: the first is repeated
        ([0.0, 0.01, 0.02, 0.1], [0, 3]),  # frames that come too early are left out
    ],
)
def test_each_frame_is_shown_when_it_is_due(tmp_path: Path, moments: list[float], expected: list[int]) -> None:
    with VideoWriter(tmp_path / "a.mp4", Fraction(10), tags={}) as video:
        recording = Recording(video)
        for number, moment in enumerate(moments):
            recording.write(numbered(number), moment)
    assert [number_of(frame) for frame in iterate_frames(tmp_path / "a.mp4")] == expected
