"""The certificate that signs videos: the user's own, or one that lit_reenact makes at the first signature."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lit_reenact.core.errors import ReenactError

CERTIFICATE_VARIABLE, KEY_VARIABLE = "LIT_REENACT_CERTIFICATE", "LIT_REENACT_KEY"
CERTIFICATE_NAME, KEY_NAME = "certificate.pem", "key.pem"

YEARS = 30
"""Validity of a new certificate. Nobody vouches for the time of a signature, so a signature expires with its certificate."""

_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)
_CURVES = {256: "es256", 384: "es384", 521: "es512"}


@dataclass(frozen=True)
class Identity:
    """A certificate chain and its private key.

    Attributes:
        chain: PEM certificates, the signer's first.
        key: PEM private key, PKCS #8, not encrypted.
        algorithm: C2PA's name of the signature algorithm, for example ``es256``.
    """

    chain: bytes
    key: bytes
    algorithm: str

    @property
    def serial_number(self) -> int:
        """Serial number of the signer's certificate."""
        return x509.load_pem_x509_certificates(self.chain)[0].serial_number

    @property
    def anchors(self) -> str:
        """PEM of the certificates above the signer's, or of the signer's if there are none."""
        certificates = x509.load_pem_x509_certificates(self.chain)
        return "".join(one.public_bytes(Encoding.PEM).decode() for one in certificates[1:] or certificates)


def certificate_folder() -> Path:
    """Return the folder of this user's generated certificate, ``lit_reenact/signing`` in the folder for settings (XDG)."""
    settings = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return (settings if settings.is_absolute() else Path.home() / ".config") / "lit_reenact" / "signing"


def load_identity() -> Identity:
    """Return the identity that signs: the certificate that the environment names, or the generated one.

    The certificate is generated if there is none yet.

    Raises:
        ReenactError: a file cannot be read, written or used, or the environment names only one of certificate and key.
    """
    if not _named_files() and not certificate_folder().is_dir():
        _generate(certificate_folder())
    return load_identities()[0]


def load_identities() -> list[Identity]:
    """Return all identities of this user: the certificate that the environment names, then the generated one if it exists.

    Raises:
        ReenactError: a file cannot be read or used, or the environment names only one of certificate and key.
    """
    folder = certificate_folder()
    generated = [(folder / CERTIFICATE_NAME, folder / KEY_NAME)] if folder.is_dir() else []
    return [_read(certificate, key) for certificate, key in _named_files() + generated]


def _named_files() -> list[tuple[Path, Path]]:
    """Return the certificate and the key that the environment names, if it does."""
    certificate, key = (os.environ.get(name, "") for name in (CERTIFICATE_VARIABLE, KEY_VARIABLE))
    if bool(certificate) != bool(key):
        raise ReenactError(
            f"{CERTIFICATE_VARIABLE} and {KEY_VARIABLE} go together: set both to PEM files, or neither to generate a certificate"
        )
    return [(Path(certificate), Path(key))] if certificate else []


def _read(certificate: Path, key: Path) -> Identity:
    """Read a PEM certificate chain and its key.

    Raises:
        ReenactError: a file cannot be read, is no PEM of its kind, or does not belong to the other.
    """
    try:
        chain, private = certificate.read_bytes(), load_pem_private_key(key.read_bytes(), password=None)
        leaf = x509.load_pem_x509_certificates(chain)[0]
    except OSError as error:
        raise ReenactError(
            f"{error.filename}, which signs videos, cannot be read ({error.strerror}): put it back, or remove its folder"
        ) from error
    except (ValueError, TypeError) as error:  # TypeError: the key is encrypted
        raise ReenactError(
            f"{certificate} and {key} are not a PEM certificate and its key without a password: replace or remove both"
        ) from error
    if private.public_key() != leaf.public_key():
        raise ReenactError(
            f"{key} is not the key of the first certificate in {certificate}: set the variables to two files that belong together"
        )
    algorithm = _algorithm(private)
    if algorithm is None:
        raise ReenactError(f"{key} is of a kind that C2PA does not support: use a key on P-256, P-384 or P-521, Ed25519 or RSA")
    return Identity(chain, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), algorithm)


def _algorithm(key: PrivateKeyTypes) -> str | None:
    """Return C2PA's name of the signature algorithm for a key, or None if there is none."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return _CURVES.get(key.key_size)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    return "ps256" if isinstance(key, rsa.RSAPrivateKey) else None


def _generate(folder: Path) -> None:
    """Write a new certificate and its key into ``folder``.

    Both files appear at once, in a folder that is renamed, so that two first signatures cannot mix theirs.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))  # for this user only
    except OSError as error:
        raise ReenactError(
            f"the certificate that signs videos cannot be kept in {folder} ({error.strerror}): set XDG_CONFIG_HOME to a folder "
            f"that can be written, or {CERTIFICATE_VARIABLE} and {KEY_VARIABLE} to a certificate of your own"
        ) from error
    try:
        chain, key = _generate_chain()
        (temporary / CERTIFICATE_NAME).write_bytes(chain)
        (temporary / KEY_NAME).touch(mode=0o600)
        (temporary / KEY_NAME).write_bytes(key)
        temporary.rename(folder)
    except OSError:
        if not folder.is_dir():  # another process was not faster
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _generate_chain() -> tuple[bytes, bytes]:
    """Return PEM of a new chain, leaf and root, and of the leaf's key. The root's key is forgotten.

    C2PA does not accept a self-signed leaf.
    """
    root_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate("lit_reenact root of one user", root_key.public_key(), None, root_key)
    leaf = _certificate("lit_reenact of one user", leaf_key.public_key(), root, root_key)
    key = leaf_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return leaf.public_bytes(Encoding.PEM) + root.public_bytes(Encoding.PEM), key


def _certificate(
    name: str, public: ec.EllipticCurvePublicKey, root: x509.Certificate | None, root_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    """Return a root if none is given, otherwise a leaf under it, with the extensions of C2PA's certificate profile."""
    organization = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "lit_reenact")
    subject = x509.Name([organization, x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = "key_cert_sign" if root is None else "digital_signature"
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if root is None else root.subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks differ
        .not_valid_after(now + timedelta(days=365 * YEARS))
        .add_extension(x509.BasicConstraints(ca=root is None, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**{one: one == usage for one in _USAGES}), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
    )
    if root is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder.sign(root_key, hashes.SHA256())
