"""Parts, batches, the mean frame, and what is refused."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader

from lit_reenact.callbacks import BatchBudget
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import sha256_of
from lit_reenact.core.schema import FrameImages, Runs, Window
from lit_reenact.datamodules import TrackDataModule, background_plate, subject, track_datamodule
from lit_reenact.datamodules.background_plate import BackgroundPlate
from lit_reenact.datamodules.loading import Rendering
from lit_reenact.tracking.trackfile import load_track, save_track
from lit_reenact.video import Frame, VideoWriter, iterate_frames
from tests.factories import make_data, make_module, make_track, make_trainer


@pytest.fixture
def own_folder(track_folder: Path, tmp_path: Path) -> Path:
    """A copy of the track, as the tracker left it, that a test may change."""
    return Path(shutil.copytree(track_folder, tmp_path / "track", ignore=shutil.ignore_patterns("*.npy")))


def prepared(folder: Path | list[str], **settings: Any) -> TrackDataModule:
    data = make_data(folder, **settings)
    data.prepare_data()
    data.setup()
    return data


def windows_of(data: TrackDataModule, loader: DataLoader[Runs]) -> list[Window]:
    """Each batch with memory of its own, which the next one does not use again."""
    return [Window(*(field.clone() for field in data.on_after_batch_transfer(batch, 0) if field is not None)) for batch in loader]


def equal(first: list[Window], second: list[Window]) -> bool:
    pairs = zip(first, second, strict=True)
    return all(torch.equal(a, b) for one, other in pairs for a, b in zip(one, other, strict=True) if a is not None)


def test_unique_images_are_handed_over_and_become_windows(track_folder: Path) -> None:
    data = prepared(track_folder, loading={"run_length": 4})
    runs = next(iter(data.train_dataloader()))
    assert isinstance(runs, Runs)
    assert isinstance(runs.images, FrameImages)
    assert torch._debug_has_internal_overlap(runs.images.channels) == 0  # dense, or pinning copies it pixel by pixel
    assert runs.images.channels.numel() == runs.images.channels.untyped_storage().nbytes()
    assert runs.images.conditioning.shape[1:] == (9, 32, 32)
    assert runs.images.region.shape[1:] == (32, 32)
    assert len(runs.images.region) == len(runs.images.conditioning) <= 4 + 2 * 2  # two runs, each with two images more
    assert runs.images.conditioning.dtype == runs.images.region.dtype == runs.frame.dtype == torch.uint8
    window = data.on_after_batch_transfer(runs, 0)
    assert window.conditioning.shape == (4, 27, 32, 32)
    assert window.conditioning.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(window.frame, runs.frame.double().mul(2 / 255).sub(1).float(), atol=1e-6)
    current = data.renderer(data.track.parameters[runs.number])
    assert torch.allclose(window.conditioning[:, -9:], current.float() / 127.5 - 1, atol=1e-6)
    assert torch.equal(window.region, data.renderer.regions(data.track.parameters[runs.number]))
    assert torch.equal(window.number, runs.number)
    assert window.actor.tolist() == [0] * 4
    assert torch.equal(window.base, data.base().expand(4, -1, -1, -1))


def test_a_plate_follows_the_mean_frame(track_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = torch.zeros(32, 32, dtype=torch.bool)
    monkeypatch.setattr(background_plate, "PersonSegmenter", lambda: lambda frames: nobody.expand(len(frames), -1, -1))
    data, plain = prepared(track_folder, inputs={"references": 2, "plate": True}), prepared(track_folder)
    base = data.base()
    assert torch.equal(base[:3], plain.base())
    image = BackgroundPlate(data.frames[0], data.track.info.clip_sha256, torch.arange(60)).read()[:3]
    torch.testing.assert_close(base[3:], image / 127.5 - 1)
    window = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert torch.equal(window.base, base.expand(4, -1, -1, -1))


def test_flow_is_told_between_windows_that_follow_each_other(track_folder: Path) -> None:
    data = prepared(track_folder, loading={"run_length": 2, "flow": True})
    followed = 0
    for runs in data.train_dataloader():
        window = data.on_after_batch_transfer(runs, 0)
        assert window.flow.shape == (4, 2, 32, 32)
        expected = [False, *(runs.number[1:] == runs.number[:-1] + 1).tolist()]
        assert window.flow.isfinite().all((1, 2, 3)).tolist() == expected
        assert window.flow.isnan().all((1, 2, 3)).tolist() == [not follows for follows in expected]
        followed += sum(expected)
    assert followed > 0
    for loader in (data.val_dataloader(), prepared(track_folder).train_dataloader()):
        runs = next(iter(loader))
        assert runs.flow.shape == (len(runs.number), 0, 32, 32)


def test_flow_where_no_window_follows_another_is_refused(track_folder: Path) -> None:
    with pytest.raises(ReenactError, match=r"in batches of 4 .* set data.loading.run_length=2"):
        make_data(track_folder, loading={"flow": True})


def test_a_centred_window_has_its_current_frame_in_the_middle(track_folder: Path) -> None:
    data = prepared(track_folder, inputs={"placement": "centred", "stride": 2})
    window = data.on_after_batch_transfer(data.val_dataset[10], 0)
    drawn = data.renderer(data.track.parameters[torch.tensor([73, 75, 77])])
    assert torch.allclose(window.conditioning[0], drawn.flatten(0, 1).float() / 127.5 - 1, atol=1e-6)
    assert window.number.tolist() == [75]
    assert torch.equal(window.region, data.renderer.regions(data.track.parameters[torch.tensor([75])]))


def test_parts_are_apart_by_a_second_and_the_held_out_ones_are_in_order(track_folder: Path) -> None:
    data = prepared(track_folder)
    assert data.train_dataset.number.tolist() == list(range(60))
    assert torch.cat([batch.number for batch in data.val_dataloader()]).tolist() == list(range(65, 90))
    assert torch.cat([batch.number for batch in data.test_dataloader()]).tolist() == list(range(95, 120))
    loader = data.train_dataloader()
    first, second = (torch.cat([batch.number for batch in loader]).tolist() for _ in range(2))
    assert first != second
    assert sorted(first) == sorted(second) == list(range(60))


def test_less_footage_is_the_first_of_it_and_nothing_else_changes(track_folder: Path) -> None:
    data = prepared(track_folder, split={"training_frames": 20})
    assert sorted(torch.cat([batch.number for batch in data.train_dataloader()]).tolist()) == list(range(20))
    assert torch.cat([batch.number for batch in data.test_dataloader()]).tolist() == list(range(95, 120))
    assert torch.equal(data.base(), data.frames[0].mean(torch.arange(20)))


@pytest.mark.parametrize("frames", [2, 61])
def test_footage_that_is_not_there_is_refused(track_folder: Path, frames: int) -> None:
    with pytest.raises(ReenactError, match=rf"training_frames is {frames}: choose 3 \(a window\) to 60 \(the training part"):
        make_data(track_folder, split={"training_frames": frames}).check()


def test_the_seed_of_the_run_is_that_of_the_order(track_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = prepared(track_folder)
    numbers = {}
    for seed in ("3", "4"):
        monkeypatch.setenv("PL_GLOBAL_SEED", seed)
        numbers[seed] = torch.cat([batch.number for batch in data.train_dataloader()]).tolist()
    assert numbers["3"] != numbers["4"]


def test_loading_draws_nothing_from_the_generator_of_the_training(track_folder: Path) -> None:
    data = prepared(track_folder, balance=True)
    before = torch.get_rng_state()
    for loader in (data.train_dataloader(), data.val_dataloader()):
        for _ in loader:
            pass
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("rendering", "workers"), [("cache", 2), ("worker", 0), ("worker", 2), ("device", 0), ("device", 2)])
def test_batches_are_the_same_wherever_they_are_made(own_folder: Path, rendering: Rendering, workers: int) -> None:
    expected = prepared(own_folder, loading={"run_length": 2})
    data = prepared(own_folder, loading={"run_length": 2, "rendering": rendering, "workers": workers})
    assert equal(windows_of(data, data.train_dataloader()), windows_of(expected, expected.train_dataloader()))
    assert equal(windows_of(data, data.val_dataloader()), windows_of(expected, expected.val_dataloader()))


@pytest.mark.parametrize(("rendering", "workers"), [("worker", 2), ("device", 0)])
def test_so_are_batches_of_other_images(own_folder: Path, rendering: Rendering, workers: int) -> None:
    images = ("normals", "eyes", "landmarks", "depth")
    expected = prepared(own_folder, inputs={"conditioning": images})
    data = prepared(own_folder, inputs={"conditioning": images}, loading={"rendering": rendering, "workers": workers})
    made = windows_of(expected, expected.val_dataloader())
    assert equal(windows_of(data, data.val_dataloader()), made)
    assert made[0].conditioning.shape[1:] == (3 * 12, 32, 32)
    usual = prepared(own_folder)
    (beside,) = usual.renderer(usual.track.parameters[made[0].number[:1]])
    eyes = made[0].conditioning[0, -9:-6]
    assert torch.allclose(eyes, beside[6:].float() / 127.5 - 1, atol=1e-6)
    assert torch.equal(made[0].region, windows_of(usual, usual.val_dataloader())[0].region)


def test_everything_is_made_once(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    for module, name in ((track_datamodule, "WindowDataset"), (subject, "make_renderer"), (subject, "conditioning_cache")):
        original = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, of=original, called=name: made.append(called) or of(*a))
    data = make_data(own_folder)
    data.check()
    data.prepare_data()
    data.setup()
    data.setup("test")
    assert sorted(made) == ["WindowDataset"] * 3 + ["conditioning_cache", "make_renderer"]


def test_without_the_cache_nothing_is_rendered_beforehand(own_folder: Path) -> None:
    prepared(own_folder, loading={"rendering": "device"})
    assert not list(own_folder.glob("conditioning-*"))
    prepared(own_folder)
    assert len(list(own_folder.glob("conditioning-*"))) == 1


@pytest.mark.parametrize("workers", [0, 2])
def test_frames_that_do_not_fit_are_decoded(own_folder: Path, workers: int) -> None:
    """Workers open the clip although this process has it open already."""
    expected = prepared(own_folder)
    before = windows_of(expected, expected.val_dataloader())
    data = prepared(own_folder, loading={"frame_cache_gib": 70 * 3 * 32**2 / 2**30, "workers": workers})
    assert data.frames[0].keep == 70
    assert equal(windows_of(data, data.val_dataloader()), before)
    assert torch.equal(data.base(), expected.base())


def test_the_mean_frame_is_that_of_the_valid_training_frames(own_folder: Path) -> None:
    track = load_track(own_folder)
    track.valid[10:20] = False
    save_track(track, own_folder)
    frames = np.stack(list(iterate_frames(own_folder / "clip.mp4"))).astype(np.float64)[:60]
    expected = np.delete(frames, range(10, 20), axis=0).mean(0).transpose(2, 0, 1) / 127.5 - 1
    mean = prepared(own_folder, inputs={"image_size": 64}).base()
    assert mean.shape == (3, 64, 64)
    assert np.abs(mean.numpy() - expected).max() < 1e-5


def test_the_memory_of_a_batch_serves_the_next_one(track_folder: Path) -> None:
    data = prepared(track_folder)
    loader = iter(data.train_dataloader())
    first = data.on_after_batch_transfer(next(loader), 0)
    address, content = first.conditioning.data_ptr(), first.conditioning.clone()
    second = data.on_after_batch_transfer(next(loader), 0)
    assert torch.equal(first.conditioning, content)
    assert second.conditioning.data_ptr() != address
    address = second.conditioning.data_ptr()
    del second
    assert data.on_after_batch_transfer(next(loader), 0).conditioning.data_ptr() == address


def test_in_a_training_all_batches_share_their_memory(track_folder: Path, tmp_path: Path) -> None:
    class Addresses(Callback):
        def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Window, batch_idx: int) -> None:
            seen.append(batch.conditioning.data_ptr())

    seen: list[int] = []
    trainer = make_trainer(tmp_path, Addresses(), BatchBudget(15), limit_val_batches=0, enable_checkpointing=False)
    trainer.fit(make_module(), make_data(track_folder))
    assert len(seen) == 15
    assert len(set(seen)) == 1


@pytest.fixture(scope="module")
def two_actors(track_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The second clip is longer."""
    other = tmp_path_factory.mktemp("other")
    make_track(other, frames=200, seed=1)
    return [str(track_folder), str(other)]


