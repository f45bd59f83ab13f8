"""All steps of a user: two clips, their tracks, a short training, a reenacted video."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lit_reenact.commands.main import main
from lit_reenact.demo_clips import clips
from lit_reenact.provenance import is_ai_generated
from lit_reenact.tracking.trackfile import load_track
from lit_reenact.video import FrameReader, probe, read_tags

SOURCE_FRAMES = 250
BATCHES = 20


def run(*words: object) -> None:
    assert main([str(word) for word in words]) == 0


def test_from_clips_to_a_reenacted_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setitem(clips.RECIPES, "source", replace(clips.RECIPES["source"], size=128))
    target, source = (clips.ensure_embedded_clip(name, tmp_path / "clips") for name in ("tiny", "source"))
    tracks = tmp_path / "tracks"

    run("track", target, source, "-o", tracks, "--size", 128)
    assert len(load_track(tracks / "source")) == SOURCE_FRAMES
    assert load_track(tracks / "tiny").valid.all()
    assert (tracks / "tiny" / "report.html").is_file()

    small = (
        "--model.inputs.image_size=64",
        "--model.generator.levels=5",
        "--model.generator.channels=8",
        "--data.batch_size=4",
        "--trainer.accelerator=cpu",
    )
    config = (
        "--config",
        Path(__file__).parents[1] / "configs" / "demo.yaml",
        "--track",
        tracks / "tiny",
        "--output",
        tmp_path,
        *small,
    )
    run("fit", *config, f"--budget.max_batch_steps={BATCHES}", f"--trainer.val_check_interval={BATCHES}")
    checkpoint = tmp_path / "demo" / "seed-0" / "checkpoints" / "best.ckpt"

    output = tmp_path / "out.mp4"
    words = ("--source", tracks / "source", "--target", tracks / "tiny", "--checkpoint", checkpoint, "--fps", "source")
    run("reenact", *words, "-o", output)
    beside = tmp_path / "out_side_by_side.mp4"
    for video, width in ((output, 64), (beside, 3 * 64)):
        info = probe(video)
        assert (info.frame_count, info.width, info.height) == (SOURCE_FRAMES, width, 64)
        assert info.fps == probe(source).fps
        assert info.has_audio
        assert is_ai_generated(read_tags(video))
        assert len(FrameReader(video)) == SOURCE_FRAMES  # decord reads it too
    assert FrameReader(output).read([0, SOURCE_FRAMES - 1]).float().std() > 10
    assert not list(tmp_path.rglob("*.part"))
