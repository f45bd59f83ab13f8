"""A sweep file is checked in full before anything runs, and says in one sentence what is wrong with it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

from lit_reenact.commands.main import main
from lit_reenact.core.errors import ReenactError
from lit_reenact.experiments.sweep.definition import Sweep
from lit_reenact.experiments.sweep.engine import propose
from lit_reenact.experiments.sweep.form import parse_number
from lit_reenact.experiments.sweep.loading import load_sweep

CONFIG = Path(__file__).resolve().parents[4] / "configs" / "debug.yaml"


def write(folder: Path, **changes: Any) -> Path:
    """A sweep of the learning rate and the norm; a change to None leaves that key out."""
    content: dict[str, Any] = {
        "method": "grid",
        "metric": {"name": "val/face_l1", "goal": "minimize"},
        "command": ["lit-reenact", "fit", "--config", str(CONFIG), "${args}", "--seed_everything=1"],
        "parameters": {
            "model.optimizer.learning_rate": {"values": [1e-4, 2e-4]},
            "model.generator.norm": {"values": ["batch", "none"]},
        },
    }
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in (content | changes).items() if value is not None}))
    return path


def varied(name: str, **choice: Any) -> dict[str, Any]:
    return {"parameters": {name: choice}}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            varied("model.lerning_rate", values=[1e-4]),
            "parameters.model.lerning_rate is not a setting .* nearest is model.optimizer.learning_",
        ),
        (
            varied("model.optimizer.learning_rate", values=[1e-4, "1e-5"]),
            "YAML reads 1e-5 as text, not as a number: write 1.0e-05",
        ),
        (
            varied("model.optimizer.learning_rate", distribution="log_uniform_values", min="1e-5", max=0.1),
            "YAML reads 1e-5 as text",
        ),
        (varied("model.optimizer.learning_rate", values=[1e-4, "fast"]), "model.optimizer.learning_rate.*float.*fast"),
        (varied("model.inputs.window", values=[3, 2.5]), "model.inputs.window.*int.*2.5"),
        (
            varied("model.inputs.window", distribution="uniform", min=1.0, max=5.0),
            "one of grid, random|disallowed type with grid",
        ),
        (varied("model.inputs.conditioning", values=[["eyes"], ["difuse"]]), "model.inputs.conditioning.*difuse"),
        (varied("data.window", values=[5]), "data.window is now model.inputs.window: write that name instead"),
        (varied("model.generator.levels", values=[4, 9]), "9 levels|levels"),
        (varied("model", parameters={"window": {"values": [3]}}), r"parameters.model is nested: write .* as in model\.NAME"),
        (varied("model.inputs.window", min=5, max=3), "min 5 is not less than max 3"),
        (
            varied("data.split.protocol", values=["last-fifth", "insta-350"]),
            "trials of the splits last-fifth and insta-350: results of different protocols cannot be compared",
        ),
        ({"parameters": None}, "parameters must name each setting"),
        ({"parametres": {}}, "'parametres' was unexpected"),
        ({"metric": None, "method": "bayes"}, "there is no metric, and bayes learns from it"),
        ({"metric": None}, "there is no metric, and the trials are ordered by it"),
        ({"method": "custom"}, "method is custom: it is one of grid, random, bayes"),
        ({"command": ["lit-reenact", "fit"]}, r'command must read \[lit-reenact, fit, --config, CONFIG, ..., "\${args}"\]'),
        ({"command": ["lit-reenact", "fit", "--config", "gone.yaml", "${args}"]}, "gone.yaml"),
        ({"early_terminate": {"type": "hyperband"}}, "early_terminate|hyperband"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    path = write(tmp_path, **changes)
    with pytest.raises(ReenactError, match=sentence) as refusal:
        load_sweep(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "sentence"), [("method: [grid", "is not YAML"), ("", "this one has no keys"), (None, "no such")]
)
def test_what_is_no_sweep_file_is_refused(tmp_path: Path, text: str | None, sentence: str) -> None:
    if text is not None:
        (tmp_path / "sweep.yaml").write_text(text)
    with pytest.raises(ReenactError, match=sentence):
        load_sweep(tmp_path / "sweep.yaml")


def test_all_trials_may_have_another_protocol(tmp_path: Path) -> None:
    assert load_sweep(write(tmp_path)).protocol == "last-fifth"
    assert load_sweep(write(tmp_path), ["--data.split.protocol=insta-350"]).protocol == "insta-350"
    assert load_sweep(write(tmp_path, **varied("data.split.protocol", value="insta-350"))).protocol == "insta-350"


def test_a_setting_for_all_trials_may_not_be_one_that_varies(tmp_path: Path) -> None:
    with pytest.raises(
        ReenactError,
        match=r"varies model.generator.norm, so it cannot be set for all trials: leave --model.generator.norm=none out",
    ):
        load_sweep(write(tmp_path), ["--model.generator.norm=none"])


def test_a_missing_engine_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sweeps", None)
    with pytest.raises(ReenactError, match=r"pip install 'lit_reenact\[sweeps\]'"):
        load_sweep(write(tmp_path))


def test_a_random_sweep_needs_an_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", str(write(tmp_path, method="random"))]) == 2
    assert "has no end: say with --count how many trials to run" in capsys.readouterr().err


def test_a_shipped_sweep_is_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its configuration too, without which the file would be refused."""

    def report_checked(sweep: Sweep, *_: Any, **__: Any) -> None:
        raise ReenactError(f"{sweep.path.name} is checked")

    monkeypatch.setattr("lit_reenact.experiments.sweep.running.run_sweep", report_checked)
    monkeypatch.chdir(tmp_path)
    assert main(["sweep", "sweeps/learning_rate.yaml"]) == 2
    assert "learning_rate.yaml is checked" in capsys.readouterr().err


def test_a_trial_gets_the_words_that_an_agent_would_give_it(tmp_path: Path) -> None:
    sweep = load_sweep(write(tmp_path), ["--budget.max_batch_steps=7"])
    parameters = {"model.inputs.conditioning": ["diffuse", "eyes"], "model.optimizer.learning_rate": 1e-5, "model.compile": False}
    agents: list[str] = create_sweep_command_args({"args": {name: {"value": value} for name, value in parameters.items()}})[
        "args"
    ]
    expected = ["--config", str(CONFIG), "--budget.max_batch_steps=7", *agents, "--seed_everything=1"]
    assert sweep.arguments(parameters) == expected


def test_the_same_trials_lead_to_the_same_proposal(tmp_path: Path) -> None:
    distribution = {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-3}
    sweep = load_sweep(write(tmp_path, method="random", parameters={"model.optimizer.learning_rate": distribution}))
    first, again = propose(sweep, []), propose(sweep, [])
    assert first == again
    assert first is not None
    assert 1e-5 <= first["model.optimizer.learning_rate"] <= 1e-3
    assert type(first["model.optimizer.learning_rate"]) is float


@pytest.mark.parametrize(("text", "number"), [("1e-5", 1e-5), ("-3", -3.0), ("none", None), (1e-5, None), (["1"], None)])
def test_numbers_that_are_text(text: Any, number: float | None) -> None:
    assert parse_number(text) == number