@pytest.mark.parametrize("rendering", ["cache", "worker", "device"])
def test_several_actors_stand_side_by_side(two_actors: list[str], rendering: Rendering) -> None:
    data = prepared(two_actors, loading={"rendering": rendering})
    assert data.base().shape == (2, 3, 32, 32)
    made = windows_of(data, data.train_dataloader())
    number, actor = (torch.cat([getattr(window, name) for window in made]) for name in ("number", "actor"))
    seen = set(zip(actor.tolist(), number.tolist(), strict=True))
    assert seen == {(0, n) for n in range(60)} | {(1, n) for n in range(100)}
    for k, folder in enumerate(two_actors):
        alone = prepared(Path(folder), batch_size=1000)
        (expected,) = windows_of(alone, alone.train_dataloader())
        order = expected.number.argsort()
        for window in made:
            own = window.actor == k
            rows = order[window.number[own]]
            for name in ("conditioning", "frame", "region"):
                assert torch.equal(getattr(window, name)[own], getattr(expected, name)[rows])
            assert torch.equal(window.base[own], alone.base().expand(int(own.sum()), -1, -1, -1))


def test_actors_have_equal_shares_when_balanced(two_actors: list[str]) -> None:
    data = prepared(two_actors, balance=True)
    actor = torch.cat([batch.actor for batch in data.train_dataloader()])
    assert len(actor) == 160
    assert abs(int(actor.sum()) - 80) <= 4


