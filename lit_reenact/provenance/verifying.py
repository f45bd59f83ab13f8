"""What a signed video says of its making, and whether it is still as it was signed."""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lit_reenact.core.errors import ReenactError
from lit_reenact.provenance.certificate import existing_identities
from lit_reenact.provenance.record import COMPOSITE, RECORD, ROLE, SHA256, SYNTHETIC

MANIFEST_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
"""The UUID of the box of an mp4 that holds a C2PA manifest."""

_KINDS = {
    SYNTHETIC: "AI-generated: every frame was synthesised by a neural network",
    COMPOSITE: "AI-generated in part: what a neural network synthesised is pasted into recorded frames",
}


@dataclass(frozen=True)
class Signature:
    """A signed manifest as it was found in a file.

    Attributes:
        faults: what does not match any more, in C2PA's codes or words; none if the file is as it was signed.
        objections: to the certificate itself, in C2PA's codes.
        own: whether a certificate of this user signed, which nobody else has the key of.
        manifest: what was signed; empty if it cannot be read any more.
    """

    faults: tuple[str, ...]
    objections: tuple[str, ...]
    own: bool
    manifest: dict[str, Any]

    @property
    def intact(self) -> bool:
        return not self.faults


def read_signature(path: Path) -> Signature | None:
    """The signature of a file; None if it has none. Nothing outside the file is asked.

    Raises:
        ReenactError: there is no such file, or a certificate of this user's cannot be read.
    """
    import c2pa  # a large library

    if not path.is_file():
        raise ReenactError(f"{path}: no such file")
    identities = existing_identities()
    settings: dict[str, Any] = {"verify": {"verify_trust": True, "ocsp_fetch": False, "remote_manifest_fetch": False}}
    if identities:
        settings["trust"] = {"user_anchors": "".join(identity.anchors for identity in identities)}
    try:
        with (
            path.open("rb") as file,
            c2pa.Context.from_dict(settings) as context,
            c2pa.Reader("video/mp4", file, context=context) as reader,
        ):
            found = json.loads(reader.json())
    except c2pa.C2paError.ManifestNotFound:
        return None
    except c2pa.C2paError as error:
        return Signature((str(error),), (), False, {}) if _has_manifest_box(path) else None
    manifest = found["manifests"][found["active_manifest"]]
    failures = [one["code"] for one in found["validation_results"]["activeManifest"]["failure"]]
    serial_numbers = [str(identity.serial_number) for identity in identities]
    return Signature(
        faults=tuple(code for code in failures if not code.startswith("signingCredential.")),
        objections=tuple(code for code in failures if code.startswith("signingCredential.")),
        own=found["validation_state"] == "Trusted" and manifest["signature_info"]["cert_serial_number"] in serial_numbers,
        manifest=manifest,
    )


def _has_manifest_box(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, 2):
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(MANIFEST_BOX) >= 0


def describe(manifest: dict[str, Any]) -> Iterator[str]:
    """What a manifest says, one line a fact. Anybody may have written it: it need not hold what ours do."""
    try:
        for line in _facts(manifest):
            yield _printable(line)
    except (AttributeError, IndexError, KeyError, TypeError):
        yield "The rest is not in a form that is known here."


def _printable(text: str) -> str:
    """Without what would move the cursor or begin a new line, and so could pretend to be another fact."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _facts(manifest: dict[str, Any]) -> Iterator[str]:
    assertions = {one["label"]: one["data"] for one in manifest.get("assertions", [])}
    actions = assertions.get("c2pa.actions.v2", assertions.get("c2pa.actions", {})).get("actions", [])
    generator = manifest.get("claim_generator_info", [{}])[0]
    record = assertions.get(RECORD, {})
    yield f"Title: {manifest.get('title', 'none')}"
    for action in actions:
        kind = action.get("digitalSourceType")
        if kind:
            yield _KINDS.get(kind, f"Kind: {kind.rsplit('/', 1)[-1]}")
    yield f"Made by: {generator.get('name', 'unknown')} {generator.get('version', '')}".rstrip()
    for when in [action["when"] for action in actions if "when" in action]:
        yield f"When: {when}, by the clock of whoever signed"
    for ingredient in manifest.get("ingredients", []):
        metadata = ingredient.get("metadata", {})
        hashed = f", SHA-256 {metadata[SHA256]}" if SHA256 in metadata else ""
        yield f"Made of: {metadata.get(ROLE, 'ingredient')} {ingredient.get('title', 'without a name')}{hashed}"
    if record.get("model"):
        yield f"Network: {record['model']['name']}, SHA-256 {record['model']['sha256']}"
    for name, value in record.get("settings", {}).items():
        name = name.replace("_", " ").capitalize()
        if isinstance(value, dict):
            yield f"{name}:"
            yield from (f"  {part}: {_in_words(setting)}" for part, setting in value.items())
        else:
            yield f"{name}: {_in_words(value)}"


def _in_words(value: Any) -> str:
    if isinstance(value, dict) and not any(isinstance(inner, dict | list) for inner in value.values()):
        return ", ".join(f"{name} {inner}" for name, inner in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def signer_of(signature: Signature) -> str:
    """Who signed, and what that is worth, as a sentence."""
    information = signature.manifest.get("signature_info", {})
    name = _printable(f"{information.get('common_name', 'no name')} ({information.get('issuer', 'no issuer')})")
    if signature.own:
        return f"Signed with your own certificate: {name}."
    number = information.get("cert_serial_number", "unknown")
    if "signingCredential.expired" in signature.objections:
        return f"Signed with a certificate that has expired since: {name}, number {number}."
    worth = (
        "nothing here vouches for that name" if signature.objections else "an authority that you rely on vouches for that name"
    )
    return f"Signed by somebody else: {name}, certificate number {number}; {worth}."
