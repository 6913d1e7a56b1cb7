"""`gatekeeper audit replay`: derives every decision again from its record; with --live, its facts from the topics."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import click

from gatekeeper.audit.checks.archive import Archive
from gatekeeper.audit.checks.by_hash import ByHash
from gatekeeper.audit.checks.chain import ChainFinding
from gatekeeper.audit.checks.recheck import Recheck, Rechecked
from gatekeeper.audit.checks.replay import ReplayFinding, replay
from gatekeeper.audit.checks.trail import Link
from gatekeeper.audit.records.releases import RELEASES, RULES
from gatekeeper.cli.audit.reading import Pace, TrailWalk, in_order, opened, rate_option, tell_aside, trail_options
from gatekeeper.cli.cores import cores, mapped, sign
from gatekeeper.cli.output import json_option, note, progress_bar, show_json, show_table
from gatekeeper.ground.errors import IncompleteError, IntegrityError
from gatekeeper.ground.settings import Settings, load
from gatekeeper.ground.texts import text
from gatekeeper.identity import Tokens, open_tokens
from gatekeeper.keys import Keys
from gatekeeper.ledger.topic_ids import INPUTS
from gatekeeper.policy import packs
from schemas.topics import FACT_TOPICS
from streams.client import progress
from streams.client.reader import Reader
from streams.operations import inputs
from streams.operations.trail import LiveTrail

SHOWN = 100
"""Findings that are reported one by one."""
COUNTS = ("findings", "stages", "facts")
EXITS: dict[ReplayFinding, int] = {"drift": 1, "unknown": 4, "unverified": 5}
"""Findings that are reported one by one, each with its exit code."""
_LONGEST = 200


@dataclass
class Report:
    """Counts and findings so far."""

    findings: Counter[str] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)
    facts: Counter[str] = field(default_factory=Counter)
    found: list[dict[str, Any]] = field(default_factory=list)
    troubles: dict[str, int] = field(default_factory=dict)
    skipped: list[dict[str, Any]] = field(default_factory=list)
    foreign: bool = False
    """True if records not signed by a worker were set aside."""

    def begin(self, link: Link) -> None:
        """Adds the offsets that a person skipped, as a link's manifest states them; they have no decision to derive."""
        self.skipped += [{"partition": link.partition, **skip} for skip in link.manifest.get("skipped", ())]

    def add(self, link: Link, number: int, one: Rechecked, *, live: bool) -> None:
        """Adds the result for record `number` of a link."""
        replayed = one.replayed
        self.findings[replayed.finding] += 1
        self.stages[replayed.stage] += 1
        if live and replayed.finding in ("same", "told"):
            self.facts[one.unseen or "folded"] += 1
        if replayed.finding in EXITS and len(self.found) < SHOWN:
            place = {"partition": link.partition, "offset": link.offset, "record": number}
            self.found.append({**place, **replayed._asdict()})

    def join(self, other: Report) -> None:
        """Adds the report on a later partition."""
        for name in COUNTS:
            getattr(self, name).update(getattr(other, name))
        self.found += other.found[: SHOWN - len(self.found)]
        self.troubles |= other.troubles
        self.skipped += other.skipped

    @property
    def plain(self) -> dict[str, Any]:
        """The whole report as JSON values."""
        counts = {name: dict(getattr(self, name)) for name in COUNTS}
        return {
            "records": self.findings.total(),
            **counts,
            "found": self.found,
            "troubles": list(self.troubles),
            "skipped": self.skipped,
        }

    @property
    def exit_code(self) -> int:
        """1 for drift, 4 for unverifiable records, 5 for missing records or other rules, else 0."""
        codes = [code for finding, code in EXITS.items() if self.findings[finding]]
        return min((*codes, *self.troubles.values()), default=0)


@click.command("replay", help=text("replay.help"))
@trail_options
@rate_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    folder: Path | None,
    live: bool,
    since: int | None,
    to: int | None,
    rate: float | None,
    as_json: bool,
) -> None:
    """Prints the findings; exit 1: drift, or records not signed by a worker; 4: unverifiable.

    Exit 5: records are missing, or were decided by rules that this release does not have. With --live all records
    before --from are read too, as later ones may depend on them.
    """
    in_order(since, to)
    settings = load()
    if live and folder is None:
        report = _live(settings, since, to, rate)
    else:
        with opened(settings, folder, live=live, since=since, to=to) as trail:
            report, walk = Report(), TrailWalk(trail, since, to, Pace(rate or 0))
            with walk.bar:
                for link, number, rechecked in _exported(walk, report, ByHash(trail)):
                    report.add(link, number, rechecked, live=False)
    if as_json:
        releases = {str(rules): release for rules, release in RELEASES.items()}
        show_json({**report.plain, "rules": RULES, "releases": releases})
    else:
        _show(report, live=live)
    context.exit(1 if report.foreign else report.exit_code)


