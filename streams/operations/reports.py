"""A period's report read from the topics: consents and recalls first, then every manifest with its audit records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from time import time
from typing import Any, NamedTuple

import orjson

from gatekeeper.audit.checks.by_hash import ByHash, Missing
from gatekeeper.audit.explanation.citations import Citations
from gatekeeper.audit.log.sealed import sealed
from gatekeeper.audit.log.tree import CHECKPOINT
from gatekeeper.audit.records.record import FOREIGN
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.settings import Settings
from gatekeeper.ground.texts import language
from gatekeeper.identity import Tokens, open_tokens
from gatekeeper.keys import Keys
from gatekeeper.knowledge.signature_state import signature_state
from gatekeeper.knowledge.store import FactStore
from gatekeeper.knowledge.token_keys import KeyUse
from gatekeeper.report.evidence import Draw, ProvingLog
from gatekeeper.report.nos import Nos
from gatekeeper.report.period import Period
from gatekeeper.report.tally import Tally
from streams.client.reader import Reader
from streams.operations import management
from streams.operations.trail import LiveTrail


class Standing(NamedTuple):
    """The facts on file when a report is made: their token keys, and the section `nos`."""

    token_keys: list[KeyUse]
    nos: dict[str, Any]


Passed = Callable[[int, int], None]
"""Called with the number of manifests read, and an upper bound of their total."""


def read(
    settings: Settings,
    period: Period,
    passed: Passed = lambda done, total: None,
    *,
    facts: Callable[[], Standing] | None = None,
    draw: Draw | None = None,
) -> dict[str, Any]:
    """The report of a period, which ends now at the latest.

    `facts`: gives the result of `standing`, which may have begun already; None: it is read here. An error of `passed`
    ends the report. `draw`: as `Tally` takes it. Raises UnavailableError (3) without a broker, and IncompleteError (5)
    if records of a manifest do not come. Raises IntegrityError (4) if they differ, or the sealed log cannot be read.
    """
    seal = _seal(settings)
    with Reader(settings) as reader, LiveTrail(settings, since=period.since, to=period.to) as trail:
        by_hash = ByHash(trail)

        def window(record: Mapping[str, Any]) -> int | None:
            try:
                return by_hash.policy(record["policy"]["sha256"]).window_ms(record["channel"])
            except Missing:
                return None

        partitions, citations = len(reader.partitions("sends")), Citations(trail.policy)
        tally = Tally(
            period,
            partitions=partitions,
            seal=seal,
            window=window,
            group=settings.group,
            staff=trail.people(),
            citations=citations,
            draw=draw,
        )
        starts = reader.since("manifests", period.since)
        total = sum(max(0, end - starts[number]) for number, (_, end) in trail.bounds.manifests.items())
        passed(0, total)
        for record in reader.read("consents", since=period.since):
            if record.timestamp < period.to:
                place = (record.partition, record.offset, record.timestamp)
                tally.people.consent(*place, record.key, record.value)
        for record in reader.read("recalls", since=period.since):
            with suppress(*FOREIGN):
                recall = orjson.loads(record.value or b"{}")
                tally.people.recall(record.header("gate-decision-id"), recall.get("mail_date"))
        before = 0
        for partition in trail.partitions():
            at = before
            for link in trail.links(partition):
                tally.link(link)
                at = before + link.offset + 1 - starts[partition]
                passed(at, total)
            before += max(0, trail.bounds.manifests[partition][1] - starts[partition])
        kept = trail.since if trail.since != period.since else None
        ignored = management.policies(settings).over(settings.policy).ignored
        made, now = int(time() * 1000), facts() if facts else standing(settings, period)
        return tally.told(
            made=made,
            kept=kept,
            foreign=trail.strangers,
            ignored=ignored,
            phrases=trail.log.reference.audience_phrases(made * 1000),
            token_keys=now.token_keys,
            nos=now.nos,
            held=tokens.keys if (tokens := _tokens(settings)) else None,
            signatures=signature_state(trail.log, settings.acts),
            names=trail.names(language()),
        )


def standing(settings: Settings, period: Period, passed: Callable[[], None] = lambda: None) -> Standing:
    """The facts as they stand now, and the corrections of a period; raises as `Reader` does.

    `passed`: called for each record that is read.
    """
    tokens = _tokens(settings)
    ours = tokens.prints if tokens is not None else {}
    nos = Nos(FactStore(settings.group, settings.founder, ours=ours), period.since, period.to)
    with Reader(settings) as reader:
        for topic in ("reference", "suppressions", "sources", "consents"):
            for record in reader.read(topic):
                nos.take(record)
                passed()
    return Standing(nos.store.token_keys.uses(), nos.told())


def _tokens(settings: Settings) -> Tokens | None:
    """This machine's token keys; None without any."""
    return open_tokens(Keys(settings.key_folder).tokens())


def _seal(settings: Settings) -> ProvingLog:
    """This machine's copy of the sealed log, and the public keys to check it."""
    keys, shelf = Keys(settings.key_folder), AtomicStore(settings.log_folder)
    witnesses = keys.public("witness")
    log = sealed(shelf, keys.public("log"), witnesses)
    verifiers = [*keys.verifiers("worker"), *keys.verifiers("log")]
    # a cosignature rewrites the checkpoint's file; the state beside it is written once
    state = shelf.written_at(f"state/{log.checkpoint.size}") if log else None
    return ProvingLog(log, verifiers, witnesses, state or shelf.written_at(CHECKPOINT))
