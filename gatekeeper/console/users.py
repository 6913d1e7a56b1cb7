"""The user file of the console: staff ids with roles and scrypt hashes.

    {"users": {"hanako": {"roles": ["reviewer"], "controllers": ["midori"], "campaigns": ["spring-*"],
                          "password": "scrypt$17$8$1$SALT$HASH"}}}

Without `controllers` or `campaigns` the roles hold for all of them. The file is read again when it has changed.
"""

from __future__ import annotations

import fcntl
import hmac
import os
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from secrets import token_urlsafe
from tempfile import NamedTemporaryFile
from typing import Annotated

import orjson
import structlog
from pydantic import Field, StringConstraints, ValidationError

from gatekeeper.console import passwords
from gatekeeper.ground.errors import UnavailableError, UsageError
from gatekeeper.index.access import Access, Grant
from schemas.values import Id, Model

log = structlog.get_logger("console")


class User(Grant):
    """One person of the file."""

    password: Annotated[str, StringConstraints(pattern=passwords.PATTERN)]

    @property
    def access(self) -> Access:
        """The roles, with what they hold for."""
        return Access((Grant(roles=self.roles, controllers=self.controllers, campaigns=self.campaigns),))


class File(Model):
    """The user file."""

    users: dict[Id, User] = Field(default_factory=dict)


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
    return orjson.dumps(file.model_dump(mode="json", exclude_none=True), option=orjson.OPT_INDENT_2).decode() + "\n"


def change(path: Path, changed: Callable[[Mapping[str, User]], Mapping[str, User]]) -> None:
    """Replaces the users of a file, whole or not at all; nobody else changes it meanwhile.

    A missing file counts as empty. `changed` gets the present users and returns the new ones; its errors change
    nothing. Raises UsageError (2) as `read` does, and UnavailableError (3) when the file cannot be written.
    """
    target = Path(os.path.realpath(path))
    part = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with target.with_name(f".{target.name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            users = changed(read(path).users if path.exists() else {})
            with NamedTemporaryFile("w", encoding="utf-8", dir=target.parent, delete=False) as handle:
                part = Path(handle.name)
                handle.write(written(File(users=dict(users))))
                handle.flush()
                os.fsync(handle.fileno())
            part.replace(target)
    except OSError as error:
        raise UnavailableError("error.disk", path=path, detail=error) from None
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


class Users:
    """Users in a user file, always in the file's current state."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int] | None = None
        self._file = File()
        self._nobody = passwords.hashed(" " * passwords.LENGTH)
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

    def get(self, name: str) -> User | None:
        """A user, None for a name that is not in the file.

        Raises UnavailableError (3) when the file cannot be read any more.
        """
        try:
            return self.file().users.get(name)
        except UsageError as error:
            log.error("console_users", error=str(error))  # do not show the file's path to those who sign in
            raise UnavailableError("page.users_away") from None

    def admitted(self, name: str, password: str) -> User | None:
        """The user for the right password, else None; an unknown name takes the same time.

        An outdated hash is renewed in the file. Raises UnavailableError (3) as `get` does.
        """
        user = self.get(name)
        right = passwords.right(user.password if user else self._nobody, password)
        if user is None or not right:
            return None
        return self._renewed(name, user, password) if passwords.outdated(user.password) else user

    def _renewed(self, name: str, user: User, password: str) -> User:
        new = user.model_copy(update={"password": passwords.hashed(password)})

        def renew(users: Mapping[str, User]) -> Mapping[str, User]:
            return {**users, name: new} if users.get(name) == user else users

        try:
            change(self.path, renew)
        except (UsageError, UnavailableError) as error:  # the old hash stays good
            log.warning("console_hash_not_renewed", error=type(error).__name__)
        return new if self.get(name) == new else user


def browser_mark(user: str, kept: str) -> str:
    """A mark for the browser in which this user has signed in. It ends with the password, whose hash is `kept`."""
    nonce = token_urlsafe(12)
    return f"{nonce}.{_signature(user, kept, nonce)}"


def is_marked(user: str, kept: str, mark: str) -> bool:
    """True for a mark of `browser_mark` for this user and this hash."""
    nonce, _, signature = mark.partition(".")
    return hmac.compare_digest(_signature(user, kept, nonce).encode(), signature.encode())


def _signature(user: str, kept: str, nonce: str) -> str:
    return hmac.new(kept.encode(), f"gatekeeper browser\n{user}\n{nonce}".encode(), sha256).hexdigest()
