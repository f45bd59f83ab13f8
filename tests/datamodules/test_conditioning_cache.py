"""The cache holds what the renderer draws, and nothing stale."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules.conditioning_cache import cache_path, ensure_cache
from lit_reenact.face import load_face_model
from lit_reenact.rendering.conditioning import ConditioningRenderer
from lit_reenact.schema import Track
from lit_reenact.tracking.trackfile import load_track

SIZE = 32


@pytest.fixture
def track(track_folder: Path, tmp_path: Path) -> Track:
    shutil.copy(track_folder / "track.safetensors", tmp_path)
    return load_track(tmp_path)


def make_renderer(track: Track) -> ConditioningRenderer:
    return ConditioningRenderer(load_face_model("builtin"), track.actor, track.camera, SIZE)


def test_it_holds_the_images_of_every_frame(track: Track, tmp_path: Path) -> None:
    path = ensure_cache(track, tmp_path, make_renderer(track), SIZE, progress=False)
    images = np.load(path, mmap_mode="r")
    assert images.shape == (len(track), 10, SIZE, SIZE)
    for frame in (0, 50, len(track) - 1):
        drawn = make_renderer(track)(track.parameters[frame : frame + 1])[0]
        assert np.array_equal(images[frame, :9], drawn.numpy())
        regions = make_renderer(track).regions(track.parameters[frame : frame + 1])[0]
        assert np.array_equal(images[frame, 9], regions.numpy())
    assert images[50, 3:6].any()


def test_it_is_rendered_once(track: Track, tmp_path: Path) -> None:
    path = ensure_cache(track, tmp_path, make_renderer(track), SIZE, progress=False)
    written = path.stat().st_mtime_ns
    assert ensure_cache(track, tmp_path, make_renderer(track), SIZE, progress=False).stat().st_mtime_ns == written


def test_a_changed_track_is_rendered_anew_and_the_stale_images_go(track: Track, tmp_path: Path) -> None:
    stale = ensure_cache(track, tmp_path, make_renderer(track), SIZE, progress=False)
    other_size = tmp_path / "conditioning-16-0.npy"
    other_size.touch()
    turned = replace(track, parameters=track.parameters.replace(rotation=track.parameters.rotation + 0.01))
    fresh = ensure_cache(turned, tmp_path, make_renderer(turned), SIZE, progress=False)
    assert fresh.is_file()
    assert not stale.exists()
    assert other_size.exists()


def test_the_name_tells_everything_that_matters_apart(track: Track, tmp_path: Path) -> None:
    darker = replace(track, actor=replace(track.actor, reflectance=track.actor.reflectance * 0.9))
    nearer = replace(track, camera=replace(track.camera, focal=track.camera.focal * 1.01))
    retold = replace(track, info=replace(track.info, notes=("another note",)))
    names = [cache_path(t, tmp_path, SIZE).name for t in (track, darker, nearer)] + [cache_path(track, tmp_path, 16).name]
    assert len(set(names)) == 4
    assert cache_path(retold, tmp_path, SIZE) == cache_path(track, tmp_path, SIZE)


def test_an_interrupted_rendering_leaves_nothing(track: Track, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    renderer = make_renderer(track)
    drawn = iter([torch.zeros(16, 9, SIZE, SIZE, dtype=torch.uint8)])
    monkeypatch.setattr(ConditioningRenderer, "__call__", lambda self, parameters: next(drawn))
    with pytest.raises(StopIteration):
        ensure_cache(track, tmp_path, renderer, SIZE, progress=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["track.safetensors"]
