"""Documents stay true: parsers accept every command in them, the README's workflow runs, links and files lead somewhere."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from lit_reenact.commands.main import build_parser, main
from lit_reenact.demo_clips import clips
from lit_reenact.edit.file import parse_edit
from lit_reenact.evaluation.pixel_origin import PIXEL_ORIGINS
from lit_reenact.evaluation.table import METRICS, MOTION_METRICS
from lit_reenact.face import load_face_model
from lit_reenact.provenance import is_ai_generated
from lit_reenact.training.cli import parse_config
from lit_reenact.transfer.policy import ChannelPolicy
from lit_reenact.transfer.presets import policy_of
from lit_reenact.video import read_tags

REPOSITORY = Path(__file__).resolve().parent.parent
README = REPOSITORY / "README.md"
DOCUMENTS = [README, *sorted((REPOSITORY / "docs").glob("*.md"))]
LIGHTNING = ("fit", "validate", "test")
LIGHTNING_OPTIONS = {"--config", "--track", "--init_from", "--loggers"}

SMALL = {
    "track": "--size 128",
    "fit": "--trainer.accelerator=cpu --model.inputs.image_size=64 --model.generator.levels=5 --model.generator.channels=8 "
    "--model.discriminator.layers=1 --data.batch_size=4 --data.loading.workers=0 --budget.max_batch_steps=4 "
    "--trainer.val_check_interval=4 --trainer.log_every_n_steps=2",
}
"""Words that make a command of the README take seconds, not days."""


def block_commands(document: Path) -> Iterator[list[str]]:
    """Yield the commands of indented blocks as words, without comments."""
    text = document.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        words = shlex.split(line, comments=True) if line.startswith("    lit-reenact ") else []
        if words:
            yield words[1:]


COMMANDS = sorted({" ".join(words) for document in DOCUMENTS for words in block_commands(document)})


def test_metrics_are_explained() -> None:
    text = (REPOSITORY / "docs" / "metrics.md").read_text(encoding="utf-8")
    keys = {key for row in text.splitlines() if row.startswith("| `") for key in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert keys == METRICS.keys() | MOTION_METRICS.keys() | set(PIXEL_ORIGINS)


def subparsers() -> dict[str, argparse.ArgumentParser]:
    (action,) = (action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction))
    return dict(action.choices)


def test_documents_show_every_command() -> None:
    assert {command.split()[0] for command in COMMANDS} == set(subparsers())


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.split()[0] not in LIGHTNING])
def test_parser_accepts(command: str) -> None:
    assert build_parser().parse_args(command.split()).command == command.split()[0]


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.split()[0] in LIGHTNING])
def test_training_command_is_accepted(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # shipped configurations are found from any folder
    name, *words = command.split()
    cli = parse_config([*words, "--trainer.accelerator=cpu", "--trainer.devices=1"], name)  # no check needs a document's machine
    assert str(cli.datamodule.folder) == "outputs/tracks/target"
    assert cli.run_folder.path.parts[0] == "outputs"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_shipped_files_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (document.parent / target).exists(), f"{document.name} links to {target}"
    for name in re.findall(r"\b(?:configs|sweeps)/[\w/]+\.(?:yaml|sbatch|sh)\b", text):
        assert (REPOSITORY / name).is_file(), f"{document.name} names {name}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_options_exist(document: Path) -> None:
    known = {option for parser in subparsers().values() for action in parser._actions for option in action.option_strings}
    for option in re.findall(r"(?<![\w-])--[a-z][\w-]*(?![\w.-])", document.read_text(encoding="utf-8")):
        assert option in known | LIGHTNING_OPTIONS, f"{document.name} names {option}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_settings_exist(document: Path) -> None:
    """Dotted settings, on command lines and in the text, are those of the training configuration."""
    config = parse_config(["--config=configs/demo.yaml", "--data.track=t", "--trainer.accelerator=cpu"]).config
    for name in re.findall(
        r"\b(?:model|data|schedule|video|artifacts|budget)\.(?!onnx)[a-z_][\w.]*\w", document.read_text(encoding="utf-8")
    ):
        assert name in config, f"{document.name} names {name}"


def test_examples_of_files_are_valid() -> None:
    policy, edit = re.findall(
        r"```yaml\n(.*?)```", (REPOSITORY / "docs" / "rewriting-videos.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert policy_of(yaml.safe_load(policy)).mouth == ChannelPolicy("matched", gain=1.2, smoothing=0.05)
    parsed = parse_edit(yaml.safe_load(edit), load_face_model("builtin"))
    assert set(parsed.tracks) == {"head_yaw", "close_left_eye"}


def test_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 110


@pytest.mark.slow
def test_workflow_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line of the workflow, word for word but smaller, on two embedded clips; one ends in a signed video."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setitem(clips.RECIPES, "source", replace(clips.RECIPES["source"], size=128))
    monkeypatch.chdir(tmp_path)
    for name, recipe in (("target", "tiny"), ("source", "source")):
        clips.ensure_embedded_clip(recipe, tmp_path / "clips").rename(f"{name}.mp4")
    workflow = README.read_text(encoding="utf-8").split("## The workflow")[1].split("\n## ")[0]
    (tmp_path / "workflow.md").write_text(workflow)
    commands = list(block_commands(tmp_path / "workflow.md"))
    assert [words[0] for words in commands] == ["doctor", "track", "fit", "evaluate", "reenact"]
    for words in commands:
        allowed = (0, 2) if words[0] == "doctor" else (0,)  # the embedded clip is short, and doctor says so
        assert main([*words, *SMALL.get(words[0], "").split()]) in allowed, words
    assert is_ai_generated(read_tags(tmp_path / "out.mp4"))
    assert (tmp_path / "outputs" / "evaluation" / "report.html").is_file()
