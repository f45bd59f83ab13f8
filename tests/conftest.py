"""Fixtures and marks of all tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import lit_reenact  # noqa: F401  (first: it keeps torchvision importable)

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def _certificate_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Sign the videos of tests with a certificate that is deleted with them."""
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("settings"))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Run torch on one thread in every test: small tensors are slower on many, and live sessions end with all cores."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_works() -> None:
    """Let Ctrl-C stop the programs that tests start, even in the background of a shell, which switches it off."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """Undo the changes that a training makes to its process.

    With its process group, or ``LOCAL_RANK``, a later training would wait for processes that nobody starts; programs started
    later would ignore Ctrl-C, as Lightning does from its first training on.
    """
    environment, signals = dict(os.environ), {number: signal.getsignal(number) for number in SIGNALS}
    yield
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)
    for number, handler in signals.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Return the folder of real clips, ``$LIT_REENACT_SHARED`` or ``../shared`` beside the repository; skip without it."""
    folder = Path(os.environ.get("LIT_REENACT_SHARED", REPOSITORY.parent / "shared"))
    if not (folder / "videos").is_dir():
        pytest.skip(f"the real clips are not here: no folder {folder / 'videos'} (set LIT_REENACT_SHARED)")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked ``gpu``, with the reason, where there is no CUDA device."""
    if torch.cuda.is_available():
        return
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="no CUDA device here"))
