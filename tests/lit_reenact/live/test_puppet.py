"""Online transfer against the transfer of whole tracks, online synthesis against streaming synthesis."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import FaceParameters
from lit_reenact.live.driver import calibrate
from lit_reenact.live.puppet import OnlineTransfer, Puppet
from lit_reenact.live.tracker import LiveMotion
from lit_reenact.networks.generator import Generator
from lit_reenact.synthesis import target_references, target_renderer
from lit_reenact.synthesis.inference import render_frames
from lit_reenact.transfer import mean_rotation, reenact
from tests.factories import make_blend_module, make_key_frames, make_module, make_parameters
from tests.lit_reenact.live.conftest import FRAMES, SIZE, Scene


def motion_of(parameters: FaceParameters, number: int) -> LiveMotion:
    p = parameters[number : number + 1]
    return LiveMotion(p.rotation[0], p.translation[0], p.expression[0], p.gaze[0])


@pytest.mark.parametrize("eyes", [1.0, 1.1])
def test_the_last_frame_is_that_of_the_whole_source(scene: Scene, eyes: float) -> None:
    """At the last frame all of the source is past; its mean turn, which is not quite 0, is left out here."""
    known = calibrate(scene.points[:20], SIZE, SIZE, 30.0, "builtin", scene.track)
    driving = make_parameters(known.model, FRAMES, seed=5)
    source = replace(
        scene.track, parameters=driving, info=replace(scene.track.info, source="other.mp4", clip_sha256="another clip's")
    )
    actor = replace(scene.track.actor, neutral=scene.track.actor.neutral * torch.tensor([1, eyes, 1]))
    target = replace(scene.track, actor=actor)
    mean = driving.translation.double().mean(0)
    transfer = OnlineTransfer(replace(known, rotation=mean_rotation(driving.rotation), translation=mean), target)
    last = [transfer(motion_of(driving, number)) for number in range(FRAMES)][-1]
    whole = reenact(source, target)[FRAMES - 1 : FRAMES]
    torch.testing.assert_close(last.translation, whole.translation, atol=1.0, rtol=0)  # mm
    for channel in ("rotation", "identity", "expression", "illumination", "gaze"):
        torch.testing.assert_close(getattr(last, channel), getattr(whole, channel), msg=channel)


@pytest.mark.parametrize("stride", [1, 2])
def test_frames_are_those_of_streaming_synthesis(scene: Scene, generator: Generator, stride: int) -> None:
    generator.shape = replace(generator.shape, stride=stride)
    parameters = scene.track.parameters[:8]
    renderer = target_renderer(scene.track, generator)
    expected = torch.cat([frames for frames, _ in render_frames(generator, renderer, parameters)])
    puppet = Puppet(scene.track, generator)
    for number in range(8):
        puppet.add_frame(parameters[number : number + 1])
        generated = torch.from_numpy(puppet.generate())
        assert (generated.int() - expected[number].int()).abs().max() <= 1
    assert (expected[0].int() - expected[7].int()).abs().max() > 1  # otherwise the test shows nothing


def test_frames_with_references_are_those_of_streaming_synthesis(scene: Scene) -> None:
    blend = make_blend_module().generator.eval()
    blend.key_frames = make_key_frames(scene.track.parameters, [10, 40])
    parameters = scene.track.parameters[:8]
    renderer, references = target_renderer(scene.track, blend), target_references(scene.track, blend)
    expected = torch.cat([frames for frames, _ in render_frames(blend, renderer, parameters, references=references)])
    puppet = Puppet(scene.track, blend)
    for number in range(8):
        puppet.add_frame(parameters[number : number + 1])
        assert (torch.from_numpy(puppet.generate()).int() - expected[number].int()).abs().max() <= 1
    assert (expected[0].int() - expected[7].int()).abs().max() > 1


def test_skipped_frames_are_part_of_the_window(scene: Scene, generator: Generator) -> None:
    every, last = Puppet(scene.track, generator), Puppet(scene.track, generator)
    for number in range(6):
        parameters = scene.track.parameters[number : number + 1]
        every.add_frame(parameters)
        last.add_frame(parameters)
        picture = every.generate()
    assert (last.generate() == picture).all()


def test_windows_that_look_ahead_are_refused(scene: Scene) -> None:
    with pytest.raises(ReenactError, match="1 frames ahead"):
        Puppet(scene.track, make_module(inputs={"placement": "centred"}).generator.eval())
