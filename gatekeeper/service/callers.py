"""The programs that may call the service, known by bearer keys, client certificates and tokens of a provider.

    [[callers]]
    id = "crm"
    scopes = ["facts", "access"]
    key_sha256 = ["…"]

The file is read again when it has changed.
"""

from __future__ import annotations

import asyncio
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Annotated

import orjson
from fastapi import Request
from pydantic import Field, ValidationError

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.texts import wrong
from gatekeeper.http.http_server import CERTIFICATE, recognised
from gatekeeper.service.caller_keys import KEY_PREFIX, SCOPES, Scope, digest
from gatekeeper.service.problem import Problem
from gatekeeper.service.provider_tokens import ProviderTokens, TokenProvider
from schemas.values import Digest, Id, Many, Model

PER_SECOND = 1_000
"""Records a second that a caller may bring, unless its entry says otherwise."""
MAX_UNDER_WAY = 64
"""Requests of a caller at once; the service has connections for four such callers."""
MAX_JUDGED = 2
"""Requests of a caller whose questions are judged at once. Others of it wait, so that other callers do not."""
MAX_PAGES = 2
"""Pages of results that are read for a caller at once; the service reads four."""
OFFSETS_A_RECORD = 100
"""Offsets to search that count as one record brought."""
BURST_SECONDS = 10
"""Seconds whose records may come at once."""
STOPS_A_DAY = 1_000
"""Stops a day that a caller may state beyond its own companies, unless its entry says otherwise."""
DAY_SECONDS = 86_400


class CallerEntry(Model):
    """One program. `client_id`: its name at the provider. `subject`: the `sub` of its own tokens, None for `client_id`.

    `per_second`: records that it may bring, on average. `controllers`: the companies for which it publishes, states,
    asks and reads, None for all. `stops_per_day`: stops that it may state beyond these, on average.
    """

    id: Id
    scopes: Annotated[Many[Scope], Field(min_length=1)]
    key_sha256: Annotated[Many[Digest], Field(max_length=8)] = ()
    certificate_sha256: Annotated[Many[Digest], Field(max_length=8)] = ()
    client_id: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    subject: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    per_second: Annotated[int, Field(ge=1, le=1_000_000)] = PER_SECOND
    controllers: Many[Id] | None = None
    stops_per_day: Annotated[int, Field(ge=1, le=1_000_000)] = STOPS_A_DAY


class CallersFile(Model):
    """The file of callers. `provider`: whose tokens count; None if there is none."""

    callers: Annotated[Many[CallerEntry], Field(min_length=1, max_length=1024)]
    provider: TokenProvider | None = None


