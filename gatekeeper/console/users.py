"""The users of the console: a file of staff ids with roles and scrypt hashes, and the rights of each role.

    {"users": {"hanako": {"roles": ["reviewer"], "password": "scrypt$15$8$1$SALT$HASH"}}}

The file is read again when it has changed, so a removed user is signed out at the next click.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import scrypt
from pathlib import Path
from secrets import token_bytes
from typing import Annotated, Literal, get_args

import orjson
import structlog
from pydantic import Field, StringConstraints, ValidationError

from gatekeeper.errors import UnavailableError, UsageError
from schemas.values import Id, Model

log = structlog.get_logger("console")
Role = Literal["viewer", "reviewer", "approver", "auditor", "manager"]
ROLES: tuple[Role, ...] = get_args(Role)
ACTS = frozenset(("claim", "release", "uphold", "ask", "redecide", "note", "undo", "reveal"))
"""Acts about an item that a reviewer may do."""
MAY: Mapping[Role, frozenset[str]] = {
    "viewer": frozenset(("see",)),
    "auditor": frozenset(("see", "report")),
    "reviewer": frozenset(("see", "act", *ACTS)),
    "approver": frozenset(("see", "act", *ACTS, "approve", "manage")),
    "manager": frozenset(("see", "act", *ACTS, "approve", "report", "manage")),
}
"""Rights of each role: names of acts, `act` (any act), and `report` (the report of a period).

`manage`: the privacy manager's acts on controllers, lists, people and policies.
"""
PASSWORD_LENGTH = 12
_LOG_N, _R, _P = 15, 8, 1
_MEMORY = 64 * 1024 * 1024


class User(Model):
    """One person of the file."""

    roles: Annotated[tuple[Role, ...], Field(min_length=1, max_length=5)]
    password: Annotated[str, StringConstraints(pattern=r"^scrypt\$1[0-9]\$8\$1\$[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+$")]


class File(Model):
    """The user file."""

    users: dict[Id, User] = Field(default_factory=dict)


def rights(roles: tuple[Role, ...]) -> frozenset[str]:
    """The rights of these roles together."""
    return frozenset().union(*(MAY[role] for role in roles))


def hashed(password: str) -> str:
    """The hash of a password as the file stores it; raises UsageError (2) for a password that is too short."""
    if len(password) < PASSWORD_LENGTH:
        raise UsageError("error.password_short", length=PASSWORD_LENGTH)
    salt = token_bytes(16)
    found = _scrypt(password, salt, _LOG_N)
    return f"scrypt${_LOG_N}${_R}${_P}${b64encode(salt).decode()}${b64encode(found).decode()}"


def read(path: Path) -> File:
    """The content of a user file; raises UsageError (2) for a missing, invalid, or group- or world-accessible file."""
    try:
        mode = path.stat().st_mode & 0o777
        content = path.read_bytes()
    except OSError as error:
        raise UsageError("error.users_missing", path=path, detail=error) from None
    if mode & 0o077:
        raise UsageError("error.users_open", path=path, mode=f"{mode:03o}")
    try:
        return File.model_validate_json(content)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise UsageError("error.users_invalid", path=path, place=place or "-") from None


def written(file: File) -> str:
    """The text of a user file."""
    return orjson.dumps(file.model_dump(mode="json"), option=orjson.OPT_INDENT_2).decode() + "\n"


class Users:
    """Users in a user file, always in the file's current state."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int] | None = None
        self._file = File()
        self._nobody = hashed(" " * PASSWORD_LENGTH)
        self.file()

    def file(self) -> File:
        """The current content of the file; raises UsageError (2) as `read` does."""
        try:
            stat = self.path.stat()
        except OSError as error:
            raise UsageError("error.users_missing", path=self.path, detail=error) from None
        seen = (stat.st_mtime_ns, stat.st_ino)
        if seen != self._seen:
            self._file, self._seen = read(self.path), seen
        return self._file

    def roles(self, name: str) -> tuple[Role, ...]:
        """The roles of a user, empty for a name that is not in the file.

        Raises UnavailableError (3) when the file cannot be read any more.
        """
        user = self._now().get(name)
        return user.roles if user else ()

    def admits(self, name: str, password: str) -> bool:
        """True for the right password of a user; an unknown name takes the same time.

        Raises UnavailableError (3) as `roles` does.
        """
        user = self._now().get(name)
        right = _right(user.password if user else self._nobody, password)
        return right and user is not None

    def _now(self) -> Mapping[str, User]:
        try:
            return self.file().users
        except UsageError as error:
            log.error("console_users", error=str(error))  # do not show the file's path to those who sign in
            raise UnavailableError("page.users_away") from None


def _right(kept: str, password: str) -> bool:
    _, log_n, _, _, salt, found = kept.split("$")
    return hmac.compare_digest(_scrypt(password, b64decode(salt), int(log_n)), b64decode(found))


def _scrypt(password: str, salt: bytes, log_n: int) -> bytes:
    return scrypt(password.encode(), salt=salt, n=2**log_n, r=_R, p=_P, maxmem=_MEMORY, dklen=32)
