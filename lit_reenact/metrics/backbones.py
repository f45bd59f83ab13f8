"""Feature networks that the user provides. None is shipped, because of the licences of their weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lit_reenact.core.errors import ReenactError


class OnnxBackbone(nn.Module):
    """Feature network in an ONNX file, which holds no Python code.

    The network has one input, pictures float32 (N, 3, H, W), RGB in [-1, 1], of a fixed square size; its first output has one row
    of features a picture. The usual exports of ArcFace (112 pixels) and of the Frechet distance's Inception network (299) fit.

    Args:
        path: ONNX file.

    Raises:
        ReenactError: onnxruntime is missing, the file is missing or no ONNX network, or its input is no square RGB picture of a
            fixed size.

    Example:
        >>> backbone = OnnxBackbone(Path("arcface.onnx"))
        >>> features = backbone(images)  # (N, F)
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        try:
            from onnxruntime import InferenceSession
        except ImportError as error:
            raise ReenactError(f"{path} needs onnxruntime: pip install 'lit_reenact[export]'") from error
        if not path.is_file():
            raise ReenactError(f"{path}: there is no such file; give an ONNX file, or leave its metric out")
        try:
            self.session = InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has no common class for errors in a file
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
        """Return features float32 (N, F) of pictures (N, 3, H, W), float in [-1, 1] or uint8; other sizes are resized."""
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
