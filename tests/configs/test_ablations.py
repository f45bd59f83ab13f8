"""Every shipped ablation says how it is run, and trains a batch as a difference from the demo's configuration."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import EMPTY, Landmarks
from lit_reenact.experiments.ablation.definition import Ablation, read_ablations
from lit_reenact.experiments.ablation.study import Study
from lit_reenact.experiments.ablation.tracking import track_again
from lit_reenact.face import load_face_model
from lit_reenact.rendering.renderer import make_renderer
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.tracking.trackfile import TRACK_NAME, save_track
from lit_reenact.training import fit
from tests.configs.test_configs import SHORT, SMALL
from tests.configs.test_launch import JOB, LAUNCH, launch
from tests.factories import make_track
from tests.lit_reenact.tracking.test_tracker import project_face

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
FILES = sorted((CONFIGS / "ablations").glob("*.yaml"))
ABLATIONS = read_ablations(FILES)
BATCH = [*SMALL, *SHORT, "--loggers=[]"]


@pytest.fixture(scope="module")
def track_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ablations") / "track"
    make_track(folder, frames=80, size=64)
    return folder


@pytest.fixture(scope="module")
def landmarks_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A track that knows the landmarks of its frames, but not too well."""
    folder = tmp_path_factory.mktemp("landmarks") / "track"
    made = make_track(folder, frames=176, size=64, fps=Fraction(30))
    points = project_face(made)
    points[..., :2] += 0.3 * torch.randn(points[..., :2].shape, generator=torch.Generator().manual_seed(0))
    info = replace(
        made.info, settings={"actor_fraction": 0.5, "texture_size": 64, "texture_frames": 8, "skin_points": 200, "size": 64}
    )
    save_track(replace(made, landmarks=Landmarks(points, made.landmarks.found), info=info), folder)
    return folder


def test_the_questions_that_are_asked() -> None:
    asked = {"", "conditioning", "window", "losses", "discriminator", "footage", "tracker", "earlier approaches", "augmentation"}
    assert {ablation.question for ablation in ABLATIONS} >= asked
    assert {len(ablation.changes) for ablation in ABLATIONS if ablation.question == "window"} == {1}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_opens_with_its_command(file: Path) -> None:
    assert file.read_text().startswith(f"# lit-reenact ablate configs/ablations/{file.name} --track outputs/tracks/NAME\n#\n# ")


@pytest.mark.parametrize("ablation", [one for one in ABLATIONS if not one.tracker], ids=lambda ablation: ablation.name)
def test_it_trains_a_batch(ablation: Ablation, track_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    study = Study(CONFIGS / "demo.yaml", str(track_folder), tmp_path, seeds=1, steps=1, ablations=ABLATIONS)
    words = [*study.arguments(ablation, seed=0), *BATCH]
    if ablation.question == "footage":
        with pytest.raises(ReenactError, match=r"training_frames is \d+: choose 11 \(a window\) to 40 \(the training part"):
            fit.run_fit(words)
        words.append("--data.split.training_frames=20")
    run = fit.run_fit(words)
    assert run.path == study.run_folder(ablation, 0).path
    assert run.batch_step() == 1


@pytest.mark.parametrize("name", ["tracker_no_smoothing", "tracker_no_photometric"])
def test_the_clip_is_tracked_again_and_trains_a_batch(
    name: str, landmarks_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ablation,) = [one for one in ABLATIONS if one.name == name]
    target = TrackedClip.load(landmarks_folder)
    plain = track_again(target, {}, tmp_path / "plain", progress=False)
    again = track_again(target, ablation.tracker, tmp_path / name, progress=False)
    assert again.clip.read_bytes() == target.clip.read_bytes()
    assert again.track.info.source == target.track.info.source
    rough = [clip.track.parameters.rotation.diff(n=2, dim=0).square().mean() for clip in (plain, again)]
    if name == "tracker_no_smoothing":
        assert rough[1] > 1.5 * rough[0]
    else:
        assert not torch.equal(plain.track.parameters.rotation, again.track.parameters.rotation)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    study = Study(CONFIGS / "demo.yaml", str(landmarks_folder), tmp_path, seeds=1, steps=1, ablations=ABLATIONS)
    assert fit.run_fit([*study.arguments(ablation, 0, str(again.folder)), *BATCH]).batch_step() == 1
    # What is there is taken; with other settings it is made again.
    written = (tmp_path / name / TRACK_NAME).stat().st_mtime_ns
    track_again(target, ablation.tracker, tmp_path / name, progress=False)
    assert (tmp_path / name / TRACK_NAME).stat().st_mtime_ns == written
    track_again(target, {}, tmp_path / name, progress=False)
    assert (tmp_path / name / TRACK_NAME).stat().st_mtime_ns != written


def test_a_face_model_that_is_not_there(track_folder: Path, tmp_path: Path) -> None:
    (ablation,) = [one for one in ABLATIONS if one.name == "tracker_ict"]
    with pytest.raises(ReenactError, match="there is no face model 'models/ICT-FaceKit'"):
        track_again(TrackedClip.load(track_folder), ablation.tracker, tmp_path / "track", progress=False)


def test_another_face_model_tracks_and_renders(landmarks_folder: Path, shared_dir: Path, tmp_path: Path) -> None:
    model = shared_dir / "assets" / "ict_facekit.npz"
    if not model.is_file():
        pytest.skip("ICT-FaceKit is not here")
    (ablation,) = [one for one in ABLATIONS if one.name == "tracker_ict"]
    target = TrackedClip.load(landmarks_folder)
    again = track_again(target, {**ablation.tracker, "face_model": str(model)}, tmp_path / "track", progress=False)
    track = again.track
    assert track.info.face_model != target.track.info.face_model
    renderer = make_renderer(load_face_model(track.info.face_model), track.actor, track.camera, 32)
    assert bool((renderer.regions(track.parameters[:2]) != EMPTY).any())


def test_a_task_of_the_array_trains_its_run(tmp_path: Path) -> None:
    words = ["configs/ablations/no eyes.yaml", "--track", "t", "--seeds", "3"]
    done = launch(LAUNCH / "ablate_array.sbatch", tmp_path, *words, **JOB, SLURM_ARRAY_TASK_ID="7")
    assert done.stdout.splitlines() == ["lit-reenact", "ablate", *words, "--member", "7"]
