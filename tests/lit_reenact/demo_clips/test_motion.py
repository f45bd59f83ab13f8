from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from lit_reenact.core.split import temporal_split
from lit_reenact.demo_clips.clips import RECIPES
from lit_reenact.demo_clips.motion import CHANNELS, MotionScript, sample_motion


@pytest.fixture(scope="module")
def motions() -> dict[str, MotionScript]:
    return {name: recipe.motion() for name, recipe in RECIPES.items()}


def test_the_same_seed_gives_the_same_motion_and_another_seed_another() -> None:
    first, again, other = (sample_motion(540, 25, seed) for seed in (1, 1, 4))
    assert all(np.array_equal(first[name], again[name]) for name in CHANNELS)
    assert not any(np.allclose(first[name], other[name]) for name in CHANNELS)


@pytest.mark.parametrize("name", RECIPES)
def test_every_embedded_clip_can_be_split(name: str) -> None:
    recipe = RECIPES[name]
    if name != "source":  # nothing is trained on the driving clip
        temporal_split(recipe.frames, recipe.fps, window=11)
    assert len(recipe.motion()) == recipe.frames


@pytest.mark.parametrize("name", RECIPES)
def test_channels_are_independent(name: str, motions: dict[str, MotionScript]) -> None:
    motion = motions[name]
    alike = {
        pair: np.corrcoef(motion[pair[0]], motion[pair[1]])[0, 1]
        for pair in combinations(CHANNELS, 2)
        if pair != ("blinkLeft", "blinkRight")  # lids close together
    }
    assert max(abs(r) for r in alike.values()) < 0.3, max(alike, key=lambda pair: abs(alike[pair]))


@pytest.mark.parametrize("name", RECIPES)
def test_head_turns_reach_their_range(name: str, motions: dict[str, MotionScript]) -> None:
    for channel, reach in (("yaw", 18), ("pitch", 8.5), ("roll", 7.5)):
        assert motions[name][channel].min() <= -reach
        assert motions[name][channel].max() >= reach
    assert motions[name]["jaw"].min() == 0
    assert motions[name]["jaw"].max() == 1
    assert (motions[name]["jaw"] < 0.03).mean() > 0.1, "pauses"


@pytest.mark.parametrize("name", ["target", "tiny"])
def test_held_out_frames_lie_within_the_trained_range_and_repeat_none(name: str, motions: dict[str, MotionScript]) -> None:
    motion, recipe = motions[name], RECIPES[name]
    split = temporal_split(recipe.frames, recipe.fps)
    values = np.stack([motion[channel] for channel in CHANNELS], 1)
    values /= np.ptp(values, axis=0)
    trained, held_out = values[split.train.start : split.train.stop], values[split.test.start : split.test.stop]
    drawn = [CHANNELS.index(c) for c in CHANNELS if c not in ("blinkRight", "light")]  # these have noise of their own
    assert (held_out.min(0) >= trained.min(0) - 0.02)[drawn].all()
    assert (held_out.max(0) <= trained.max(0) + 0.02)[drawn].all()
    assert (np.ptp(held_out, axis=0) > 0.6)[drawn].all()
    nearest = np.abs(held_out[:, None] - trained[None]).max(-1).min(1)  # the channel that differs most
    assert nearest.min() > 0.05, "a test frame is nearly a copy of a training frame"


def test_a_mirror_turns_what_has_a_side() -> None:
    motion = sample_motion(540, 25, seed=1)
    seen, mirrored = motion.at(100), motion.mirror(100)
    assert mirrored["yaw"] == -seen["yaw"]
    assert mirrored["pitch"] == seen["pitch"]
    assert mirrored["blinkLeft"] == seen["blinkRight"]
