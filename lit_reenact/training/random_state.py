"""States of all random number generators that a training draws from, as plain values for checkpoints."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch


def random_state(device: torch.device) -> dict[str, Any]:
    """Return the states of Python, of NumPy, and of torch on the CPU and on a device.

    ``torch.load(weights_only=True)`` reads them back.

    Args:
        device: device that trains.
    """
    state: dict[str, Any] = {"python": random.getstate(), "torch": torch.get_rng_state()}
    numpy: Any = np.random.get_state()  # noqa: NPY002 (libraries draw from the global one)
    state["numpy"] = (numpy[0], numpy[1].tolist(), *numpy[2:])
    if device.type != "cpu":
        state[device.type] = torch.get_device_module(device).get_rng_state()
    return state


def set_random_state(state: dict[str, Any], device: torch.device) -> None:
    """Put all generators back into the states that ``random_state`` returned; another kind of device keeps its own state.

    Args:
        state: states by the names of their generators.
        device: device that trains.
    """
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    if device.type in state:
        torch.get_device_module(device).set_rng_state(state[device.type])
