"""The commands fit, validate and test: runs, resumes, refusals."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from lit_reenact.commands.main import main
from lit_reenact.core.errors import ReenactError
from lit_reenact.evaluation.candidates import synthesise_candidate
from lit_reenact.networks.windows import WindowShape
from lit_reenact.synthesis import write_reenactment, write_self_reenactment
from lit_reenact.synthesis.export import export
from lit_reenact.synthesis.inference import load_generator
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.tracking.trackfile import load_track
from lit_reenact.training import fit
from lit_reenact.training.cli import configuration_name, parse_config
from lit_reenact.video import probe
from tests.factories import make_data, make_track

REPOSITORY = Path(__file__).resolve().parents[3]
CONFIG = REPOSITORY / "configs" / "debug.yaml"


@pytest.fixture(scope="module")
def track_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fit") / "track"
    make_track(folder)
    return folder


@pytest.fixture
def arguments(track_folder: Path, tmp_path: Path) -> Callable[..., list[str]]:
    """The command line of a small run in ``tmp_path``, with more options."""
    base = ["--config", str(CONFIG), "--track", str(track_folder), "--output", str(tmp_path), "--trainer.accelerator=cpu"]
    return lambda *options: [
        *base,
        "--data.split.fractions=[0.5,0.25]",
        "--model.inputs.image_size=32",
        "--trainer.log_every_n_steps=1",
        *options,
    ]


@pytest.fixture(autouse=True)
def _without_wandb(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its background process takes seconds to start."""
    monkeypatch.setenv("WANDB_MODE", "disabled")