def _links(walk: TrailWalk, report: Report, partitions: Sequence[int]) -> Iterator[Link]:
    """Yields the links to replay. A read error ends its partition, and is reported at the end."""
    for partition in partitions:
        try:
            yield from walk.links(partition)
        except (IntegrityError, IncompleteError) as error:
            report.troubles[str(error)] = error.exit_code


def _live(settings: Settings, since: int | None, to: int | None, rate: float | None) -> Report:
    """The report on the running system, its partitions on all cores. Within one, later records need earlier ones."""
    tokens, loaded = open_tokens(Keys(settings.key_folder).tokens()), packs.load(settings.policy)
    with LiveTrail(settings, to=to) as trail, Reader(settings) as reader:
        progress.demand_same(reader, (*INPUTS, *FACT_TOPICS, "review", "audit", "manifests"))
        heads = progress.read(reader)
        archive = _archive(settings, reader, tokens)
    # Both are closed now: a process with a connection has a second thread, and must not fork.
    numbers, by_hash = trail.partitions(), ByHash(trail)
    processes = max(1, min(cores(), len(numbers)))
    whole = trail.since is None and all(begin == 0 for begin, _ in trail.bounds.manifests.values())

    def replayed(partition: int) -> tuple[Report, dict[str, ChainFinding]]:
        report = Report()
        with trail.apart() as own, Reader(settings) as reader:
            kept = inputs.KeptInputs(settings, reader, heads)
            recheck = Recheck(
                by_hash,
                archive,
                kept,
                loaded,
                tokens=tokens,
                partitions=settings.partitions,
                releases=RELEASES,
                whole=whole,
            )
            walk = TrailWalk(own, since, to, Pace(rate and rate / processes), recheck.passed)
            for link in _links(walk, report, [partition]):
                report.begin(link)
                at = link.manifest["asof"]
                for number, value in enumerate(link.records):
                    report.add(link, number, recheck.replay(value, at), live=True)
                    sign()
        return report, own.aside

    report = Report()
    with progress_bar() as bar:
        task = bar.add_task(text("replay.replaying"), total=len(numbers))
        for part, aside in mapped(replayed, numbers, processes=processes, together=1):
            report.join(part)
            trail.aside |= aside
            bar.advance(task)
    tell_aside(trail)
    report.foreign = bool(trail.aside)
    return report


def _exported(walk: TrailWalk, report: Report, by_hash: ByHash) -> Iterator[tuple[Link, int, Rechecked]]:
    """Yields the result of each record of an export, on all cores."""
    places: deque[tuple[Link, int]] = deque()

    def values() -> Iterator[bytes]:
        for link in _links(walk, report, walk.trail.partitions()):
            report.begin(link)
            for number, value in enumerate(link.records):
                places.append((link, number))
                yield value

    for replayed in mapped(lambda value: replay(value, by_hash, releases=RELEASES), values()):
        yield *places.popleft(), Rechecked(replayed)


def _archive(settings: Settings, reader: Reader, tokens: Tokens | None) -> Archive:
    ours, pair_key = (tokens.prints, tokens.pair_key) if tokens is not None else (None, b"")
    archive = Archive(settings.group, settings.founder, ours=ours, pair_key=pair_key)
    with progress_bar() as bar:
        task = bar.add_task(text("replay.facts"), total=None)
        for record in inputs.facts(reader):
            archive.apply(record)
            bar.advance(task)
    return archive


def _why(why: str) -> tuple[str, str]:
    """The obstacle as a sentence, and the hash or rules that it names."""
    kind, _, named = why.partition(" ")
    if kind != "rules":
        return text(f"replay.why_{kind}", named=named), named
    release = RELEASES.get(int(named))
    return text(
        "replay.why_rules" if release else "replay.why_rules_later", named=named, rules=RULES, release=release
    ), named


def _show(report: Report, *, live: bool) -> None:
    rows = [
        (name, report.findings[name], text(f"replay.{name}"))
        for name in get_args(ReplayFinding)
        if report.findings[name]
    ]
    show_table([f"cli.column_{name}" for name in ("finding", "records", "meaning")], rows, numbers=(1,))
    causes = Counter(row["why"] for row in report.found)
    for skip in report.found:
        shown, alike = {name: str(skip[name])[:_LONGEST] for name in ("recorded", "derived")}, 0
        if skip["why"]:
            shown["why"], named = _why(skip["why"])
            if named and not (alike := causes.pop(skip["why"], 0)):
                continue  # one missing thing is reported once
        click.echo(text(f"replay.found_{skip['finding']}", **{**skip, **shown}))
        if alike > 1:
            click.echo(text("replay.alike"))
    for skip in report.skipped:
        key = "partition.skipped_by" if skip["from"] < skip["to"] else "partition.back_by"
        click.echo(text(key, **{**skip, "start": skip["from"]}))
    if live:
        counts = {name: f"{report.facts[name]:,}" for name in ("folded", "expired", "no_key")}
        click.echo(text("replay.facts_told", **counts))
    elif report.findings.total():
        note("replay.believed")
    for trouble in report.troubles:
        note("cli.error", message=trouble)
    if not report.findings.total():
        note("replay.nothing")
