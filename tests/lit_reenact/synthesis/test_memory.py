"""A minute of video takes no more memory than ten seconds, although two clips and the original are read meanwhile."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from lit_reenact.core.files import sha256_of
from lit_reenact.core.schema import CropBox
from lit_reenact.tracking.trackfile import save_track
from tests.factories import make_module, make_track
from tests.lit_reenact.tracking.test_memory import peak_memory
from tests.video_files import numbered, write_video

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from /proc"),
]

SECONDS = (10, 60)
FPS = 10

WRITE = """
import sys
from pathlib import Path
from lit_reenact.synthesis import ReenactmentSettings, write_reenactment
from lit_reenact.synthesis.inference import load_generator
from lit_reenact.tracking.tracked_clip import TrackedClip
source, target = (TrackedClip.load(Path(folder)) for folder in sys.argv[1:3])
checkpoint, original, output = map(Path, sys.argv[3:])
settings = ReenactmentSettings(original=original)
write_reenactment(source, target, load_generator(checkpoint), output, settings, progress=False)
"""


def test_memory_does_not_grow_with_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The target is shorter than the source, so its frames are played forwards and backwards. A frame's parameters and landmarks
    are 6 kB, of which some copies exist for a moment; a full frame is 430 kB.
    """
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    module, checkpoint = make_module(), tmp_path / "fit.ckpt"
    torch.save({"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}, checkpoint)
    original = write_video(
        tmp_path / "original.mp4", [numbered(k % 256, 360, 400) for k in range(200)], list(range(200)), Fraction(1, FPS)
    )
    target = make_track(tmp_path / "target", frames=200, size=32, fps=Fraction(FPS))
    info = replace(target.info, source_sha256=sha256_of(original), crop=CropBox(30, 0, 360))
    save_track(replace(target, info=info), tmp_path / "target")
    peaks = []
    for seconds in SECONDS:
        source = tmp_path / f"source-{seconds}"
        make_track(source, frames=seconds * FPS, size=32, fps=Fraction(FPS), seed=1)
        words = (source, tmp_path / "target", checkpoint, original, tmp_path / f"{seconds}.mp4")
        peaks.append(peak_memory("-c", WRITE, *map(str, words)))
    print(f"peaks of anonymous memory: {peaks} MB")
    assert peaks[1] - peaks[0] < 0.05 * (SECONDS[1] - SECONDS[0]) * FPS, peaks
