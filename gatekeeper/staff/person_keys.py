"""Key files of people: one Ed25519 key a person and machine, readable by its owner only.

The file is `ID-KEY.key`, in the form of C2SP signing keys. Its public half stands in the person's record `staff`.
"""

from __future__ import annotations

import os
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gatekeeper.ground.errors import UnavailableError, UsageError
from gatekeeper.ground.signing_key import ED25519, SigningKey, read_signing_key, secret_text

_ROLE = "staff"


@dataclass(frozen=True, slots=True)
class PersonKey:
    """A key of one person, or of the console; `by` and `key` as in the record `staff`."""

    by: str
    key: str
    signer: SigningKey

    @property
    def public(self) -> str:
        """The public half for the record `staff`: SubjectPublicKeyInfo (DER) in base64."""
        public = self.signer.private.public_key()
        return b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the signature."""
        return self.signer.sign(message)

    @classmethod
    def of(cls, by: str, key: str, private: Ed25519PrivateKey) -> PersonKey:
        """The key of a person with this private half."""
        return cls(by, key, SigningKey(f"{_ROLE}/{by}/{key}", ED25519, private))


def make(folder: Path, by: str, key: str) -> tuple[PersonKey, Path]:
    """Writes a new key, and returns it with its file.

    Raises UsageError (2) if the file exists, UnavailableError (3) if the folder cannot be written.
    """
    made, path = PersonKey.of(by, key, Ed25519PrivateKey.generate()), folder / f"{by}-{key}.key"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError("error.person_key_exists", path=path) from None
    except OSError as error:
        raise UnavailableError("error.disk", path=path, detail=error) from None
    with os.fdopen(opened, "w", encoding="ascii") as file:
        file.write(f"{secret_text(made.signer)}\n")
        file.flush()
        os.fsync(file.fileno())
    return made, path


def read(path: Path) -> PersonKey:
    """The key in a file; raises UsageError (2) for a missing or foreign file, and one that others can read."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            text = file.read(4096).decode("ascii", "replace").strip()
    except OSError:
        raise UsageError("error.person_key_unreadable", path=path) from None
    if mode & 0o077:
        raise UsageError("error.person_key_open", path=path, mode=f"{mode:03o}")
    signer = read_signing_key(text)
    role, _, rest = signer.name.partition("/") if signer else ("", "", "")
    by, _, key = rest.partition("/")
    if signer is None or role != _ROLE or not (by and key):
        raise UsageError("error.person_key_unreadable", path=path)
    return PersonKey(by, key, signer)
