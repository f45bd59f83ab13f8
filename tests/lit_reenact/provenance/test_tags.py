"""Metadata tags of generated videos and of recordings, read back from files."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np

from lit_reenact.provenance import ai_generated_tags, is_ai_generated, recording_tags
from lit_reenact.video import VideoWriter, read_tags


def _write(path: Path, tags: dict[str, str]) -> dict[str, str]:
    with VideoWriter(path, Fraction(25), tags=tags) as video:
        for _ in range(3):
            video.write(np.zeros((32, 32, 3), np.uint8))
    return read_tags(path)


def test_the_tags_of_a_generated_video_say_so_and_name_its_inputs(tmp_path: Path) -> None:
    tags = _write(tmp_path / "made.mp4", ai_generated_tags("A driven by B", target_sha256="12ab"))
    assert is_ai_generated(tags)
    assert tags["title"] == "A driven by B"
    assert json.loads(tags["description"])["target_sha256"] == "12ab"


def test_a_recording_does_not_claim_to_be_generated(tmp_path: Path) -> None:
    assert not is_ai_generated(_write(tmp_path / "clip.mp4", recording_tags("A", source="a.mp4")))