def test_tracks_may_stand_in_a_file(two_actors: list[str], tmp_path: Path) -> None:
    (tmp_path / "near").symlink_to(two_actors[0])
    manifest = tmp_path / "actors.txt"
    manifest.write_text(f"# two people\n\nnear\n{two_actors[1]}\n")
    data = make_data(manifest)
    data.check()
    assert [subject.folder for subject in data.subjects] == [tmp_path / "near", Path(two_actors[1])]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"# nobody\n", "names no track folder"), (b"a\nb\na\n", "a is named twice"), (b"\xff\xfe\x00", "is not a UTF-8 text file")],
)
def test_a_bad_list_of_tracks_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "actors.txt").write_bytes(content)
    with pytest.raises(ReenactError, match=sentence):
        make_data(tmp_path / "actors.txt")


def test_tracks_of_different_face_models_are_refused(
    two_actors: list[str], own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_data([str(own_folder), two_actors[1]])
    first = data.subjects[0]
    first.track = replace(first.track, info=replace(first.track.info, face_model="other", face_model_hash="1"))
    with pytest.raises(ReenactError, match=r"with the face model 'other' and .*other.* with 'builtin'"):
        data.check()


def test_a_missing_clip_is_refused(own_folder: Path) -> None:
    (own_folder / "clip.mp4").unlink()
    with pytest.raises(ReenactError, match=r"clip\.mp4.*missing"):
        make_data(own_folder).check()


def test_another_clip_is_refused(own_folder: Path) -> None:
    with (own_folder / "clip.mp4").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ReenactError, match="not the clip"):
        make_data(own_folder).check()


