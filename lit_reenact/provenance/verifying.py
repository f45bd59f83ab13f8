"""Signatures of videos: reading them, and saying in words what they prove."""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lit_reenact.core.errors import ReenactError
from lit_reenact.provenance.certificate import Identity, load_identities
from lit_reenact.provenance.record import COMPOSITE, RECORD, ROLE, SHA256, SYNTHETIC

MANIFEST_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
"""UUID of the box of an mp4 that holds a C2PA manifest."""

_KINDS = {
    SYNTHETIC: "AI-generated: every frame was synthesised by a neural network",
    COMPOSITE: "AI-generated in part: what a neural network synthesised is pasted into recorded frames",
}


@dataclass(frozen=True)
class Signature:
    """A signed manifest in a file.

    Attributes:
        faults: C2PA's codes or messages for everything that no longer matches; empty if the file is as it was signed.
        objections: C2PA's codes for doubts about the certificate.
        own: whether a certificate of this user signed, whose key nobody else has.
        manifest: the signed manifest; empty if it cannot be read any more.
    """

    faults: tuple[str, ...]
    objections: tuple[str, ...]
    own: bool
    manifest: dict[str, Any]

    @property
    def intact(self) -> bool:
        """True if the file is as it was signed."""
        return not self.faults


def read_signature(path: Path) -> Signature | None:
    """Read the signature of a file and check it. It makes no network request.

    Args:
        path: mp4 file.

    Returns:
        The signature, or None if the file has none.

    Raises:
        ReenactError: there is no such file, or a certificate of this user cannot be read.

    Example:
        >>> signature = read_signature(Path("b.mp4"))
        >>> signature is not None and signature.intact
        True
    """
    import c2pa  # a large library

    if not path.is_file():
        raise ReenactError(f"{path}: no such file")
    identities = load_identities()
    settings: dict[str, Any] = {"verify": {"verify_trust": True, "ocsp_fetch": False, "remote_manifest_fetch": False}}
    if identities:
        settings["trust"] = {"user_anchors": "".join(identity.anchors for identity in identities)}
    try:
        with (
            path.open("rb") as file,
            c2pa.Context.from_dict(settings) as context,
            c2pa.Reader("video/mp4", file, context=context) as reader,
        ):
            return _signature(json.loads(reader.json()), identities)
    except c2pa.C2paError.ManifestNotFound:
        return None
    except c2pa.C2paError as error:
        return Signature((str(error),), (), False, {}) if _has_manifest_box(path) else None


def _signature(store: dict[str, Any], identities: Sequence[Identity]) -> Signature:
    """Return the active signature of a C2PA manifest store; ``identities`` are those of this user."""
    manifest = store["manifests"][store["active_manifest"]]
    failures = [failure["code"] for failure in store["validation_results"]["activeManifest"]["failure"]]
    objections = tuple(code for code in failures if code.startswith("signingCredential."))
    serial_numbers = [str(identity.serial_number) for identity in identities]
    return Signature(
        faults=tuple(code for code in failures if code not in objections),
        objections=objections,
        own=store["validation_state"] == "Trusted" and manifest["signature_info"]["cert_serial_number"] in serial_numbers,
        manifest=manifest,
    )


def _has_manifest_box(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, 2):
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(MANIFEST_BOX) >= 0


def describe_manifest(manifest: dict[str, Any]) -> Iterator[str]:
    """Yield the facts of a manifest, one line each. Anybody may have written it, so it need not have the form of ours."""
    try:
        for line in _facts(manifest):
            yield _printable(line)
    except (AttributeError, IndexError, KeyError, TypeError):
        yield "The rest of the record is not in a known form."


def _printable(text: str) -> str:
    """Replace characters that move the cursor or begin a new line, which could pretend to be another fact."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _facts(manifest: dict[str, Any]) -> Iterator[str]:
    assertions = {assertion["label"]: assertion["data"] for assertion in manifest.get("assertions", [])}
    record = assertions.get(RECORD, {})
    yield f"Title: {manifest.get('title', 'none')}"
    yield from _creation(assertions, manifest.get("claim_generator_info", [{}])[0])
    yield from map(_ingredient, manifest.get("ingredients", []))
    if record.get("model"):
        yield f"Network: {record['model']['name']}, SHA-256 {record['model']['sha256']}"
    for name, value in record.get("settings", {}).items():
        yield from _setting(name.replace("_", " ").capitalize(), value)


def _creation(assertions: dict[str, Any], generator: dict[str, Any]) -> Iterator[str]:
    """Yield the kind of the video, the program and the time."""
    actions = assertions.get("c2pa.actions.v2", assertions.get("c2pa.actions", {})).get("actions", [])
    for kind in filter(None, (action.get("digitalSourceType") for action in actions)):
        yield _KINDS.get(kind, f"Kind: {kind.rsplit('/', 1)[-1]}")
    yield f"Program: {generator.get('name', 'unknown')} {generator.get('version', '')}".rstrip()
    for time in [action["when"] for action in actions if "when" in action]:
        yield f"Time: {time}, by the signer's clock"


def _ingredient(ingredient: dict[str, Any]) -> str:
    metadata = ingredient.get("metadata", {})
    digest = f", SHA-256 {metadata[SHA256]}" if SHA256 in metadata else ""
    return f"Input: {metadata.get(ROLE, 'ingredient')} {ingredient.get('title', 'without a name')}{digest}"


def _setting(name: str, value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{name}: {_in_words(value)}"
        return
    yield f"{name}:"
    yield from (f"  {part}: {_in_words(setting)}" for part, setting in value.items())


def _in_words(value: Any) -> str:
    if isinstance(value, dict) and not any(isinstance(inner, dict | list) for inner in value.values()):
        return ", ".join(f"{name} {inner}" for name, inner in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def describe_signer(signature: Signature) -> str:
    """Return a sentence that says who signed and what the signature is worth."""
    information = signature.manifest.get("signature_info", {})
    name = _printable(f"{information.get('common_name', 'no name')} ({information.get('issuer', 'no issuer')})")
    if signature.own:
        return f"Signed with your own certificate: {name}."
    number = information.get("cert_serial_number", "unknown")
    if "signingCredential.expired" in signature.objections:
        return f"Signed with a certificate that has expired since: {name}, number {number}."
    worth = "nothing here confirms that name" if signature.objections else "an authority that you trust confirms that name"
    return f"Signed by somebody else: {name}, certificate number {number}; {worth}."
