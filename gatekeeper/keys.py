"""The keys behind proofs: a folder with one file per role and number; the highest number is in use.

`ROLE-N.key` is secret (mode 0600 in a folder of 0700) and `ROLE-N.pub` is for everybody. A machine holds the secrets of
its own roles only. A worker holds `master`, `token` and `worker`, and an importer `token` and `import`. The service
holds `token`, `event` and a `master` of its own. The sealer holds `log`, a witness `witness`, and the machine that
makes backups `backup`. Signing keys have the form of C2SP signed notes, `NAME+HASH+BASE64`; the others are 32 random
bytes in hex.
"""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatekeeper.audit.tlog.notes import Vkey, parse_vkey
from gatekeeper.ground.errors import IntegrityError, UnavailableError, UsageError
from gatekeeper.ground.mac import fingerprint
from gatekeeper.ground.signing_key import COSIGNATURE, ED25519, SigningKey, read_signing_key, secret_text

SIGNERS = ("worker", "log", "witness", "backup")
ROTATED = ("master", "token", "event", *SIGNERS)
ROLES = (*ROTATED, "import")
"""All roles. The key for ids of imported rows stays the same, so that a list imported again meets its earlier ids."""
SECRET_BYTES = 32
PUBLIC_BYTES = 4096
_FILE = re.compile(rf"({'|'.join(ROLES)})-([1-9][0-9]{{0,5}})\.(key|pub)")

State = Literal["in use", "former", "public only"]


def key_name(group: str, role: str) -> str:
    """The name of a role's key in a system. The log's name is the consumer group, which is also its origin."""
    return group if role == "log" else f"{group}/{role}"


def public_text(path: Path) -> str:
    """The text in the file of a public key; never blocks on a pipe.

    Raises OSError, or ValueError for a file that is not plain, not ASCII, or larger than PUBLIC_BYTES.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        content = os.read(handle, PUBLIC_BYTES + 1) if S_ISREG(os.fstat(handle).st_mode) else b""
    finally:
        os.close(handle)
    if not 0 < len(content) <= PUBLIC_BYTES:
        raise ValueError("not the file of a key")
    return content.decode("ascii").strip()


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the folder: role, number, state, public key, and faults of its files.

    `mark`: the fingerprint of a key that signs nothing, if its secret is here.
    """

    role: str
    number: int
    state: State
    verifier: str | None
    faults: tuple[UsageError, ...] = ()
    mark: str | None = None


