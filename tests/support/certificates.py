"""A CA of a test, and certificates on loopback that it has signed."""

from __future__ import annotations

import datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from streams.kafka import node


def certify(folder: Path, *names: str) -> None:
    """Writes `ca.pem`, and key and certificate of a server or a client into NAME.pem; without names into server.pem."""
    authority = ec.generate_private_key(ec.SECP256R1())
    issued = _certificate("ca.example", authority, authority, "ca.example", None)
    (folder / "ca.pem").write_bytes(issued.public_bytes(Encoding.PEM))
    for name in names or ("server",):
        own = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(f"{name}.example", own, authority, "ca.example", x509.IPAddress(ip_address(node.HOST)))
        secret = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file = folder / f"{name}.pem"
        file.touch(0o600)
        file.write_bytes(b"".join((secret, *(one.public_bytes(Encoding.PEM) for one in (made, issued)))))


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    issuer: str,
    of: x509.GeneralName | None,
) -> x509.Certificate:
    """Returns a certificate for a day; `of`: the address of a server, None for a CA."""
    now = datetime.datetime.now(datetime.UTC)
    subject, by = (x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, one)]) for one in (name, issuer))
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=of is None, path_length=None), critical=True)
    )
    if of is not None:
        made = made.add_extension(x509.SubjectAlternativeName([of]), critical=False)
    return made.sign(signer, hashes.SHA256())
