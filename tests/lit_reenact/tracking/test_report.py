"""The report page and its sentences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from lit_reenact.tracking.report import choose_frames, failures, write_report
from tests.factories import make_track


def test_report_is_written_and_needs_nothing_else(tmp_path: Path) -> None:
    track = make_track(tmp_path, frames=40)
    valid = torch.ones(40, dtype=torch.bool)
    valid[10:14] = False
    error = torch.ones(40)
    error[30] = 9.0
    found = track.landmarks.found.clone()
    found[10:14] = False
    warnings = ("2 faces were seen; the <largest> is followed",)
    track = replace(
        track,
        valid=valid,
        error=error,
        landmarks=replace(track.landmarks, found=found),
        info=replace(track.info, warnings=warnings),
    )
    text = write_report(track, tmp_path).read_text()
    assert "data:image/png;base64," in text
    assert text.count("<svg") == 1
    assert 'src="http' not in text
    assert "&lt;largest&gt;" in text
    assert "frames 10-13 are left out of training: no face was seen" in text
    assert "frames 30-30 fit badly" in text
    assert "photometric error</td><td>0.0 of 255 levels on skin in held-out frames" in text
    assert (tmp_path / "report.png").stat().st_size > 1000
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_failures_of_a_good_track_are_none(tmp_path: Path) -> None:
    assert failures(make_track(tmp_path, frames=12)) == []


def test_chosen_frames_are_valid_and_spread() -> None:
    valid = torch.ones(100, dtype=torch.bool)
    valid[:10] = False
    chosen = choose_frames(valid)
    assert chosen[0] == 10
    assert chosen[-1] == 99
    assert len(chosen) == 8
