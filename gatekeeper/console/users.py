"""Who may use the console: a file of staff ids with roles and scrypt hashes, and what each role may do.

    {"users": {"hanako": {"roles": ["reviewer"], "password": "scrypt$15$8$1$SALT$HASH"}}}

It is read again when it has changed, so that whoever is removed is out at the next click.
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
Role = Literal["viewer", "reviewer", "approver", "auditor", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
ACTS = frozenset(("claim", "release", "uphold", "ask", "redecide", "note", "undo", "reveal"))
"""What a reviewer may do about an item."""
MAY: Mapping[Role, frozenset[str]] = {
    "viewer": frozenset(("see",)),
    "auditor": frozenset(("see", "report")),
    "reviewer": frozenset(("see", "act", *ACTS)),
    "approver": frozenset(("see", "act", *ACTS, "approve", "manage")),
    "admin": frozenset(("see", "act", *ACTS, "approve", "report", "manage")),
}
"""What a role may do: kinds of acts by their names; `act` any, `report` the period's report.

`manage`: what the privacy manager does to controllers, lists, people and policies.
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
    """All that somebody with these roles may do."""
    return frozenset().union(*(MAY[role] for role in roles))


def hashed(password: str) -> str:
    """Returns what the file keeps of a password; raises UsageError (2) for one that is too short."""
    if len(password) < PASSWORD_LENGTH:
        raise UsageError("error.password_short", length=PASSWORD_LENGTH)
    salt = token_bytes(16)
    found = _scrypt(password, salt, _LOG_N)
    return f"scrypt${_LOG_N}${_R}${_P}${b64encode(salt).decode()}${b64encode(found).decode()}"


def read(path: Path) -> File:
    """Returns what a user file says; raises UsageError (2) where it is not there, open to others, or not one."""
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
    """The people of a user file, as it says now."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int] | None = None
        self._file = File()
        self._nobody = hashed(" " * PASSWORD_LENGTH)
        self.file()

    def file(self) -> File:
        """Returns what the file says; raises UsageError (2) as `read` does."""
        try:
            stat = self.path.stat()
        except OSError as error:
            raise UsageError("error.users_missing", path=self.path, detail=error) from None
        seen = (stat.st_mtime_ns, stat.st_ino)
        if seen != self._seen:
            self._file, self._seen = read(self.path), seen
        return self._file

    def roles(self, name: str) -> tuple[Role, ...]:
        """The roles of somebody, none of whom the file does not name (any more).

        Raises UnavailableError (3) where the file cannot be read any more.
        """
        user = self._now().get(name)
        return user.roles if user else ()

    def admits(self, name: str, password: str) -> bool:
        """Whether that is the password of somebody; it takes the same time for whoever is not known.

        Raises UnavailableError (3) as `roles` does.
        """
        user = self._now().get(name)
        right = _right(user.password if user else self._nobody, password)
        return right and user is not None

    def _now(self) -> Mapping[str, User]:
        try:
            return self.file().users
        except UsageError as error:
            log.error("console_users", error=str(error))  # who signs in is not told where the file is
            raise UnavailableError("page.users_away") from None


def _right(kept: str, password: str) -> bool:
    _, log_n, _, _, salt, found = kept.split("$")
    return hmac.compare_digest(_scrypt(password, b64decode(salt), int(log_n)), b64decode(found))


def _scrypt(password: str, salt: bytes, log_n: int) -> bytes:
    return scrypt(password.encode(), salt=salt, n=2**log_n, r=_R, p=_P, maxmem=_MEMORY, dklen=32)