class Keys:
    """The keys in a folder, each read when it is asked for.

    No key is used while others than the owner can put keys into the folder: UsageError (2).
    """

    def __init__(self, folder: Path, *, handed: bool = False) -> None:
        """`handed`: the folder came with an export. Its keys vouch for the export only, so any mode will do."""
        self.folder, self._handed = folder, handed

    def numbers(self, role: str, ending: str = "key") -> list[int]:
        """The numbers of a role's keys with such a file, ascending."""
        try:
            names = [path.name for path in self.folder.iterdir()] if self.folder.is_dir() else []
        except OSError as error:
            kind = IntegrityError if self._handed else UsageError
            raise kind("error.key_folder_unreadable", folder=self.folder, detail=error) from None
        matches = map(_FILE.fullmatch, names)
        return sorted(int(m[2]) for m in matches if m and m[1] == role and m[3] == ending)

    def signer(self, role: str) -> SigningKey:
        """The key in use of a role; raises UsageError (2) if it is missing, readable by others, or no key.

        A key of another role is refused.
        """
        self._demand_closed()
        return self._signer(role, self._newest(role))

    def masters(self) -> dict[int, bytes]:
        """The master keys by number; raises UsageError (2) if there is none, or one is readable by others.

        The highest number serves new people; the others serve people whose salt names them.
        """
        return self._secrets("master")

    def tokens(self) -> dict[int, bytes]:
        """The keys that make tokens, by number, {} without one; raises UsageError (2) if one is readable by others.

        The highest number makes new tokens; the others find what facts name by earlier tokens (rule 7.4.17).
        """
        return self._secrets("token") if self.numbers("token") else {}

    def events(self) -> dict[int, bytes]:
        """The keys that make event ids of requests, by number.

        Raises UsageError (2) if there is none, or one is readable by others. The highest number makes new ids; by the
        others a request is found that was made before.
        """
        return self._secrets("event")

    def importing(self) -> bytes | None:
        """The key for ids of imported rows, None without one; raises UsageError (2) if it is readable by others."""
        if not self.numbers("import"):
            return None
        self._demand_closed()
        return self._random("import", 1)

    def verifiers(self, role: str) -> list[str]:
        """The public keys of a role, `NAME+HASH+BASE64`, by number; raises as `public` does."""
        self.public(role)
        return [public_text(self._path(role, number, "pub")) for number in self.numbers(role, "pub")]

    def public(self, role: str) -> list[Vkey]:
        """The public keys of a role by number; raises UsageError (2) if one cannot be read."""
        self._demand_closed()
        return [self._vkey(role, number) for number in self.numbers(role, "pub")]

    def demand_group(self, group: str, *roles: str) -> None:
        """Raises UsageError (2) if a public key of these roles is named for another system than this group's."""
        for role in roles:
            for key in self.public(role):
                if key.name != key_name(group, role):
                    raise UsageError("error.key_of_other_group", kid=key.kid, folder=self.folder, group=group)

    def make(self, role: str, name: str, *, secret: bytes | None = None) -> Key:
        """Writes a new key of a role, which is in use from then on. `name` is the key's name in signatures.

        `secret`: the bytes of a key that signs nothing, for a key that is to be known. None makes a random one.
        Raises UsageError (2) if another process wrote the same key or others can put keys into the folder.
        Raises UnavailableError (3) if the folder cannot be written.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._demand_closed()
            return self._made(role, name, secret or secrets.token_bytes(SECRET_BYTES))
        except OSError as error:
            if isinstance(error, FileExistsError) and self.folder.is_dir():
                raise UsageError("error.key_race", folder=self.folder) from None
            raise UnavailableError("error.disk", path=self.folder, detail=error) from None

    def _secrets(self, role: str) -> dict[int, bytes]:
        """The secrets of a role that signs nothing, by number."""
        self._demand_closed()
        self._newest(role)
        return {number: self._random(role, number) for number in self.numbers(role)}

    def _made(self, role: str, name: str, secret: bytes) -> Key:
        number = max([0, *self.numbers(role), *self.numbers(role, "pub")]) + 1
        if role not in SIGNERS:
            self._write(role, number, "key", secret.hex())
            return Key(role, number, "in use", None, mark=fingerprint(secret, role))
        signer = SigningKey(name, COSIGNATURE if role == "witness" else ED25519, Ed25519PrivateKey.generate())
        self._write(role, number, "pub", signer.verifier)
        try:
            self._write(role, number, "key", secret_text(signer))
        except BaseException:
            self._path(role, number, "pub").unlink(missing_ok=True)  # nothing will ever be signed with it
            raise
        return Key(role, number, "in use", signer.verifier)

    def known(self) -> list[Key]:
        """Every key of the folder, by role and number, whatever the folder's mode."""
        keys = []
        for role in ROLES:
            secret, public = self.numbers(role), self.numbers(role, "pub")
            for number in sorted({*secret, *public}):
                state: State = "public only" if number not in secret else "former" if number < secret[-1] else "in use"
                verifier, mark, faults = None, None, []
                try:
                    if number in secret and role in SIGNERS:
                        self._signer(role, number)
                    elif number in secret:
                        mark = fingerprint(self._random(role, number), role)
                except UsageError as fault:
                    faults.append(fault)
                try:
                    if number in public:
                        self._vkey(role, number)
                        verifier = public_text(self._path(role, number, "pub"))
                except UsageError as fault:
                    faults.append(fault)
                keys.append(Key(role, number, state, verifier, tuple(faults), mark))
        return keys

    def open_folder(self) -> UsageError | None:
        """The fault of the folder's mode if others can put keys into it, else None."""
        try:
            mode = self.folder.stat().st_mode & 0o777 if self.folder.is_dir() else 0
        except OSError as error:
            raise UsageError("error.key_folder_unreadable", folder=self.folder, detail=error) from None
        return UsageError("error.key_folder_open", path=self.folder, mode=f"{mode:03o}") if mode & 0o022 else None

    def _demand_closed(self) -> None:
        if not self._handed and (fault := self.open_folder()):
            raise fault

    def _signer(self, role: str, number: int) -> SigningKey:
        signer = read_signing_key(self._secret(role, number))
        if signer is None:
            raise self._unreadable(role, number, "key")
        self._of_role(role, number, "key", signer.name, signer.kind)
        return signer

    def _random(self, role: str, number: int) -> bytes:
        try:
            secret = bytes.fromhex(self._secret(role, number))
        except ValueError:
            secret = b""
        if len(secret) != SECRET_BYTES:
            raise self._unreadable(role, number, "key")
        return secret

    def _vkey(self, role: str, number: int) -> Vkey:
        try:
            vkey = parse_vkey(public_text(self._path(role, number, "pub")))
        except (OSError, ValueError):
            raise self._unreadable(role, number, "pub") from None
        self._of_role(role, number, "pub", vkey.name, bytes([vkey.kind]))
        return vkey

    def _of_role(self, role: str, number: int, ending: str, name: str, kind: bytes) -> None:
        calls_itself = name.rpartition("/")[2]
        if (calls_itself in SIGNERS and calls_itself != role) or (kind == COSIGNATURE) != (role == "witness"):
            raise UsageError("error.key_of_other_role", path=self._path(role, number, ending), role=role)

    def _newest(self, role: str) -> int:
        numbers = self.numbers(role)
        if not numbers:
            raise UsageError("error.key_missing", role=role, folder=self.folder)
        return numbers[-1]

    def _path(self, role: str, number: int, ending: str) -> Path:
        return self.folder / f"{role}-{number}.{ending}"

    def _secret(self, role: str, number: int) -> str:
        path = self._path(role, number, "key")
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode & 0o777
                if mode & 0o077:
                    key = "error.key_open" if role in ROTATED else "error.key_open_fixed"
                    raise UsageError(key, path=path, mode=f"{mode:03o}", role=role)
                return file.read(4096).decode("ascii", "replace").strip()
        except OSError:
            raise self._unreadable(role, number, "key") from None

    def _write(self, role: str, number: int, ending: str, text: str) -> None:
        path = self._path(role, number, ending)
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(opened, "w", encoding="ascii") as file:
                file.write(f"{text}\n")
                file.flush()
                os.fsync(file.fileno())
            folder = os.open(self.folder, os.O_RDONLY)  # the name must be on the disk too, before anything is signed
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except BaseException:
            path.unlink(missing_ok=True)  # a partial file would count as the key in use, and is no key
            raise

    def _unreadable(self, role: str, number: int, ending: str) -> UsageError:
        return UsageError("error.key_unreadable", path=self._path(role, number, ending))
