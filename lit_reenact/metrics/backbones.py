"""Networks of the user's own that turn pictures into features. None is shipped: their weights are not ours to give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lit_reenact.core.errors import ReenactError


class OnnxBackbone(nn.Module):
    """An ONNX file (which holds no code of Python) with one input, pictures, and as its first output one row a picture.

    The pictures are given as float32 (N, 3, H, W), RGB in [-1, 1], of the size that the file names: what the usual exports of
    ArcFace (112) and of the Inception network of the Frechet distance (299) take.

    Args:
        path: of the file.

    Raises:
        ReenactError: onnxruntime is missing, the file is no such network, or its input is no square RGB picture of a fixed size.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        try:
            from onnxruntime import InferenceSession
        except ImportError as error:
            raise ReenactError(f"{path} needs onnxruntime: pip install -e '.[export]' -c constraints.txt") from error
        if not path.is_file():
            raise ReenactError(f"{path}: there is no such file; give an ONNX file, or leave its metric out")
        try:
            self.session = InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has no common class for what can be wrong with a file
            raise ReenactError(f"{path} is no ONNX network that onnxruntime can run ({str(error).splitlines()[0]})") from error
        self.path = path
        first, *others = self.session.get_inputs()
        shape = first.shape
        if others or len(shape) != 4 or shape[1] != 3 or not isinstance(shape[2], int) or shape[2] != shape[3]:
            raise ReenactError(f"{path} takes {first.name} {shape}, not square RGB pictures (N, 3, size, size): export it so")
        self.name, self.one_by_one = first.name, shape[0] == 1
        self.size: int = shape[2]
        self.num_features = int(self._run(np.zeros((1, 3, self.size, self.size), np.float32)).shape[-1])

    def forward(self, images: Tensor) -> Tensor:
        """Features float32 (N, F) of pictures (N, 3, H, W): float in [-1, 1], or uint8; resized if they have another size."""
        pictures = images.float() / 127.5 - 1 if images.dtype == torch.uint8 else images
        if pictures.shape[-2:] != (self.size, self.size):
            size = (self.size, self.size)
            pictures = nn.functional.interpolate(pictures, size, mode="bilinear", align_corners=False, antialias=True)
        batches = torch.split(pictures, 1) if self.one_by_one else (pictures,)
        rows = [self._run(np.ascontiguousarray(batch.cpu().numpy(), np.float32)) for batch in batches]
        return torch.from_numpy(np.concatenate(rows)).to(images.device)

    def _run(self, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        features = np.asarray(self.session.run(None, {self.name: pictures})[0])
        return features.reshape(len(pictures), -1)
