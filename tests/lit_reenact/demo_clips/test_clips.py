from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from lit_reenact.core.errors import ReenactError
from lit_reenact.demo_clips import clips
from lit_reenact.demo_clips.clips import RECIPES, ensure_embedded_clip
from lit_reenact.demo_clips.motion import load_motion
from lit_reenact.demo_clips.speech import RATE, synthesise
from lit_reenact.landmarks.detection import detect
from lit_reenact.metrics import mouth_opening
from lit_reenact.video import iterate_frames, probe, read_tags


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_embedded_clip("tiny", tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def frames(tiny: Path) -> list[npt.NDArray[np.uint8]]:
    return list(iterate_frames(tiny))


def test_the_clip_holds_what_its_recipe_says(tiny: Path, frames: list[npt.NDArray[np.uint8]]) -> None:
    info, recipe = probe(tiny), RECIPES["tiny"]
    assert (info.frame_count, info.fps, info.width, info.height) == (recipe.frames, recipe.fps, recipe.size, recipe.size)
    assert len(frames) == recipe.frames
    assert info.has_audio


def test_the_clip_says_that_it_is_synthetic(tiny: Path) -> None:
    comment = read_tags(tiny)["comment"]
    assert "synthetic" in comment
    assert "public-domain photograph" in comment


def test_the_mouth_is_seen_to_follow_the_jaw(tiny: Path, frames: list[npt.NDArray[np.uint8]]) -> None:
    motion = load_motion(tiny.with_suffix(".motion.safetensors"))
    order = np.argsort(motion["lip_gap"])
    chosen = [*order[:8], *order[-8:]]
    detection = detect([frames[t] for t in chosen], total=None, progress=None)
    assert detection.found.all()
    seen = mouth_opening(detection.points).numpy()
    assert seen[:8].mean() < 0.08
    assert seen[8:].mean() > 0.18


def test_no_frame_repeats_another(frames: list[npt.NDArray[np.uint8]]) -> None:
    small = np.stack(frames).astype(np.int16)[:, ::4, ::4].reshape(len(frames), -1)
    nearest = [np.abs(small[:t] - small[t]).mean(1).min() for t in range(1, len(small))]
    assert min(nearest) > 1.5


def test_what_is_there_is_kept_and_another_version_is_generated_again(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generated: list[str] = []
    monkeypatch.setattr(clips, "_generate", lambda recipe, name, clip, motion_file: generated.append(name))
    assert ensure_embedded_clip("tiny", tiny.parent) == tiny
    assert generated == []
    monkeypatch.setattr(clips, "VERSION", clips.VERSION + 1)
    ensure_embedded_clip("tiny", tiny.parent)
    assert generated == ["tiny"]


def test_an_unknown_clip_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ReenactError, match="target, source, tiny"):
        ensure_embedded_clip("huge", tmp_path)


def test_the_voice_follows_the_jaw() -> None:
    jaw = np.repeat([0.0, 1.0, 0.0, 0.5, 0.0], 25)
    sound = synthesise(jaw, fps=25.0)
    assert len(sound) == 5 * RATE
    loudness = np.sqrt((sound.reshape(5, RATE)[:, RATE // 4 : -RATE // 4] ** 2).mean(1))
    assert loudness[[0, 2, 4]].max() < 1e-4
    assert 0.01 < loudness[3] < loudness[1] < 0.3
    assert np.abs(sound).max() <= 0.25
