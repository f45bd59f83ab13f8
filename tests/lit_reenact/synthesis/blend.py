"""A tiny blend network for a synthetic track, and a checkpoint of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from lit_reenact.networks.blend_generator import BlendGenerator
from tests.factories import make_data, make_module

COUNT = 3


def save_blend(folder: Path, path: Path, **inputs: Any) -> BlendGenerator:
    """Write a checkpoint of a network that was not trained, but whose masks depend on what it sees; returns its generator."""
    torch.manual_seed(0)
    inputs = {"references": COUNT, **inputs}
    module, data = make_module(inputs=inputs, generator={"head": "blend"}), make_data(folder, inputs=inputs)
    data.prepare_data()
    data.setup()
    generator = module.generator
    assert isinstance(generator, BlendGenerator)
    for layer in generator.to_frame:
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.normal_(layer.weight, std=0.3)
    generator.set_base(data.base())
    generator.key_frames = data.key_frames()[0]
    state: dict[str, Any] = {"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}
    state |= {"datamodule_hyper_parameters": dict(data.hparams), "TrackDataModule": data.state_dict()}
    torch.save(state, path)
    return generator.eval()
