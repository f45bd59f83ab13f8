"""C2PA signatures: they show whether a finished video or its record was changed afterwards."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

from PIL import Image

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import atomic_output
from lit_reenact.provenance.certificate import Identity, load_identity
from lit_reenact.provenance.record import Record
from lit_reenact.video import VideoWriter

_SETTINGS = {"builder": {"thumbnail": {"enabled": False}}, "core": {"backing_store_memory_threshold_in_mb": 16}}
"""Settings of C2PA. By default it would hold up to 512 MB of a video in memory."""


def make_signer(record: Record) -> Callable[[Path], None]:
    """Return a function that signs a finished video; a ``VideoWriter`` calls it if it is given as ``finish``.

    Args:
        record: how the video is generated; its ``tags()`` belong in the same file.

    Raises:
        ReenactError: the certificate cannot sign. This is known before a frame is generated.
    """
    identity = load_identity()
    _check(identity)
    return lambda file: _sign(file, record, identity)


def open_generated_video(path: Path, fps: Fraction, record: Record, **encoding: Any) -> VideoWriter:
    """Open a video whose tags and signature say that it is AI-generated. The file gets its name when it is signed.

    Args:
        path: mp4 file to write.
        fps: frames per second.
        record: how the video is generated.
        **encoding: sound and quality, arguments of ``VideoWriter``.

    Raises:
        ReenactError: the video cannot be written, or the certificate cannot sign.

    Example:
        >>> with open_generated_video(Path("b.mp4"), Fraction(25), record) as video:
        ...     video.write(frame)  # uint8 (H, W, 3)
    """
    return VideoWriter(path, fps, tags=record.tags(), finish=make_signer(record), **encoding)


def sign(path: Path, record: Record) -> None:
    """Put a record and a signature into a finished mp4, in place. A program that rewrites the container later drops both.

    Args:
        path: mp4 file; it stays as it is if it cannot be signed.
        record: how the video was generated.

    Raises:
        ReenactError: there is no certificate to sign with, C2PA does not accept it, or the file is no mp4.
    """
    _sign(path, record, load_identity())


def _sign(path: Path, record: Record, identity: Identity) -> None:
    with atomic_output(path) as partial, path.open("rb") as unsigned, partial.open("w+b") as signed:
        _embed(record.manifest(), "video/mp4", unsigned, signed, identity)


def _check(identity: Identity) -> None:
    """Sign an image of one pixel, because C2PA checks a certificate only when it signs."""
    image = io.BytesIO()
    Image.new("RGB", (1, 1)).save(image, "PNG")
    image.seek(0)
    _embed(Record("trial", ()).manifest() | {"format": "image/png"}, "image/png", image, io.BytesIO(), identity)


def _embed(manifest: dict[str, Any], kind: str, unsigned: IO[bytes], signed: IO[bytes], identity: Identity) -> None:
    """Copy a file of a MIME type with a signed manifest in it."""
    import c2pa  # a large library, which few processes need

    try:
        information = c2pa.C2paSignerInfo(identity.algorithm, identity.chain, identity.key, None)  # None: no time server
        with (
            c2pa.Signer.from_info(information) as signer,
            c2pa.Context.from_dict(_SETTINGS) as context,
            c2pa.Builder.from_json(json.dumps(manifest), context) as builder,
        ):
            builder.sign(signer, kind, unsigned, signed)
    except c2pa.C2paError as error:
        raise ReenactError(
            f"the video cannot be signed ({str(error).splitlines()[0]}): set LIT_REENACT_CERTIFICATE to a "
            "certificate for C2PA with its chain and LIT_REENACT_KEY to its key, or set neither"
        ) from error