def test_a_window_longer_than_a_part_is_refused(track_folder: Path) -> None:
    with pytest.raises(ReenactError, match="window of 26"):
        make_data(track_folder, inputs={"window": 26}).check()


def test_images_larger_than_the_clip_are_refused(track_folder: Path) -> None:
    with pytest.raises(ReenactError, match="image_size 128 is larger than the 64 pixels"):
        make_data(track_folder, inputs={"image_size": 128}).check()


def test_an_actor_learned_from_held_out_frames_is_refused(own_folder: Path) -> None:
    track = load_track(own_folder)
    save_track(replace(track, info=replace(track.info, actor_frames=61)), own_folder)
    with pytest.raises(ReenactError, match="first 61 frames"):
        make_data(own_folder).check()


def change_clip(folder: Path, content: Callable[[list[Frame]], list[Frame]], **settings: Any) -> None:
    frames = content(list(iterate_frames(folder / "clip.mp4")))
    with VideoWriter(folder / "clip.mp4", Fraction(5), tags={}, **settings) as video:
        for frame in frames:
            video.write(frame)


@pytest.mark.parametrize(
    ("content", "settings"),
    [(lambda f: f[:-1], {}), (lambda f: [*f, f[-1]], {}), (list, {"crf": 23})],
    ids=["shorter", "longer", "encoded again"],
)
def test_a_clip_that_is_not_the_tracks_own_is_refused(own_folder: Path, content: Any, settings: dict[str, Any]) -> None:
    change_clip(own_folder, content, **settings)
    with pytest.raises(ReenactError, match=r"clip\.mp4 is not the clip that the track beside it was made from"):
        make_data(own_folder).check()


@pytest.mark.parametrize("content", [lambda f: f[:-1], lambda f: [*f, f[-1]]], ids=["shorter", "longer"])
def test_a_track_of_another_length_is_refused(own_folder: Path, content: Any) -> None:
    """Even if it claims the clip."""
    change_clip(own_folder, content)
    track = load_track(own_folder)
    save_track(replace(track, info=replace(track.info, clip_sha256=sha256_of(own_folder / "clip.mp4"))), own_folder)
    with pytest.raises(ReenactError, match=r"clip\.mp4 has (119|121) frames, but the track beside it 120"):
        make_data(own_folder).check()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_parameters_that_are_no_numbers_are_refused(own_folder: Path, value: float) -> None:
    track = load_track(own_folder)
    track.parameters.gaze[70, 2] = value
    save_track(track, own_folder)
    with pytest.raises(ReenactError, match="no finite gaze in frame 70"):
        make_data(own_folder).check()


