"""The metrics of a validation in one collection, exact over batches and processes."""

from __future__ import annotations

from torch import Tensor
from torchmetrics import Metric, MetricCollection

from lit_reenact.losses.perceptual import Lpips, LpipsBackbone
from lit_reenact.metrics.face_crops import crop_faces
from lit_reenact.metrics.face_recognition import FaceRecognition, align_for_recognition
from lit_reenact.metrics.frames import psnr, ssim
from lit_reenact.metrics.identity import identity_similarity
from lit_reenact.metrics.regions import FaceL1, FrameMean, ImageMean, RegionMean
from lit_reenact.metrics.sharpness import HighFrequency


class LpipsMean(FrameMean):
    """Mean LPIPS (Zhang et al. 2018) of whole images.

    Example:
        >>> lpips = LpipsMean()
        >>> lpips.update(generated, real)  # images (B, 3, H, W) in [0, 1]
        >>> lpips.compute()
    """

    higher_is_better = False

    def __init__(self, backbone: LpipsBackbone = "alex") -> None:
        super().__init__(self._distance)
        self.network = Lpips(backbone)

    def _distance(self, prediction: Tensor, target: Tensor) -> Tensor:
        return _lpips(self.network, prediction, target)


class FaceLpipsMean(RegionMean):
    """Mean LPIPS of the face crops at 256 pixels (``crop_faces``); images without a face do not count.

    Example:
        >>> lpips = FaceLpipsMean()
        >>> lpips.update(generated, real, region)
        >>> lpips.compute()
    """

    higher_is_better = False

    def __init__(self, backbone: LpipsBackbone = "alex") -> None:
        super().__init__(self._distance)
        self.network = Lpips(backbone)

    def _distance(self, prediction: Tensor, target: Tensor, region: Tensor) -> Tensor:
        return _lpips(self.network, crop_faces(prediction, region), crop_faces(target, region))


class CsimDlib(ImageMean):
    """Mean cosine of the embeddings of generated and real faces by dlib's network; faces without landmarks do not count.

    Example:
        >>> csim = CsimDlib()
        >>> csim.update(generated, real, landmarks)  # (B, 3, H, W) in [0, 1]; (B, 478, 3) in pixels
        >>> csim.compute()
    """

    higher_is_better = True

    def __init__(self) -> None:
        super().__init__()
        self.network = FaceRecognition()

    def update(self, prediction: Tensor, target: Tensor, landmarks: Tensor) -> None:
        """Add images and the FaceMesh landmarks of the real ones; NaN where no face was detected."""
        detected = landmarks.isfinite().flatten(1).all(1)
        if detected.any():
            faces = (align_for_recognition(images[detected], landmarks[detected]) for images in (prediction, target))
            generated, real = (self.network(face) for face in faces)
            self.add(identity_similarity(generated, real))


def validation_metrics(backbone: LpipsBackbone = "alex") -> MetricCollection:
    """Return the metrics of generated frames by name; ``update`` takes (prediction, target, region).

    Args:
        backbone: network of LPIPS.
    """
    metrics: dict[str, Metric | MetricCollection] = {
        "psnr": FrameMean(psnr),
        "ssim": FrameMean(ssim),
        "lpips": LpipsMean(backbone),
        "high_frequency": HighFrequency(),
        "face_l1": FaceL1(),
    }
    return MetricCollection(metrics, compute_groups=False)


def _lpips(network: Lpips, prediction: Tensor, target: Tensor) -> Tensor:
    distance: Tensor = network(prediction=prediction * 2 - 1, target=target * 2 - 1)
    return distance
