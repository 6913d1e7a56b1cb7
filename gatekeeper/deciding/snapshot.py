"""The bytes of the facts that decide() read, as the audit record stores them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from gatekeeper.deciding import redacted
from gatekeeper.deciding.facts import NO_AGES, Ages, Facts
from schemas.audit import Address, Printing, Snapshot
from schemas.codec import canonical


def snapshot(
    *,
    source_lines: bytes,
    consent_lines: bytes,
    stops: Mapping[bytes, int],
    contact_point_from: Iterable[str],
    unreadable: Sequence[str],
    refs: bytes,
    elsewhere: Collection[bytes] = (),
    named: Mapping[bytes, int] = MappingProxyType({}),
    event_lines: bytes = b"",
    ask_lines: bytes = b"",
    asked_lines: bytes = b"",
    release_lines: bytes = b"",
    contact_point_near: Mapping[str, int] | None = None,
    addresses: Iterable[Address] = (),
    late: Mapping[str, int] | None = None,
    left: Mapping[str, Mapping[str, int]] | None = None,
    confirmed: Collection[str] = (),
    printed: Printing | None = None,
    printed_text: str | None = None,
    further: Sequence[Sequence[str]] = (),
    erased: int | None = None,
    ages: Ages = NO_AGES,
) -> bytes:
    """The canonical JSON of a Snapshot, joined from the redacted forms without encoding them again."""
    stopped = b",".join(
        b'{%b"event":%b,%b"score":%d}'
        % (
            b'"elsewhere":true,' if line in elsewhere else b"",
            line,
            b'"named":%d,' % named[line] if line in named else b"",
            stops[line],
        )
        for line in sorted(stops)
    )
    parts = []
    if addresses:
        parts.append(
            b'"addresses":%b,' % canonical([address.model_dump(exclude_defaults=True) for address in addresses])
        )
    if ages.now is not None:
        encoded = canonical(ages.sources), canonical(ages.by_day)
        parts.append(b'"age":%d,"age_from":%b,"age_on":%b,' % (ages.now, *encoded))
    if asked_lines:
        parts.append(b'"asked":[%b],' % asked_lines.replace(b"\n", b","))
    if ask_lines:
        parts.append(b'"asks":[%b],' % ask_lines.replace(b"\n", b","))
    if confirmed:
        parts.append(b'"confirmed":%b,' % canonical(sorted(confirmed)))
    parts.append(b'"consents":[%b],' % consent_lines.replace(b"\n", b","))
    parts.append(b'"contact_point_from":%b,' % canonical(sorted(contact_point_from)))
    if contact_point_near:
        parts.append(b'"contact_point_near":%b,' % canonical(contact_point_near))
    if erased is not None:
        parts.append(b'"erased":%d,' % erased)
    if event_lines:
        parts.append(b'"events":[%b],' % event_lines.replace(b"\n", b","))
    if further:
        parts.append(b'"further":%b,' % canonical(further))
    if late:
        parts.append(b'"late":%b,' % canonical(late))
    if left:
        parts.append(b'"left":%b,' % canonical(left))
    if printed:
        parts.append(b'"printed":"%b",' % printed.encode())
    if printed_text:
        parts.append(b'"printed_text":"%b",' % printed_text.encode())
    parts.append(b'"refs":%b,' % refs)
    if release_lines:
        parts.append(b'"releases":[%b],' % release_lines.replace(b"\n", b","))
    parts.append(b'"sources":[%b],"suppressions":[%b],' % (source_lines.replace(b"\n", b","), stopped))
    parts.append(b'"unreadable":%b' % canonical(sorted(unreadable)))
    return b"{%b}" % b"".join(parts)


def read_snapshot(recorded: bytes) -> Facts:
    """The facts of a recorded snapshot, as decide() saw them; for replay."""
    parsed = Snapshot.model_validate_json(recorded)
    stops = {canonical(stop.event): stop.score for stop in parsed.suppressions}
    elsewhere = {canonical(stop.event) for stop in parsed.suppressions if stop.elsewhere}
    named = {canonical(stop.event): stop.named for stop in parsed.suppressions if stop.named is not None}
    sources = redacted.sources(_lines(parsed.sources))
    return Facts(
        sources=sources.read,
        points=sources.points,
        deleted=sources.deleted,
        addresses=parsed.addresses,
        late=parsed.late,
        left=parsed.left,
        confirmed=frozenset(parsed.confirmed),
        consents=redacted.consents(_lines(parsed.consents)),
        suppressions=redacted.hits(stops, elsewhere, named),
        contact_point_from=frozenset(parsed.contact_point_from),
        contact_point_near=parsed.contact_point_near,
        printed=parsed.printed,
        printed_text=parsed.printed_text,
        further=parsed.further,
        unreadable=parsed.unreadable,
        snapshot=recorded,
        events=redacted.events(_lines(parsed.events)),
        asks=redacted.asks(_lines(parsed.asks)),
        asked=redacted.asked(_lines(parsed.asked)),
        releases=redacted.releases(_lines(parsed.releases)),
        erased=parsed.erased,
        ages=Ages(parsed.age, parsed.age_from, parsed.age_on),
    )


def _lines(forms: Iterable[dict[str, Any]]) -> bytes:
    return b"\n".join(canonical(event) for event in forms)
