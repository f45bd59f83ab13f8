"""Cache of rendered images: complete and never stale."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lit_reenact.core.schema import CONDITIONING, Track
from lit_reenact.datamodules.cache_file import CacheFile
from lit_reenact.datamodules.conditioning_cache import CachedImages, DrawnImages, conditioning_cache, ensure_cache
from lit_reenact.face import load_face_model
from lit_reenact.rendering.conditioning import ConditioningRenderer
from lit_reenact.tracking.trackfile import load_track

SIZE = 32


@pytest.fixture
def track(track_folder: Path, tmp_path: Path) -> Track:
    shutil.copy(track_folder / "track.safetensors", tmp_path)
    return load_track(tmp_path)


def make_renderer(track: Track) -> ConditioningRenderer:
    return ConditioningRenderer(load_face_model("builtin"), track.actor, track.camera, SIZE)


def write_cache(track: Track, folder: Path) -> CacheFile:
    file = conditioning_cache(track, folder, SIZE, CONDITIONING)
    ensure_cache(file, make_renderer(track), track.parameters, progress=False)
    return file


def test_the_cache_holds_the_images_of_every_frame(track: Track, tmp_path: Path) -> None:
    read = CachedImages(write_cache(track, tmp_path))
    frames = torch.tensor([0, 50, 51, len(track) - 1])
    images = read(frames)
    assert images.conditioning.shape == (4, 9, SIZE, SIZE)
    for conditioning, region, frame in zip(images.conditioning, images.region, frames.tolist(), strict=True):
        one = track.parameters[frame : frame + 1]
        assert torch.equal(conditioning, make_renderer(track)(one)[0])
        assert torch.equal(region, make_renderer(track).regions(one)[0])
    assert images.conditioning[1, 3:6].any()
    drawn = DrawnImages(make_renderer(track), track.parameters)(frames)
    assert torch.equal(images.channels, drawn.channels)


def test_an_intact_cache_is_not_rendered_again(track: Track, tmp_path: Path) -> None:
    written = write_cache(track, tmp_path).path.stat().st_mtime_ns
    assert write_cache(track, tmp_path).path.stat().st_mtime_ns == written


def test_a_damaged_file_is_rendered_again(track: Track, tmp_path: Path) -> None:
    path = write_cache(track, tmp_path).path
    whole = path.read_bytes()
    path.write_bytes(whole[:-100] + bytes(100))
    assert write_cache(track, tmp_path).path.read_bytes() == whole


def test_a_changed_track_is_rendered_again_and_stale_images_are_removed(track: Track, tmp_path: Path) -> None:
    stale = write_cache(track, tmp_path).path
    others = [tmp_path / f"conditioning-{name}-0.npy" for name in ("diffuse-correspondence-eyes-16", "diffuse-32", "eyes-32")]
    for other in others:  # of another size, and of other images, which another training may read
        other.touch()
    turned = replace(track, parameters=track.parameters.replace(rotation=track.parameters.rotation + 0.01))
    fresh = write_cache(turned, tmp_path).path
    assert fresh.is_file()
    assert not stale.exists()
    assert all(other.exists() for other in others)


def test_the_name_changes_with_everything_that_matters(track: Track, tmp_path: Path) -> None:
    darker = replace(track, actor=replace(track.actor, reflectance=track.actor.reflectance * 0.9))
    nearer = replace(track, camera=replace(track.camera, focal=track.camera.focal * 1.01))
    retold = replace(track, info=replace(track.info, warnings=("another warning",)))
    names = [conditioning_cache(t, tmp_path, SIZE, CONDITIONING).path.name for t in (track, darker, nearer)]
    names.append(conditioning_cache(track, tmp_path, 16, CONDITIONING).path.name)
    names += [conditioning_cache(track, tmp_path, SIZE, images).path.name for images in (CONDITIONING[:2], CONDITIONING[::-1])]
    assert len(set(names)) == 6
    assert len({name.rsplit("-", 1)[1] for name in names}) == 6
    same = [conditioning_cache(t, tmp_path, SIZE, CONDITIONING).path for t in (track, retold)]
    assert same[0] == same[1]