def test_a_run_writes_its_folder_and_says_what_comes_next(
    arguments: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = fit.run_fit(arguments("--budget.max_batch_steps=3"))
    assert run.path == tmp_path / "debug" / "seed-0"
    assert {path.name for path in run.path.iterdir()} == {"checkpoints", "config.yaml", "metrics", "videos", "wandb-id.txt"}
    assert run.batch_step() == 3
    (log,) = run.metrics
    rows = list(csv.DictReader(log.open()))
    assert [row["batch_step"] for row in rows if row["loss/l1"]] == ["1.0", "2.0", "3.0"]
    assert [row["batch_step"] for row in rows if row["val/face_l1"]] == ["3.0"]
    settings = yaml.safe_load(run.config.read_text())
    assert settings["model"]["inputs"]["image_size"] == 32
    assert "inputs" not in settings["data"]  # they are those of the model
    said = capsys.readouterr().out
    assert str(run.path) in said
    assert f"Next: lit-reenact reenact --source SOURCE_TRACK --target {arguments()[3]} --checkpoint {run.best}" in said


def test_the_same_command_resumes_and_then_has_nothing_to_do(
    arguments: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    fit.run_fit(arguments("--budget.max_batch_steps=2"))
    run = fit.run_fit(arguments("--budget.max_batch_steps=5"))
    assert "at batch step 2 of 5" in capsys.readouterr().out
    steps = [[row["batch_step"] for row in csv.DictReader(log.open()) if row["loss/l1"]] for log in run.metrics]
    assert steps == [["1.0", "2.0"], ["3.0", "4.0", "5.0"]]
    written = run.last.stat().st_mtime_ns
    fit.run_fit(arguments("--budget.max_batch_steps=5"))
    assert "trained already: 5 of 5" in capsys.readouterr().out
    assert run.last.stat().st_mtime_ns == written


def test_a_damaged_checkpoint_is_passed_over_with_a_warning(
    arguments: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    run = fit.run_fit(arguments("--budget.max_batch_steps=3", "--checkpoint.every_n_batches=2"))
    run.last.write_bytes(run.last.read_bytes()[:-100])
    capsys.readouterr()
    assert main(["fit", *arguments("--budget.max_batch_steps=4", "--checkpoint.every_n_batches=2")]) == 0
    said = capsys.readouterr()
    assert "at batch step 2 of 4" in said.out
    assert f"lit-reenact: warning: {run.last} is damaged: going on from previous.ckpt, the one before.\n" in said.err
    assert [int(torch.load(path, weights_only=True)["batch_step"]) for path in (run.previous, run.last)] == [2, 4]


def test_a_full_disk_is_one_sentence_and_exit_code_2(
    arguments: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    run = fit.run_fit(arguments())
    run.last.with_name("last.ckpt.part").symlink_to("/dev/full")
    assert main(["fit", *arguments("--budget.max_batch_steps=2")]) == 2
    last_line = capsys.readouterr().err.strip().splitlines()[-1]
    assert last_line.startswith(f"lit-reenact: {run.last} cannot be written (No space left on device): training stopped at ")
    assert run.batch_step() == 1


def test_another_configuration_in_the_same_folder_is_refused(arguments: Callable[..., list[str]]) -> None:
    run = fit.run_fit(arguments())
    before = run.config.read_text()
    with pytest.raises(ReenactError, match=r"model\.generator\.channels = 8, this command has 9"):
        fit.run_fit(arguments("--model.generator.channels=9"))
    assert run.config.read_text() == before
    other = fit.run_fit(arguments("--model.generator.channels=9", "--name=wider", "--seed_everything=3"))
    assert other.path.parts[-2:] == ("wider", "seed-3")


def test_another_clip_behind_the_same_track_folder_is_refused(
    arguments: Callable[..., list[str]], track_folder: Path, tmp_path: Path
) -> None:
    own = ["--track", shutil.copytree(track_folder, tmp_path / "own")]
    fit.run_fit(arguments(*map(str, own)))
    shutil.rmtree(tmp_path / "own")
    make_track(tmp_path / "own", seed=1)
    with pytest.raises(ReenactError, match="another working clip"):
        fit.run_fit(arguments(*map(str, own), "--budget.max_batch_steps=2"))


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--model.lamda_l1=10", "model.lamda_l1"),
        ("--data.batch_size=many", "data.batch_size"),
        ("--model.generator.levels=9", "image_size 32 is not a multiple"),
        ("--data.inputs.window=5", "data.inputs.window is now model.inputs.window: write that name instead"),
        ("--data.inputs.placement=centred", "data.inputs.placement is now model.inputs.placement"),
        ("--data.stride=2", "data.stride is now model.inputs.stride: write that name instead"),
        ("--data.conditioning=[eyes]", "data.conditioning is now model.inputs.conditioning: write that name instead"),
        ("--model.lambda_l1=50", "model.lambda_l1 is now model.losses.l1: write that name instead"),
        ("--model.game=hinge", "model.game is now model.losses.gan_loss"),
        ("--data.workers=1", "data.workers is now data.loading.workers"),
        ("--model.inputs.conditioning=[eyes,nose]", "model.inputs.conditioning"),
        ("--model.inputs.conditioning=[eyes,eyes]", "conditioning names eyes twice"),
        ("--model.inputs.conditioning=[]", "conditioning names no image"),
        ("--init_from=nowhere.ckpt", "nowhere.ckpt: no such checkpoint"),
        ("--data.loading.run_length=0", "data.loading.run_length is 0"),
        ("--trainer.max_steps=5", "budget.max_batch_steps"),
        ("--trainer.devices=1000", "trainer.accelerator is cpu and trainer.devices is 1000, but this machine has"),
        ("--data.batch_size=0", "data.batch_size is 0, but must be at least 1"),
        ("--model.losses.l1=-1", "model.losses.l1 is -1.0, but must be at least 0"),
        ("--ema.decay=1.5", "ema.decay is 1.5, but must be"),
        ("--model.discriminator.layers=4", "model.discriminator.layers is 4, too many for a model.inputs.image_size of 32"),
        ("--checkpoint.monitor=val/psnr", "checkpoint.monitor"),
        ("--trainer.gradient_clip_val=1", "set model.optimizer.clip_norm instead"),
        ("--trainer.accumulate_grad_batches=2", "set model.optimizer.micro_batches instead"),
        ("--trainer.check_val_every_n_epoch=1", "set trainer.val_check_interval instead"),
        ("--trainer.enable_checkpointing=false", "trainer.enable_checkpointing cannot be chosen"),
        ("--trainer.devices=0", "devices"),
        ("--trainer.devices=many", "trainer.devices is many: give a number"),
        ("--trainer.precision=bf16-true", "trainer.precision is bf16-true, but networks train in"),
        ("--trainer.precision=16-mixed", "trainer.precision is 16-mixed, which a CPU does not train in"),
        ("--trainer.sync_batchnorm=true", "trainer.sync_batchnorm is on, which works on GPUs alone"),
        ("--model.losses.temporal=1", "model.losses.temporal is 1.0, but data.loading.flow is off"),
        ("--trainer.logger=true", "trainer.logger is not read"),
        ("--track=nowhere", "nowhere: no such track"),
        ("--config=nowhere.yaml", "nowhere.yaml"),
    ],
)
def test_bad_settings_are_one_sentence_and_exit_code_2(
    arguments: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, sentence: str
) -> None:
    assert main(["fit", *arguments(option)]) == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert not said.out
    assert not list(tmp_path.iterdir())


def test_a_centred_run_on_two_actors(arguments: Callable[..., list[str]], track_folder: Path, tmp_path: Path) -> None:
    """Its checkpoint makes windows at inference as they were in training."""
    make_track(tmp_path / "other", seed=1)
    settings = tmp_path / "mine.yaml"
    settings.write_text(
        f"model:\n  inputs:\n    placement: centred\n    stride: 2\n  generator:\n    head: tanh\n"
        f"data:\n  track:\n  - {track_folder}\n  - {tmp_path / 'other'}\n"
    )
    words = [word for word in arguments() if word not in ("--track", str(track_folder))]
    run = fit.run_fit([*words, "--config", str(settings)])
    assert run.batch_step() == 1
    target = load_track(tmp_path / "other")
    generator = load_generator(run.last, target=target)
    assert generator.shape == WindowShape(3, "centred", 2)
    with pytest.raises(ReenactError, match=r"trained on synthetic\.mp4, synthetic\.mp4"):
        load_generator(run.last, target=replace(target, info=replace(target.info, clip_sha256="0")))


def test_two_actors_have_a_texture_each(arguments: Callable[..., list[str]], track_folder: Path, tmp_path: Path) -> None:
    """Each is learned, goes with its own target, and cannot be exported together with the other's."""
    make_track(tmp_path / "other", seed=1)
    settings = tmp_path / "mine.yaml"
    settings.write_text(
        f"model:\n  generator:\n    texture_channels: 2\ndata:\n  track:\n  - {track_folder}\n  - {tmp_path / 'other'}\n"
    )
    words = [word for word in arguments("--budget.max_batch_steps=4") if word not in ("--track", str(track_folder))]
    run = fit.run_fit([*words, "--config", str(settings)])
    for number, folder in enumerate((track_folder, tmp_path / "other")):
        generator = load_generator(run.last, target=load_track(folder))
        assert generator.texture is not None
        assert generator.actor == number
        assert generator.texture.planes[number].any()
    assert not torch.equal(*generator.texture.planes)
    with pytest.raises(ReenactError, match="has the textures of 2 persons"):
        export(run.last, tmp_path / "model.pt2")


def test_an_ablation_by_configuration_alone(arguments: Callable[..., list[str]], track_folder: Path, tmp_path: Path) -> None:
    """Other images all the way from training to a video."""
    run = fit.run_fit(arguments("--model.inputs.conditioning=['normals', 'landmarks']"))
    assert yaml.safe_load(run.config.read_text())["model"]["inputs"]["conditioning"] == ["normals", "landmarks"]
    clip = TrackedClip.load(track_folder)
    generator = load_generator(run.last, target=clip.track)
    assert generator.conditioning == ("normals", "landmarks")
    made = write_self_reenactment(clip, range(100, 105), generator, tmp_path / "self.mp4", progress=False)
    assert made.shape == (5, 32, 32, 3)
    written = write_reenactment(clip, clip, generator, tmp_path / "out.mp4", progress=False)
    assert (probe(written.video).width, probe(written.side_by_side).width) == (32, 96)
    video = tmp_path / "held_out.mp4"
    candidate = synthesise_candidate(clip, run.last, progress=False, video=video)
    assert candidate.split.test == make_data(track_folder).split.test  # the checkpoint's own fractions, not the default ones
    assert probe(video).frame_count == len(candidate.frames) == len(candidate.split.test)


def test_fine_tuning_starts_from_weights_and_then_resumes_its_own(
    arguments: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = fit.run_fit(arguments())
    make_track(tmp_path / "other", seed=1)
    tune = arguments("--track", str(tmp_path / "other"), "--name=tuned", "--model.optimizer.learning_rate=0.0")
    run = fit.run_fit([*tune, f"--init_from={first.last}"])
    said = capsys.readouterr().out
    assert f"Starting from the weights of {first.last}." in said
    before, after = (torch.load(one.last, weights_only=True) for one in (first, run))
    assert after["batch_step"] == 1
    weights = {name: value for name, value in after["state_dict"].items() if name.endswith("weight")}
    for name, value in weights.items():
        generator = name.removeprefix("generator.")
        expected = before["generator_ema"][generator] if generator != name else before["state_dict"][name]
        assert torch.equal(value, expected)
    mean = "generator.mean_frame"
    assert (after["state_dict"][mean] - before["state_dict"][mean]).abs().mean() > 0.05
    with pytest.raises(ReenactError, match=r"init_from = .*, this command has None"):
        fit.run_fit([*tune, "--budget.max_batch_steps=2"])
    first.last.unlink()  # a run that is resumed no longer needs it
    again = fit.run_fit([*tune, f"--init_from={first.last}", "--budget.max_batch_steps=2"])
    assert "Resuming" in capsys.readouterr().out
    assert again.batch_step() == 2


def test_an_unknown_key_in_a_file_is_refused(
    arguments: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.yaml").write_text("model:\n  inputs:\n    windov: 5\n")
    assert main(["fit", *arguments("--config", str(tmp_path / "mine.yaml"))]) == 2
    assert "windov" in capsys.readouterr().err


def test_the_run_is_named_after_its_last_configuration_file() -> None:
    assert configuration_name(["--config", "configs/paper.yaml", "--config=mine/other.yaml", "--track", "x"]) == "other"
    assert configuration_name(["--track", "x"]) == "run"


def test_shipped_configurations_are_found_from_any_folder(
    arguments: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for option in (["--config", "configs/debug.yaml"], ["--config=configs/debug.yaml"]):
        cli = parse_config([*option, *arguments()[2:]])
        assert cli.config.name == "debug"
        assert cli.plain_config["model"]["generator"]["channels"] == 8
    own = tmp_path / "configs" / "debug.yaml"
    own.parent.mkdir()
    own.write_text("model:\n  generator:\n    channels: 16\n    levels: 4\n")
    assert parse_config(["--config", "configs/debug.yaml", *arguments()[2:]]).plain_config["model"]["generator"]["channels"] == 16
    with pytest.raises(ReenactError, match=r"configs/nowhere\.yaml"):
        parse_config(["--config", "configs/nowhere.yaml", *arguments()[2:]])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("model:\n  lambda_l1: 50\n", "model.lambda_l1 is now model.losses.l1: write that name instead"),
        ("data:\n  window: ${model.window}\n", "data.window is now model.inputs.window: write that name instead"),
        ("data:\n  inputs:\n    window: 5\n", "data.inputs.window is now model.inputs.window: write that name instead"),
    ],
)
def test_an_old_name_in_a_file_is_refused_with_the_new_one(
    arguments: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, sentence: str
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    assert main(["fit", *arguments("--config", str(file))]) == 2
    assert capsys.readouterr().err == f"lit-reenact: {file}: {sentence}\n"


def test_validate_and_test_measure_the_best_checkpoint(
    arguments: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ReenactError, match="fit"):
        fit.run_test(arguments())
    run = fit.run_fit(arguments())
    (logged,) = [row["val/face_l1"] for row in csv.DictReader(run.metrics[0].open()) if row["val/face_l1"]]
    capsys.readouterr()
    assert fit.run_validate(arguments())["val/face_l1"] == pytest.approx(float(logged), rel=1e-4)
    names = ("psnr", "ssim", "lpips", "face_lpips", "high_frequency", "face_l1")
    assert set(fit.run_test(arguments())) == {f"test/{name}" for name in names}
    assert "test/psnr" in capsys.readouterr().out


def test_wandb_is_offline_without_an_account_and_keeps_its_id(
    arguments: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("NETRC", os.devnull)
    run = fit.run_fit(arguments())
    fit.run_fit(arguments("--budget.max_batch_steps=2"))
    folders = list((run.path / "wandb").glob("offline-run-*"))
    assert {folder.name.rsplit("-", 1)[1] for folder in folders} == {(run.path / "wandb-id.txt").read_text()}
    assert list((run.path / "wandb").glob("offline-run-*/files/media/videos/val/*.mp4"))


@pytest.mark.slow
def test_ctrl_c_saves_and_the_same_command_goes_on(arguments: Callable[..., list[str]], tmp_path: Path) -> None:
    words = arguments("--budget.max_batch_steps=100000", "--trainer.val_check_interval=100000", "--loggers=[csv]")
    command = [sys.executable, "-m", "lit_reenact.commands.main", "fit", *words]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    log = tmp_path / "debug" / "seed-0" / "metrics" / "version_0" / "metrics.csv"
    deadline = time.monotonic() + 400
    while not log.is_file() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    saved = torch.load(tmp_path / "debug" / "seed-0" / "checkpoints" / "last.ckpt", weights_only=True)["batch_step"]
    assert f"lit-reenact: stopped at batch step {saved}, saved in " in err
    assert "Traceback" not in err
    assert "the same command resumes it" in err
    run = fit.run_fit(
        arguments(f"--budget.max_batch_steps={saved + 2}", "--trainer.val_check_interval=100000", "--loggers=[csv]")
    )
    assert run.batch_step() == saved + 2
