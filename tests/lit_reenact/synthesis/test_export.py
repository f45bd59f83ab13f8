"""Exported files give the frames of their generator, for windows of rendered conditioning images."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from onnx import load as load_onnx
from torch import Tensor

from lit_reenact.commands.main import main
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import sha256_of
from lit_reenact.core.schema import Camera, Track
from lit_reenact.face import load_face_model
from lit_reenact.networks.generator import Head
from lit_reenact.networks.key_frames import pack_key_frames
from lit_reenact.networks.windows import WindowMemory, stack_windows
from lit_reenact.rendering.conditioning import ConditioningRenderer
from lit_reenact.synthesis import target_references, target_renderer
from lit_reenact.synthesis.export import FORMATS, TOLERANCE, largest_difference
from lit_reenact.synthesis.fixed_references import FixedReferences, noise_places
from lit_reenact.synthesis.inference import load_generator, render_frames
from lit_reenact.synthesis.onnx_generator import OnnxGenerator
from tests.factories import make_actor, make_blend_module, make_key_frames, make_module, make_parameters, make_track

SETTINGS: dict[str, dict[str, Any]] = {
    "inputs": {"window": 3, "image_size": 32, "stride": 2},
    "generator": {"channels": 4, "levels": 2},
    "discriminator": {"channels": 4},
}
HEADS: dict[Head, Any] = {
    "residual": {"norm": "batch"},
    "tanh": {"norm": "instance"},
    "blend": {"norm": "batch", "texture_channels": 3},
}


def _checkpoint(path: Path, head: Head) -> Path:
    """Write a checkpoint of a network whose frames spread over the whole range and whose normalisations have statistics."""
    torch.manual_seed(0)
    trained_on: dict[str, Any] = {"source": ["a.mp4"], "clip_sha256": ["f" * 64]}
    if head == "blend":
        module = make_blend_module(SETTINGS, **HEADS[head])
        key_frames = make_key_frames(make_parameters(load_face_model("builtin"), 12), [2, 9])
        network, places = FixedReferences(module.generator, key_frames), noise_places(4, 2, 32)
        trained_on["key_frames"] = [pack_key_frames(key_frames)]
    else:
        module = make_module(SETTINGS, generator={**HEADS[head], "head": head})
        network, places = module.generator, ()
        torch.nn.init.normal_(module.generator.to_frame.weight, std=0.2)
    if head == "residual":
        module.generator.set_base(torch.rand(3, 32, 32) * 2 - 1)
    if module.generator.texture is not None:
        torch.nn.init.normal_(module.generator.texture.planes, std=0.1)
    for _ in range(3):
        network.train()(torch.rand(4, 27, 32, 32) * 2 - 1, *places)
    state = {"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}
    torch.save(state | {"TrackDataModule": trained_on}, path)
    return path


def _network(checkpoint: Path) -> tuple[torch.nn.Module, tuple[Tensor, ...]]:
    """Return the network that is exported from a checkpoint, and its inputs beside seven windows."""
    generator = load_generator(checkpoint)
    if generator.key_frames is None:
        return generator, ()
    return FixedReferences(generator, generator.key_frames), noise_places(7, 2, 32)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Head, str], Path]:
    """Function of head and ending that exports a file; its checkpoint is last.ckpt in the folder above."""
    folders = {head: tmp_path_factory.mktemp(head) for head in HEADS}
    for head, folder in folders.items():
        _checkpoint(folder / "last.ckpt", head)

    @cache
    def export(head: Head, ending: str) -> Path:
        output = folders[head] / "exported" / f"model.{ending}"
        assert main(["export", "--checkpoint", str(folders[head] / "last.ckpt"), "-o", str(output)]) == 0
        return output

    return export


@pytest.fixture(scope="module")
def onnx(exported: Callable[[Head, str], Path]) -> Path:
    return exported("residual", "onnx")


@pytest.fixture(scope="module")
def checkpoint(onnx: Path) -> Path:
    return onnx.parent.with_name("last.ckpt")


@pytest.fixture(scope="module")
def renderer() -> ConditioningRenderer:
    model = load_face_model("builtin")
    return ConditioningRenderer(model, make_actor(model), Camera(focal=144.0, width=32, height=32))


@pytest.fixture(scope="module")
def windows(renderer: ConditioningRenderer) -> Tensor:
    """Windows of conditioning images, (7, 27, 32, 32) in [-1, 1]."""
    images = renderer(make_parameters(load_face_model("builtin"), 11))
    return stack_windows(images, torch.arange(7)[:, None] + torch.tensor([0, 2, 4]), WindowMemory())


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("ending", ["onnx", "pt2"])
def test_frames_are_the_checkpoints(ending: str, head: Head, windows: Tensor, exported: Callable[[Head, str], Path]) -> None:
    file = exported(head, ending)
    assert not list(file.parent.glob(".*"))
    (eager, places), other = _network(file.parent.with_name("last.ckpt")), FORMATS[file.suffix].read(file)
    with torch.no_grad():
        assert eager(windows, *places).std() > 0.1
    for batch in (1, 2, 7):
        assert largest_difference(eager, other, windows[:batch], *(each[:batch] for each in places)) < 1e-4


def test_other_weights_would_be_noticed(windows: Tensor, onnx: Path, checkpoint: Path) -> None:
    eager = load_generator(checkpoint)
    with torch.no_grad():
        eager.to_frame.weight += 0.1
    assert largest_difference(eager, OnnxGenerator(onnx), windows) > TOLERANCE


def test_the_file_says_what_its_input_is(onnx: Path, checkpoint: Path) -> None:
    generator, described = load_generator(checkpoint), OnnxGenerator(onnx).description
    assert (described.window, described.placement, described.stride) == (3, "causal", 2)
    assert (described.conditioning, described.image_size, described.head) == (generator.conditioning, 32, "residual")
    assert (described.source, described.clip_sha256) == (("a.mp4",), ("f" * 64,))
    assert (described.checkpoint, described.checkpoint_sha256) == ("last.ckpt", sha256_of(checkpoint))


def test_synthesis_runs_from_onnx(onnx: Path, checkpoint: Path, renderer: ConditioningRenderer) -> None:
    parameters = make_parameters(load_face_model("builtin"), 12)
    outputs = [
        torch.cat([frames for frames, _ in render_frames(load_generator(file), renderer, parameters, batch=5)])
        for file in (checkpoint, onnx)
    ]
    assert outputs[0].float().std() > 10
    assert (outputs[0].int() - outputs[1].int()).abs().max() <= 1


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Track:
    return make_track(tmp_path_factory.mktemp("target"), frames=12, size=32)


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_a_file_with_key_frames_runs_like_its_checkpoint(
    batch: int, target: Track, exported: Callable[[Head, str], Path]
) -> None:
    """All frames follow the target's own poses; the file's key frames say where their pixels go."""
    onnx = exported("blend", "onnx")
    outputs = []
    for file in (onnx.parent.with_name("last.ckpt"), onnx):
        generator = load_generator(file)
        placed, renderer = target_references(target, generator), target_renderer(target, generator)
        frames = [frames for frames, _ in render_frames(generator, renderer, target.parameters, batch=batch, references=placed)]
        outputs.append(torch.cat(frames))
    assert outputs[0].float().std() > 10
    assert (outputs[0][0].int() - outputs[0][7].int()).abs().max() > 1
    assert (outputs[0].int() - outputs[1].int()).abs().max() <= 1


def test_a_file_describes_its_key_frames(exported: Callable[[Head, str], Path]) -> None:
    file = exported("blend", "onnx")
    own, described = load_generator(file.parent.with_name("last.ckpt")).key_frames, OnnxGenerator(file).key_frames
    assert own is not None
    assert described is not None
    expected, given = pack_key_frames(own), pack_key_frames(described)
    assert all(torch.equal(expected[name], given[name]) for name in expected if name != "images")
    description = OnnxGenerator(file).description
    assert description.references is not None
    assert (description.head, description.references.count) == ("blend", 2)


def test_a_file_without_key_frames_does_not_mention_them(onnx: Path) -> None:
    """Files of earlier versions, whose description has no such entry, are of the same form."""
    assert "references" not in OnnxGenerator(onnx).description.to_json()


def test_other_references_than_the_files_own_are_refused(
    exported: Callable[[Head, str], Path], windows: Tensor, target: Track
) -> None:
    blend, plain = (OnnxGenerator(exported(head, "onnx")) for head in ("blend", "residual"))
    place = target_references(target, blend)
    assert place is not None
    references = place(target.parameters[:7])
    with pytest.raises(ValueError, match="takes references if it has key frames"):
        blend(windows)
    with pytest.raises(ValueError, match="takes references if it has key frames"):
        plain(windows, None, references)
    with pytest.raises(ValueError, match="needs all of its references"):
        blend(windows, None, references._replace(present=torch.zeros(7, 2)))


def test_key_frames_of_two_people_are_refused(
    exported: Callable[[Head, str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = torch.load(exported("blend", "onnx").parent.with_name("last.ckpt"), weights_only=True)
    state["TrackDataModule"] = {name: 2 * values for name, values in state["TrackDataModule"].items()}
    torch.save(state, tmp_path / "two.ckpt")
    assert main(["export", "--checkpoint", str(tmp_path / "two.ckpt"), "-o", str(tmp_path / "model.onnx")]) == 2
    assert "two.ckpt has the key frames of 2 clips" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["two.ckpt"]


def test_two_files_are_told_apart_by_what_torch_sees_of_them(exported: Callable[[Head, str], Path]) -> None:
    for head in HEADS:
        file = exported(head, "onnx")
        assert bytes(OnnxGenerator(file).state_dict()["digest"].tolist()).hex() == sha256_of(file)


def test_another_target_is_refused(onnx: Path, tmp_path: Path) -> None:
    track = make_track(tmp_path, frames=4, size=32)
    with pytest.raises(ReenactError, match=r"was trained on a\.mp4, not on synthetic\.mp4"):
        load_generator(onnx, target=track)


@pytest.mark.parametrize("settings", [{"precision": "bfloat16"}, {"compile": True}])
def test_what_onnx_runtime_does_not_do_is_refused(onnx: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(ReenactError, match="in float32: leave out"):
        load_generator(onnx, **settings)


def test_a_pt2_is_written_but_never_run(tmp_path: Path) -> None:
    """The file is not even opened: there is none."""
    with pytest.raises(ReenactError, match="runs whatever code"):
        load_generator(tmp_path / "missing.pt2")


@pytest.mark.parametrize("content", [None, b"", b"not a network"])
def test_a_file_that_is_no_export_is_refused(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(ReenactError, match=r"a\.onnx"):
        load_generator(tmp_path / "a.onnx")


def test_onnx_without_our_description_is_refused(onnx: Path, tmp_path: Path) -> None:
    model = load_onnx(onnx)
    del model.metadata_props[:]
    (tmp_path / "foreign.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ReenactError, match="was not written by `lit-reenact export`"):
        load_generator(tmp_path / "foreign.onnx")


def test_bad_input_of_the_command(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--checkpoint", str(checkpoint), "-o", str(tmp_path / "model.bin")]) == 2
    assert "ends in .onnx or .pt2" in capsys.readouterr().err
    assert main(["export", "--checkpoint", str(tmp_path / "none.ckpt"), "-o", str(tmp_path / "model.onnx")]) == 2
    assert "no such checkpoint" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
