"""Bad arguments of ``lit-reenact app``."""

from __future__ import annotations

import pytest

from lit_reenact.commands.main import BAD_INPUT, main


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--checkpoint", "a.ckpt"], "--checkpoint goes with --target"),
        (["--target", "track"], "--target goes with --checkpoint"),
        (["--max-upload", "0"], "--max-upload 0"),
        (["--run", "/nowhere"], "holds no checkpoint"),
    ],
)
def test_bad_arguments(
    words: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are found before Gradio is loaded, which takes seconds."""
    monkeypatch.setattr("lit_reenact.commands.app.find_spec", lambda name: object())
    assert main(["app", *words]) == BAD_INPUT
    assert sentence in capsys.readouterr().err


def test_without_gradio_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("lit_reenact.commands.app.find_spec", lambda name: None)
    assert main(["app"]) == BAD_INPUT
    assert capsys.readouterr().err.count("\n") == 1
