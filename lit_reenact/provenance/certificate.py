"""Who signs: a certificate of this machine's own, made at the first signature, or the user's."""

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
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lit_reenact.core.errors import ReenactError

CERTIFICATE_VARIABLE, KEY_VARIABLE = "LIT_REENACT_CERTIFICATE", "LIT_REENACT_KEY"
CERTIFICATE_NAME, KEY_NAME = "certificate.pem", "key.pem"

YEARS = 30
"""How long a certificate made here is valid: nobody vouches for the time of a signature, so it counts only as long."""

_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)
_CURVES = {256: "es256", 384: "es384", 521: "es512"}


@dataclass(frozen=True)
class Identity:
    """A certificate chain and its private key.

    Attributes:
        chain: PEM, the signer's own certificate first.
        key: PEM, PKCS #8, not encrypted.
        algorithm: of the signature, by C2PA's name.
    """

    chain: bytes
    key: bytes
    algorithm: str

    @property
    def serial_number(self) -> int:
        return x509.load_pem_x509_certificates(self.chain)[0].serial_number

    @property
    def anchors(self) -> str:
        """PEM of what stands above the signer's own certificate, or of that itself if nothing does."""
        certificates = x509.load_pem_x509_certificates(self.chain)
        return "".join(one.public_bytes(Encoding.PEM).decode() for one in certificates[1:] or certificates)


def folder() -> Path:
    """Where the certificate of this machine lies: ``lit_reenact/signing`` in the user's folder for settings (XDG)."""
    settings = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return (settings if settings.is_absolute() else Path.home() / ".config") / "lit_reenact" / "signing"


def own_identity() -> Identity:
    """Whoever signs here: the user's certificate if the environment names one, else this machine's, made if need be.

    Raises:
        ReenactError: the files cannot be read, written or used, or the environment names only one of the two.
    """
    if not _named() and not folder().is_dir():
        _make(folder())
    return existing_identities()[0]


def existing_identities() -> list[Identity]:
    """What this user may have signed with: the certificate that the environment names, and this machine's if it was made.

    Raises:
        ReenactError: as ``own_identity``.
    """
    made = [(folder() / CERTIFICATE_NAME, folder() / KEY_NAME)] if folder().is_dir() else []
    return [_read(certificate, key) for certificate, key in _named() + made]


def _named() -> list[tuple[Path, Path]]:
    certificate, key = (os.environ.get(name, "") for name in (CERTIFICATE_VARIABLE, KEY_VARIABLE))
    if bool(certificate) != bool(key):
        raise ReenactError(
            f"{CERTIFICATE_VARIABLE} and {KEY_VARIABLE} go together: set both to PEM files, or neither for this machine's own"
        )
    return [(Path(certificate), Path(key))] if certificate else []


def _read(certificate: Path, key: Path) -> Identity:
    try:
        chain, private = certificate.read_bytes(), load_pem_private_key(key.read_bytes(), password=None)
        leaf = x509.load_pem_x509_certificates(chain)[0]
    except OSError as error:
        raise ReenactError(
            f"{error.filename}, which signs videos, cannot be read ({error.strerror}): put it back, or remove its folder"
        ) from error
    except (ValueError, TypeError) as error:  # TypeError: the key is encrypted
        raise ReenactError(
            f"{certificate} and {key} are not a PEM certificate and its key without a password: mend or remove both"
        ) from error
    if private.public_key() != leaf.public_key():
        raise ReenactError(f"{key} is not the key of the first certificate in {certificate}: give the two that belong together")
    if isinstance(private, ec.EllipticCurvePrivateKey):
        algorithm = _CURVES.get(private.key_size)
    elif isinstance(private, ed25519.Ed25519PrivateKey):
        algorithm = "ed25519"
    else:
        algorithm = "ps256" if isinstance(private, rsa.RSAPrivateKey) else None
    if algorithm is None:
        raise ReenactError(f"{key} is of a kind that C2PA does not sign with: use a key on P-256, P-384 or P-521, Ed25519 or RSA")
    return Identity(chain, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), algorithm)


def _make(place: Path) -> None:
    """Both files appear at once, in a folder that is renamed, so that two first signatures cannot mix theirs."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))  # nobody else may enter it
    except OSError as error:
        raise ReenactError(
            f"the certificate that signs videos cannot be kept in {place} ({error.strerror}): set XDG_CONFIG_HOME to a folder "
            f"that can be written, or {CERTIFICATE_VARIABLE} and {KEY_VARIABLE} to a certificate of your own"
        ) from error
    try:
        chain, key = _new_chain()
        (temporary / CERTIFICATE_NAME).write_bytes(chain)
        (temporary / KEY_NAME).touch(mode=0o600)
        (temporary / KEY_NAME).write_bytes(key)
        temporary.rename(place)
    except OSError:
        if not place.is_dir():  # else another process was faster
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _new_chain() -> tuple[bytes, bytes]:
    """PEM of a leaf under a root of its own, as C2PA takes no self-signed one, and of the leaf's key. The root's is forgotten."""
    root_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate("lit_reenact root of one user", root_key.public_key(), None, root_key)
    leaf = _certificate("lit_reenact of one user", leaf_key.public_key(), root, root_key)
    key = leaf_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return leaf.public_bytes(Encoding.PEM) + root.public_bytes(Encoding.PEM), key


def _certificate(
    name: str, public: ec.EllipticCurvePublicKey, root: x509.Certificate | None, root_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    """A root if none is given, else a leaf under it, with the extensions that C2PA's certificate profile asks for."""
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
