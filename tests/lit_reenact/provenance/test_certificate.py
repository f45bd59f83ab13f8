"""Certificates that sign videos: generated, or named by the user."""

from __future__ import annotations

import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from lit_reenact.core.errors import ReenactError
from lit_reenact.provenance.certificate import (
    CERTIFICATE_VARIABLE,
    KEY_VARIABLE,
    certificate_folder,
    load_identities,
    load_identity,
)


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.delenv(CERTIFICATE_VARIABLE, raising=False)
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    return tmp_path / "settings"


def test_a_certificate_is_generated_once_and_nobody_else_reads_its_key(settings: Path) -> None:
    assert load_identities() == []
    identity = load_identity()
    assert load_identity() == identity
    assert load_identities() == [identity]
    key = settings / "lit_reenact" / "signing" / "key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert [path.name for path in key.parent.parent.iterdir()] == ["signing"]  # no temporary folder is left


def test_the_chain_holds_and_lasts() -> None:
    leaf, root = x509.load_pem_x509_certificates(load_identity().chain)
    leaf.verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)
    assert leaf.not_valid_after_utc > datetime.now(UTC) + timedelta(days=20 * 365)
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_many_first_signatures_at_once_agree() -> None:
    with ThreadPoolExecutor(8) as pool:
        identities = list(pool.map(lambda _: load_identity(), range(8)))
    assert len(set(identities)) == 1


def test_without_xdg_it_lies_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative/paths/do/not/count")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert certificate_folder() == tmp_path / ".config" / "lit_reenact" / "signing"


def _openssl(folder: Path, *key_kind: str) -> tuple[Path, Path]:
    """Generate a self-signed certificate with OpenSSL; return certificate and key."""
    certificate, key = folder / "mine.pem", folder / "mine.key"
    command = ["openssl", "req", "-x509", "-nodes", "-newkey", *key_kind, "-subj", "/CN=me"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


@pytest.mark.parametrize(
    ("key_kind", "algorithm"),
    [
        (("ec", "-pkeyopt", "ec_paramgen_curve:P-384"), "es384"),
        (("ed25519",), "ed25519"),
        (("rsa:2048",), "ps256"),
    ],
)
def test_the_users_own_certificate_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key_kind: tuple[str, ...], algorithm: str
) -> None:
    generated = load_identity()
    certificate, key = _openssl(tmp_path, *key_kind)
    monkeypatch.setenv(CERTIFICATE_VARIABLE, str(certificate))
    monkeypatch.setenv(KEY_VARIABLE, str(key))
    identity = load_identity()
    assert (identity.chain, identity.algorithm) == (certificate.read_bytes(), algorithm)
    assert load_identities() == [identity, generated]


@pytest.mark.parametrize(
    ("certificate", "key", "complaint"),
    [
        ("mine.pem", "", "go together"),
        ("", "mine.key", "go together"),
        ("mine.pem", "missing.key", "missing.key, which signs videos, cannot be read"),
        ("mine.key", "mine.key", "not a PEM certificate and its key"),
        ("mine.pem", "other.key", "other.key is not the key of the first certificate"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificate: str, key: str, complaint: str
) -> None:
    load_identity()
    (tmp_path / "other.key").write_bytes((certificate_folder() / "key.pem").read_bytes())
    _openssl(tmp_path, "ed25519")
    monkeypatch.setenv(CERTIFICATE_VARIABLE, certificate and str(tmp_path / certificate))
    monkeypatch.setenv(KEY_VARIABLE, key and str(tmp_path / key))
    with pytest.raises(ReenactError, match=complaint):
        load_identity()


def test_a_folder_that_cannot_be_written_says_what_to_set(settings: Path) -> None:
    settings.write_text("a file where a folder should be")
    with pytest.raises(ReenactError, match="set XDG_CONFIG_HOME"):
        load_identity()
