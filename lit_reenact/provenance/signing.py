"""C2PA signatures: a record goes into a finished video, and nothing of either can be changed unnoticed afterwards."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

from PIL import Image

from lit_reenact.core.errors import ReenactError
from lit_reenact.provenance.certificate import Identity, own_identity
from lit_reenact.provenance.record import Record
from lit_reenact.video import VideoWriter

_SETTINGS = {"builder": {"thumbnail": {"enabled": False}}, "core": {"backing_store_memory_threshold_in_mb": 16}}
"""Of C2PA, which else would hold up to 512 MB of a video in memory."""


def signer(record: Record) -> Callable[[Path], None]:
    """What signs a video that will be finished: give it to its writer as ``finish``.

    Args:
        record: how the video is made; its ``tags()`` belong in the same file.

    Raises:
        ReenactError: nothing can be signed, which is thus found out before a frame is made.
    """
    identity = own_identity()
    _try(identity)
    return lambda file: _sign(file, record, identity)


def generated_video(path: Path, fps: Fraction, record: Record, **encoding: Any) -> VideoWriter:
    """A writer of a video that says in its tags and under a signature that a machine made it, before it has its name.

    Args:
        path: the mp4 to write.
        fps: frames per second.
        record: how the video is made.
        **encoding: of ``VideoWriter``: sound and quality.

    Raises:
        ReenactError: as ``VideoWriter`` and ``signer``.
    """
    return VideoWriter(path, fps, tags=record.tags(), finish=signer(record), **encoding)


def sign(path: Path, record: Record) -> None:
    """Put a record under a signature into a finished mp4, in place. Whatever rewrites the container later drops both.

    Raises:
        ReenactError: there is no certificate to sign with, C2PA does not take it, or the file is no mp4.
    """
    _sign(path, record, own_identity())


def _sign(path: Path, record: Record, identity: Identity) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.signed")
    try:
        with path.open("rb") as unsigned, temporary.open("w+b") as signed:
            _put_in(record.manifest(), "video/mp4", unsigned, signed, identity)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _try(identity: Identity) -> None:
    """Sign a picture of one pixel, as C2PA looks at a certificate only when it signs."""
    picture = io.BytesIO()
    Image.new("RGB", (1, 1)).save(picture, "PNG")
    picture.seek(0)
    _put_in(Record("trial", ()).manifest() | {"format": "image/png"}, "image/png", picture, io.BytesIO(), identity)


def _put_in(manifest: dict[str, Any], kind: str, unsigned: IO[bytes], signed: IO[bytes], identity: Identity) -> None:
    import c2pa  # a large library, which most processes that import this package never need

    try:
        information = c2pa.C2paSignerInfo(identity.algorithm, identity.chain, identity.key, None)  # no server is asked the time
        with (
            c2pa.Signer.from_info(information) as signer,
            c2pa.Context.from_dict(_SETTINGS) as context,
            c2pa.Builder.from_json(json.dumps(manifest), context) as builder,
        ):
            builder.sign(signer, kind, unsigned, signed)
    except c2pa.C2paError as error:
        raise ReenactError(
            f"the video cannot be signed ({str(error).splitlines()[0]}): give a certificate for C2PA, with its chain, in "
            "LIT_REENACT_CERTIFICATE and its key in LIT_REENACT_KEY, or set neither"
        ) from error
