"""Streaming synthesis equals all windows built at once; unusable checkpoints are refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import CONDITIONING, Camera, Track
from lit_reenact.face import load_face_model
from lit_reenact.networks.key_frames import pack_key_frames
from lit_reenact.rendering.conditioning import ConditioningRenderer
from lit_reenact.rendering.renderer import make_renderer
from lit_reenact.synthesis import inference, target_references, target_renderer
from lit_reenact.synthesis.inference import load_generator, render_frames
from tests.factories import make_actor, make_blend_module, make_key_frames, make_module, make_parameters, make_track

SETTINGS: dict[str, dict[str, Any]] = {
    "inputs": {"window": 3, "image_size": 32},
    "generator": {"channels": 4, "levels": 3, "norm": "instance"},
    "discriminator": {"channels": 4},
}


@pytest.fixture
def renderer() -> ConditioningRenderer:
    model = load_face_model("builtin")
    return ConditioningRenderer(model, make_actor(model), Camera(focal=144.0, width=32, height=32))


@pytest.fixture
def checkpoint(tmp_path: Path) -> dict[str, Any]:
    module = make_module(SETTINGS)
    torch.nn.init.normal_(module.generator.to_frame.weight)
    return {"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}


def _load(checkpoint: object, tmp_path: Path) -> torch.nn.Module:
    torch.save(checkpoint, tmp_path / "a.ckpt")
    return load_generator(tmp_path / "a.ckpt")


@pytest.mark.parametrize("head", ["residual", "tanh"])
def test_half_the_bits_change_frames_by_less_than_a_level(head: str, checkpoint: dict[str, Any], tmp_path: Path) -> None:
    """The network's frames spread over the whole range."""
    torch.manual_seed(0)
    module = make_module(SETTINGS, generator={"head": head})
    torch.nn.init.normal_(module.generator.to_frame.weight, std=0.2)
    if head == "residual":
        module.generator.set_base(torch.rand(3, 32, 32) * 2 - 1)
    torch.save(checkpoint | {"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}, tmp_path / "a.ckpt")
    full, half = (load_generator(tmp_path / "a.ckpt", precision=precision) for precision in ("float32", "bfloat16"))
    assert half.to_frame.weight.dtype == torch.bfloat16
    conditioning = torch.rand(4, 27, 32, 32) * 2 - 1
    with torch.inference_mode():
        first, second = full(conditioning), half(conditioning)
    assert second.dtype == torch.float32
    assert first.std() > 0.1
    assert (first - second).abs().mean() * 127.5 < 1


OFFSETS = {"causal": (-2, -1, 0), "centred": (-1, 0, 1)}


@pytest.mark.parametrize("placement", ["causal", "centred"])
@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("batch", [1, 2, 5, 50])
def test_streaming_equals_all_windows_at_once(
    batch: int, stride: int, placement: str, renderer: ConditioningRenderer, checkpoint: dict[str, Any], tmp_path: Path
) -> None:
    """The first and the last frame stand in for those before and after them."""
    checkpoint["hyper_parameters"]["inputs"] |= {"placement": placement, "stride": stride}
    generator = _load(checkpoint, tmp_path)
    parameters = make_parameters(load_face_model("builtin"), 12)
    images = renderer(parameters)
    window_frames = [[min(max(0, t + stride * k), 11) for k in OFFSETS[placement]] for t in range(12)]
    windows = torch.stack([torch.cat([images[k] for k in row]) for row in window_frames])
    with torch.inference_mode():
        expected = ((generator(windows.float() / 127.5 - 1) + 1) * 127.5).permute(0, 2, 3, 1)
    frames, conditioning = zip(*render_frames(generator, renderer, parameters, batch=batch), strict=True)
    assert {len(chunk) for chunk in frames[:-1]} <= {batch}
    assert torch.equal(torch.cat(conditioning), images)
    assert (torch.cat(frames).float() - expected).abs().max() <= 0.51
    assert torch.cat(frames).float().std() > 1


def test_each_image_is_rendered_once_and_kept_no_longer_than_needed(
    renderer: ConditioningRenderer, checkpoint: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory does not grow with the length of a video."""
    checkpoint["hyper_parameters"]["inputs"] |= {"placement": "centred", "stride": 2}
    generator = _load(checkpoint, tmp_path)
    rendered, stacked = [], []
    draw, stack = ConditioningRenderer.__call__, inference.stack_windows
    monkeypatch.setattr(ConditioningRenderer, "__call__", lambda self, some: rendered.append(len(some)) or draw(self, some))
    monkeypatch.setattr(inference, "stack_windows", lambda images, *rest: stacked.append(len(images)) or stack(images, *rest))
    for _ in render_frames(generator, renderer, make_parameters(renderer.model, 40), batch=4):
        pass
    assert sum(rendered) == 40
    assert max(stacked) == 2 + 4 + 2


def test_no_window_reaches_over_a_cut(renderer: ConditioningRenderer, checkpoint: dict[str, Any], tmp_path: Path) -> None:
    """A video with a cut has the frames of two videos."""
    generator = _load(checkpoint, tmp_path)
    parameters = make_parameters(load_face_model("builtin"), 12)

    def generate(*arguments: Any) -> Tensor:
        return torch.cat([frames for frames, _ in render_frames(generator, renderer, *arguments)])

    cut = generate(parameters, (5,))
    assert torch.equal(cut, torch.cat([generate(parameters[:5]), generate(parameters[5:])]))
    assert not torch.equal(cut, generate(parameters))


@pytest.mark.parametrize("cuts", [(), (2,)], ids=["one shot", "a short shot first"])
@pytest.mark.parametrize("batch", [3, 8, 11])
def test_a_compiled_network_is_compiled_once(
    batch: int,
    cuts: tuple[int, ...],
    renderer: ConditioningRenderer,
    checkpoint: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One compilation serves clips and shots of every length, and the frames are the same."""
    graphs: list[torch.fx.GraphModule] = []

    def keep(graph: torch.fx.GraphModule, inputs: list[Tensor], **_: Any) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=keep))
    torch.save(checkpoint, tmp_path / "a.ckpt")
    parameters = make_parameters(renderer.model, 21)
    plain, compiled = (
        torch.cat([frames for frames, _ in render_frames(generator, renderer, parameters, cuts, batch)])
        for generator in (load_generator(tmp_path / "a.ckpt", compile=compile_) for compile_ in (False, True))
    )
    assert len(graphs) == 1
    assert plain.float().std() > 1
    assert (plain.short() - compiled.short()).abs().max() <= 1


@pytest.fixture
def blend(tmp_path: Path) -> tuple[Track, Path]:
    """A track, and a checkpoint with key frames of it."""
    track = make_track(tmp_path / "track", frames=21, size=32)
    module = make_blend_module(SETTINGS)
    key_frames = pack_key_frames(make_key_frames(track.parameters, [2, 9]))
    trained_on = {"source": ["synthetic.mp4"], "clip_sha256": [track.info.clip_sha256], "key_frames": [key_frames]}
    state = {"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams), "TrackDataModule": trained_on}
    torch.save(state, tmp_path / "blend.ckpt")
    return track, tmp_path / "blend.ckpt"


def _render_blend(track: Track, checkpoint: Path, batch: int, compile_: bool = False) -> Tensor:
    generator = load_generator(checkpoint, target=track, compile=compile_)
    renderer, references = target_renderer(track, generator), target_references(track, generator)
    return torch.cat([f for f, _ in render_frames(generator, renderer, track.parameters, (5,), batch, references=references)])


def test_frames_with_references_do_not_depend_on_the_batch(blend: tuple[Track, Path]) -> None:
    """Each frame has its own places in the key frames: without them it would differ."""
    frames = [_render_blend(*blend, batch) for batch in (1, 4, 21)]
    for others in frames[1:]:
        assert (frames[0].short() - others.short()).abs().max() <= 1
    assert frames[0].float().std() > 10
    generator = load_generator(blend[1])
    still = target_references(blend[0], generator)
    assert still is not None
    renderer = target_renderer(blend[0], generator)
    one_pose = lambda parameters: still(blend[0].parameters[[0] * len(parameters)])  # noqa: E731
    misplaced = torch.cat([f for f, _ in render_frames(generator, renderer, blend[0].parameters, (5,), references=one_pose)])
    assert (frames[0].short() - misplaced.short()).abs().max() > 10


@pytest.mark.parametrize("batch", [3, 11])
def test_a_compiled_blend_is_compiled_once(batch: int, blend: tuple[Track, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    graphs: list[torch.fx.GraphModule] = []

    def keep(graph: torch.fx.GraphModule, inputs: list[Tensor], **_: Any) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=keep))
    plain, compiled = (_render_blend(*blend, batch, compile_) for compile_ in (False, True))
    assert len(graphs) == 1
    assert (plain.short() - compiled.short()).abs().max() <= 1


@pytest.mark.slow
@pytest.mark.gpu
def test_cuda_graphs_make_the_same_frames(renderer: ConditioningRenderer, checkpoint: dict[str, Any], tmp_path: Path) -> None:
    """A CUDA graph writes new frames over its earlier ones, which must have been copied."""
    torch.save(checkpoint, tmp_path / "a.ckpt")
    parameters = make_parameters(renderer.model, 21)
    plain, compiled = (
        torch.cat([frames for frames, _ in render_frames(generator, renderer.to(torch.device("cuda")), parameters, batch=11)])
        for generator in (load_generator(tmp_path / "a.ckpt", "cuda", compile=compile_) for compile_ in (False, True))
    )
    assert (plain.short() - compiled.short()).abs().max() <= 1


def test_a_network_that_cannot_be_compiled_is_refused(
    checkpoint: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no compiler")

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=fail))
    torch.save(checkpoint, tmp_path / "a.ckpt")
    generator = load_generator(tmp_path / "a.ckpt", compile=True)
    with pytest.raises(ReenactError, match=r"cannot be compiled .*install a C\+\+ compiler"):
        generator(torch.zeros(1, 27, 32, 32))


def test_a_network_of_other_images_is_given_those(renderer: ConditioningRenderer, tmp_path: Path) -> None:
    module = make_module(SETTINGS, inputs={"conditioning": ["depth", "eyes"]})
    torch.nn.init.normal_(module.generator.to_frame.weight)
    generator = _load({"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}, tmp_path)
    assert generator.conditioning == ("depth", "eyes")
    other = make_renderer(renderer.model, renderer.actor, renderer.camera, None, generator.conditioning)
    parameters = make_parameters(renderer.model, 5)
    frames, conditioning = zip(*render_frames(generator, other, parameters, batch=2), strict=True)
    assert torch.cat(frames).shape == (5, 32, 32, 3)
    assert torch.equal(torch.cat(conditioning)[:, 3:], renderer(parameters)[:, 6:])


def test_a_checkpoint_older_than_the_setting_has_the_usual_images(checkpoint: dict[str, Any], tmp_path: Path) -> None:
    del checkpoint["hyper_parameters"]["inputs"]["conditioning"]
    assert _load(checkpoint, tmp_path).conditioning == CONDITIONING


def test_averaged_weights_are_preferred(checkpoint: dict[str, Any], tmp_path: Path) -> None:
    averaged = {
        name.removeprefix("generator."): 0.5 * value for name, value in checkpoint["state_dict"].items() if "generator." in name
    }
    weight = _load({**checkpoint, "generator_ema": averaged}, tmp_path).to_frame.weight
    torch.testing.assert_close(weight, 0.5 * checkpoint["state_dict"]["generator.to_frame.weight"])


def test_a_checkpoint_that_does_not_match_its_settings_is_refused(checkpoint: dict[str, Any], tmp_path: Path) -> None:
    checkpoint["hyper_parameters"]["generator"]["channels"] = 8
    with pytest.raises(ReenactError, match=r"a\.ckpt does not match the network"):
        _load(checkpoint, tmp_path)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 cut off"])
def test_a_damaged_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.ckpt").write_bytes(content)
    with pytest.raises(ReenactError, match=r"a\.ckpt is damaged or no checkpoint"):
        load_generator(tmp_path / "a.ckpt")


def test_a_foreign_or_missing_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReenactError, match="is no checkpoint of lit_reenact"):
        _load({"weights": 1}, tmp_path)
    with pytest.raises(ReenactError, match="no such checkpoint"):
        load_generator(tmp_path / "missing.ckpt")


def test_a_pickle_is_never_executed(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "executed",)

    with pytest.raises(ReenactError, match="damaged or no checkpoint"):
        _load({"state_dict": Bomb(), "hyper_parameters": {}}, tmp_path)
    assert not (tmp_path / "executed").exists()


def test_images_of_another_size_are_refused(checkpoint: dict[str, Any], renderer: ConditioningRenderer, tmp_path: Path) -> None:
    larger = ConditioningRenderer(renderer.model, renderer.actor, renderer.camera, size=64)
    with pytest.raises(ReenactError, match="frames of 32 pixels, the conditioning images have 64"):
        next(render_frames(_load(checkpoint, tmp_path), larger, make_parameters(renderer.model, 2)))