class Allowance:
    """Token bucket: `most` records at once, and as many again in `seconds`."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._most, self._rate, self._clock = float(most), most / seconds, clock
        self._left, self._at = self._most, clock()

    def take(self, count: int) -> float:
        """Takes so many records, and gives 0.0; if too few are left, takes none and gives the seconds to wait."""
        now = self._clock()
        self._left, self._at = min(self._most, self._left + (now - self._at) * self._rate), now
        if count <= self._left:
            self._left -= count
            return 0.0
        return (min(float(count), self._most) - self._left) / self._rate

    def owe(self, count: int) -> None:
        """Takes so many records even if too few are left, as the work is done. The next ones wait for them."""
        self.take(0)
        self._left -= count


class Caller:
    """A program that was recognised. Its allowance lasts as long as its entry stays the same."""

    def __init__(self, entry: CallerEntry) -> None:
        self.entry, self.id = entry, entry.id
        self._allowance = Allowance(entry.per_second * BURST_SECONDS, BURST_SECONDS)
        self._stops = Allowance(entry.stops_per_day, DAY_SECONDS)
        self._under_way = Counter[int]()
        self.judging = asyncio.Semaphore(MAX_JUDGED)
        """Holds a turn of one of its requests whose questions are judged."""

    @contextmanager
    def busy(self, most: int = MAX_UNDER_WAY) -> Iterator[None]:
        """Counts a request that may wait, or with MAX_PAGES a page that is read.

        Raises Problem (429) if too many of this caller are under way.
        """
        if self._under_way[most] >= most:
            raise Problem(429, "too_many_under_way", most=most, headers={"Retry-After": "1"})
        self._under_way[most] += 1
        try:
            yield
        finally:
            self._under_way[most] -= 1

    def searched(self, offsets: int) -> None:
        """Counts offsets that were searched for it, after the search."""
        self._allowance.owe(offsets // OFFSETS_A_RECORD)

    def bring(self, count: int) -> None:
        """Counts records that it brings; raises Problem (429, or 413) if they are too many."""
        if count > self.entry.per_second * BURST_SECONDS:
            raise Problem(413, "too_many_at_once", most=self.entry.per_second * BURST_SECONDS)
        if wait := self._allowance.take(count):
            raise Problem(429, "too_fast", most=self.entry.per_second, headers=_after(wait))

    def stop(self, count: int) -> None:
        """Counts stops that it states beyond its companies; raises Problem (429) if they are too many for a day."""
        if count > self.entry.stops_per_day:
            raise Problem(413, "too_many_stops", caller=self.id, most=self.entry.stops_per_day)
        if wait := self._stops.take(count):
            raise Problem(429, "too_many_stops", caller=self.id, most=self.entry.stops_per_day, headers=_after(wait))


class Callers:
    """The callers of a file, or, without one, everybody on this machine, with all scopes."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._by_key = dict[str, Caller]()
        self._by_certificate = dict[str, Caller]()
        self._by_client = dict[str, Caller]()
        self._callers = dict[CallerEntry, Caller]()
        self._tokens: ProviderTokens | None = None
        self._everybody = Caller(CallerEntry(id="everybody", scopes=SCOPES, per_second=1_000_000))
        if path is not None:
            self._look()

    @property
    def open(self) -> bool:
        """True if nobody has to say who calls."""
        return self._path is None

    async def caller(self, request: Request, scope: Scope) -> Caller:
        """The caller of a request who has this scope.

        Raises Problem: 401 if the caller is not known, 403 without the scope.
        """
        if self._path is None:
            return self._everybody
        try:
            self._look()
        except UsageError as error:
            raise Problem(503, "callers_away") from error
        caller = await self._found(request)
        if caller is None:
            raise Problem(401, "caller_unknown", headers={"WWW-Authenticate": "Bearer"})
        recognised(request.scope)
        if scope not in caller.entry.scopes:
            raise Problem(403, "scope_missing", caller=caller.id, scope=scope)
        return caller

    async def _found(self, request: Request) -> Caller | None:
        shown = request.scope.get("state", {}).get(CERTIFICATE)
        if shown in self._by_certificate:
            return self._by_certificate[shown]
        kind, _, bearer = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not bearer:
            return None
        if bearer.startswith(KEY_PREFIX):
            return self._by_key.get(digest(bearer))
        if self._tokens is None:
            return None
        client, subject = await self._tokens.client(bearer) or ("", "")
        caller = self._by_client.get(client)
        if caller is None or subject != (caller.entry.subject or client):
            return None  # a person may have signed in by way of the program
        return caller

    def _look(self) -> None:
        assert self._path is not None
        try:
            stat = self._path.stat()
        except OSError as error:
            raise UsageError("error.callers_missing", path=self._path, detail=error) from None
        seen = (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
        if seen == self._seen:
            return
        file = read(self._path)
        self._callers = {entry: self._callers.get(entry) or Caller(entry) for entry in file.callers}
        every = self._callers.values()
        self._by_key = {key: caller for caller in every for key in caller.entry.key_sha256}
        self._by_certificate = {key: caller for caller in every for key in caller.entry.certificate_sha256}
        self._by_client = {caller.entry.client_id: caller for caller in every if caller.entry.client_id is not None}
        self._tokens = ProviderTokens(file.provider) if file.provider is not None else None
        self._seen = seen


def _after(wait: float) -> dict[str, str]:
    """The header that says how many seconds to wait."""
    return {"Retry-After": str(int(wait) + 1)}


def read(path: Path) -> CallersFile:
    """The content of the file.

    Raises UsageError (2) for one that is missing, invalid, names a key twice, or is writable by others.
    """
    try:
        mode = path.stat().st_mode & 0o777
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError("error.callers_missing", path=path, detail=error) from None
    except ValueError as error:
        place = str(error).rpartition("(at ")[2].rstrip(")") if isinstance(error, tomllib.TOMLDecodeError) else "-"
        raise UsageError("error.callers_invalid", path=path, place=place, detail=wrong({"type": "toml"})) from None
    if mode & 0o022:
        raise UsageError("error.callers_open", path=path, mode=f"{mode:03o}")
    try:
        file = CallersFile.model_validate_json(orjson.dumps(content))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError("error.callers_invalid", path=path, place=place or "-", detail=wrong(first)) from None
    named = [name for entry in file.callers for name in (entry.id, *entry.key_sha256, *entry.certificate_sha256)]
    named += [f"client_id {entry.client_id}" for entry in file.callers if entry.client_id]
    if twice := next((name for name, times in Counter(named).items() if times > 1), None):
        raise UsageError("error.callers_twice", path=path, name=twice)
    return file
