"""`gatekeeper policy activate`: puts a version of a policy in force, for all workers from their next chunk on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import click
from pydantic import ValidationError

from gatekeeper import packs
from gatekeeper.activation import Order
from gatekeeper.cli.output import json_option, note, show_json, show_table
from gatekeeper.cli.who import by_option, confirmed, person, yes_option
from gatekeeper.errors import UsageError
from gatekeeper.facts import FactStore
from gatekeeper.packs import STRICTEST, Packs
from gatekeeper.policy import Policy, read
from gatekeeper.settings import Settings, load
from gatekeeper.spans import instant, span
from gatekeeper.texts import text
from gatekeeper.widening import Difference, differences, wider
from schemas.codec import VALUE_BYTES, Unreadable, decode, encode
from schemas.events import PolicyVersion
from streams import pairs
from streams.client import Reader
from streams.publisher import Outgoing

AFTER_ALL: Order = (0, 2**53)
"""Where a record that is not written yet would stand."""


class Known(NamedTuple):
    """What `reference` says of policies: the facts with their activations, and the records by their places."""

    store: FactStore
    records: dict[Order, PolicyVersion]

    def over(self, id_: str) -> Packs:
        """Returns the packs of that id as they hold."""
        return self.store.activations.over(packs.load(id_))

    def text(self, policy: Policy) -> str:
        """Returns the text of a version that is shipped or was put in force before."""
        texts = {record.sha256: record.toml for record in self.records.values() if record.toml is not None}
        return texts.get(policy.sha256) or packs.shipped_text(policy)


@click.command("activate", help=text("cli.policy_activate"))
@click.argument("policy")
@by_option
@click.option("--from", "since", help=text("cli.policy_from"))
@click.option("--allow-widening", is_flag=True, help=text("cli.policy_allow_widening"))
@yes_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    policy: str,
    by: str | None,
    since: str | None,
    allow_widening: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Writes the version to `reference`; exit 1 where it lets more through and that was not allowed."""
    from_file = policy.endswith(".toml")
    given = file_policy(policy) if from_file else None  # refused before any broker is asked
    settings = load()
    who = person(settings, by)
    known = read_known(settings)
    new = given or named(policy, every(known))
    content = Path(policy).read_bytes().decode() if from_file else known.text(new)
    now = int(datetime.now(UTC).timestamp() * 1000)
    before = _packs(known, new)
    begins = _begins(new, since, now=now, skew_ms=before.at(now).skew_ms)
    record = _record(new, content, begins=begins, by=who)
    old = before.at(begins)
    after = _checked(known, new, record, begins=begins)
    found = differences(old, new)
    if not as_json:
        show_differences(found)
        note("cli.policy_change", new=new.name, old=old.name, since=instant(begins))
    widening = _widening(before, after, begins=begins)
    if widening and not allow_widening:
        if as_json:
            show_json(
                {**new.ref, "activated": False, "over": old.name, "differences": [one._asdict() for one in found]}
            )
        note("cli.policy_widening_refused", new=new.name, lines=", ".join(widening))
        context.exit(1)
    confirmed(text("cli.policy_sure", new=new.name, since=instant(begins)), 1, yes=yes)
    act = pairs.act("activate", by=who, subject=f"policy/{record.id}")
    fact = Outgoing("reference", f"policy/{record.id}".encode(), encode(record))
    (place,) = pairs.write(settings, [fact], act).facts
    if as_json:
        told = {**new.ref, "activated": True, "effective_from": record.effective_from, "by": who, "over": old.name}
        where = {"topic": settings.topic(place.topic), "partition": place.partition, "offset": place.offset}
        show_json({**told, "differences": [one._asdict() for one in found], **where})
    else:
        click.echo(
            text(
                "cli.policy_activated",
                new=new.name,
                since=instant(begins),
                place=f"{place.topic}/{place.partition}/{place.offset}",
            )
        )
    for bar in after.barring(begins):
        note("cli.policy_still_barred", policy=bar.id, what=bar.what)
    for later in after.home:
        if later.since > begins * 1000:
            note("cli.policy_follows", later=later.name, since=instant(later.since // 1000))


def read_known(settings: Settings) -> Known:
    """Reads what `reference` says of policies, as a worker would."""
    known = Known(FactStore(), {})
    with Reader(settings) as reader:
        for found in reader.read("reference"):
            if known.store.apply("reference", found.partition, found.offset, found.key, found.value) is None:
                model = decode("reference", found.key, found.value)
                if isinstance(model, PolicyVersion):
                    known.records[found.partition, found.offset] = model
    return known


def every(known: Known | None = None) -> list[Policy]:
    """Returns the shipped versions, and those that were put in force."""
    found = [policy for versions in packs.shipped().values() for policy in versions]
    if known is not None:
        found += [policy for id_ in packs.shipped() for _, policy in known.store.activations.of(id_)]
    return found


def named(name: str, among: Iterable[Policy]) -> Policy:
    """Returns the last version that is meant by a file, an id or id@version."""
    if name.endswith(".toml"):
        return file_policy(name)
    among = list(among)
    found = [policy for policy in among if name in (policy.id, policy.name)]
    if not found:
        raise UsageError("error.policy_unknown", name=name, known=", ".join(sorted({one.name for one in among})))
    return found[-1]


def file_policy(file: str) -> Policy:
    """Reads a policy file as the worker would; raises UsageError (2) with file, key path and hint."""
    try:
        return read(Path(file).read_bytes(), file=file)
    except OSError as error:
        raise UsageError("error.file_unreadable", file=file, detail=error.strerror) from None


def show_differences(found: Iterable[Difference]) -> None:
    """Prints what differs as a table."""
    widens = text("cli.policy_widens")
    rows = [(one.key, one.old, one.new, widens if one.widens else "") for one in found]
    show_table([f"cli.column_{name}" for name in ("key", "old", "new", "effect")], rows)


def _packs(known: Known, new: Policy) -> Packs:
    """Returns the packs that a version goes into; its number must not be that of another text."""
    for policy in every(known):
        if (policy.id, policy.version) == (new.id, new.version) and policy.sha256 != new.sha256:
            raise UsageError("error.policy_version_taken", name=new.name, next=policy.version + 1)
    return known.over(new.id)


def _begins(new: Policy, since: str | None, *, now: int, skew_ms: int) -> int:
    """Returns from when the version shall be in force, in milliseconds; never from a day that is over."""
    try:
        begins = now if since == "now" else new.since // 1000
        if since not in (None, "now"):
            begins = span(since, new.timezone).first // 1000
        told = instant(begins)
    except (ValueError, OverflowError):
        raise UsageError("error.option_invalid", option="--from") from None
    if begins < now - skew_ms:
        raise UsageError("error.policy_past", name=new.name, since=told)
    return begins


def _record(new: Policy, content: str, *, begins: int, by: str) -> PolicyVersion:
    try:
        record = PolicyVersion(
            v=1,
            kind="policy",
            id=new.id,
            version=new.version,
            jurisdictions=tuple(sorted(new.jurisdictions)),
            effective_from=instant(begins),
            toml=content,
            sha256=new.sha256,
            by=by,
        )
    except ValidationError as error:
        place = str(error.errors(include_input=False, include_context=False)[0]["loc"][0])
        if place == "by":
            raise UsageError("error.option_invalid", option="--by") from None
        raise UsageError("error.policy_too_long", name=new.name) from None
    if len(encode(record)) > VALUE_BYTES:
        raise UsageError("error.policy_too_long", name=new.name)
    return record


def _checked(known: Known, new: Policy, record: PolicyVersion, *, begins: int) -> Packs:
    """Returns the packs as they would hold; raises UsageError where the strictest pack were the strictest no more."""
    try:
        known.store.activations.put(AFTER_ALL, record)
    except Unreadable as fault:
        hint = text(f"fault.{fault.fault}")
        raise UsageError("error.policy_wrong", file=new.name, place=fault.place, hint=hint) from None
    for id_ in packs.shipped() if new.id == STRICTEST else (new.id,):
        for bar in known.over(id_).looser():
            if begins * 1000 < bar.until:
                raise UsageError(
                    "error.policy_not_strictest", lines=bar.what, name=id_, since=instant(bar.since // 1000)
                )
    return known.over(new.id)


def _widening(before: Packs, after: Packs, *, begins: int) -> list[str]:
    """Returns the lines that let more through than before, on that day or when any later version takes force."""
    turns = {policy.since // 1000 for policy in before.home + after.home}
    days = sorted({begins, *(turn for turn in turns if turn > begins)})
    return sorted({line for day in days for line in wider(before.at(day), after.at(day))})