def test_fractions_that_leave_no_window_are_refused(track_folder: Path) -> None:
    with pytest.raises(ReenactError, match="leave 1 for its validation part, fewer than a window of 3"):
        make_data(track_folder, split={"fractions": (0.5, 0.05)}).check()


def test_a_window_longer_than_the_clip_is_refused(track_folder: Path) -> None:
    with pytest.raises(ReenactError, match="window of 131"):
        make_data(track_folder, inputs={"window": 14, "stride": 10}).check()


def test_a_full_disk_is_one_sentence(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ReenactError, match=r"npy cannot be written \(No space left on device\)"):
        make_data(own_folder).prepare_data()
    assert not list(own_folder.glob("*.part"))


def test_a_part_without_a_whole_window_is_refused(own_folder: Path) -> None:
    track = load_track(own_folder)
    track.valid[65:90] = False
    save_track(track, own_folder)
    with pytest.raises(ReenactError, match=r"the validation part of .*clip\.mp4 has no 3 frames in a row that show the face"):
        make_data(own_folder).check()


def test_a_checkpoint_of_another_clip_is_refused(track_folder: Path) -> None:
    data = make_data(track_folder)
    data.load_state_dict(data.state_dict())
    with pytest.raises(ReenactError, match=r"someone\.mp4"):
        data.load_state_dict({"source": ["someone.mp4"], "clip_sha256": ["0"]})


def anonymous(process: int) -> float:
    """MB of memory that belong to a process alone or to it and its parent, and to no file."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) / 1000


def memory_over_epochs(folder: Path, gib: float) -> list[float]:
    """Anonymous memory of a worker, MB, after each of six epochs."""
    data = prepared(
        folder, inputs={"image_size": 256, "window": 11}, batch_size=16, loading={"workers": 1, "frame_cache_gib": gib}
    )
    loader, used = data.train_dataloader(), []
    for _ in range(6):
        for batch in loader:
            del batch
        used.append(anonymous(loader._iterator._workers[0].pid))  # type: ignore[union-attr]
    return used


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="this system does not tell")
def test_the_memory_of_a_worker_is_small_and_flat(tmp_path: Path) -> None:
    """Over epochs, and whether frames come out of the file or the clip; 60 frames of 256 pixels, all read, would be 51 MB."""
    make_track(tmp_path, size=256)
    for gib in (1.0, 0.0):
        # A process of its own, for a worker has its parent's memory too.
        code = f"import lit_reenact; from {__name__} import *; print(memory_over_epochs(Path({str(tmp_path)!r}), {gib}))"
        # glibc keeps freed memory for later, now more, now less of it; so that what is in use can be seen it must give it back.
        environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "100000", "MALLOC_TRIM_THRESHOLD_": "0"}
        environment["PYTHONPATH"] = os.pathsep.join(sys.path)
        result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
        assert result.returncode == 0, result.stderr[-3000:]
        used = json.loads(result.stdout.splitlines()[-1])
        assert max(used) < 700, used
        assert max(used[2:]) - used[1] < 20, used  # the first epoch fills caches


@pytest.mark.slow
def test_two_processes_share_what_one_would_see(own_folder: Path, tmp_path: Path) -> None:
    """The same windows in every global batch, and held-out means that are those of a single process."""
    script, root = Path(__file__).with_name("load_on_ranks.py"), Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    seen = {}
    for ranks in (1, 2):
        command = [sys.executable, script, own_folder, str(ranks), tmp_path / f"{ranks}.json"]
        result = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300)
        assert result.returncode == 0, result.stderr[-3000:]
        seen[ranks] = json.loads((tmp_path / f"{ranks}.json").read_text())
    assert len(seen[1]["trained"]) == 2 * 7
    assert seen[2]["trained"] == seen[1]["trained"]
    assert seen[1]["tested"] == [list(range(95, 120))]
    assert seen[2]["tested"] == [list(range(95, 107)), list(range(107, 120))]
    measured = [name for name in seen[1]["metrics"] if "/" in name]
    assert len(measured) == 6  # LPIPS of frames and faces, sharpness and face L1 among them
    for name in measured:
        assert seen[2]["metrics"][name] == pytest.approx(seen[1]["metrics"][name], rel=1e-4)
