"""All that is known of people, and the part of it that bears on a send.

The lines (gatekeeper.knowledge.person_facts) stand under each person, and under each token that a suppression names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from functools import partial
from itertools import chain, islice

import msgspec

from gatekeeper.deciding.facts import CERTAIN, NO_AGES, NO_FACTS, WHOLE_BATCH, Facts
from gatekeeper.deciding.other_ids import Speaker
from gatekeeper.deciding.purposes import above
from gatekeeper.deciding.redacted import asked as redacted_asked
from gatekeeper.deciding.redacted import hits
from gatekeeper.deciding.reference import Reference
from gatekeeper.deciding.rules.system import TOKEN_KEY, UNREAD_ASKED
from gatekeeper.deciding.snapshot import read_snapshot, snapshot
from gatekeeper.ground.cache import MEGABYTE, Cache
from gatekeeper.ground.tables import SPOILT, Tables
from gatekeeper.identity import Identified, Printed
from gatekeeper.knowledge.address_numbers import addresses
from gatekeeper.knowledge.ages import ages
from gatekeeper.knowledge.companies import late, left, may_bind, predecessors
from gatekeeper.knowledge.companies import named as named_companies
from gatekeeper.knowledge.confirmed_nos import ConfirmedNos
from gatekeeper.knowledge.corrections import Corrections
from gatekeeper.knowledge.gaps import Gaps
from gatekeeper.knowledge.meeting import POSTAL, Meeting, pair_id
from gatekeeper.knowledge.person_facts import (
    WORD,
    PersonFacts,
    accounted_for,
    covering,
    joined,
    person_of,
    spellings,
    weight,
)
from gatekeeper.knowledge.reference_log import ReferenceLog
from gatekeeper.knowledge.reverse_index import ReverseIndex
from gatekeeper.knowledge.suppressed_tokens import Stopped, SuppressedTokens
from gatekeeper.knowledge.token_keys import Lacking, StopScope, TokenKeys, address_of, uncompared
from gatekeeper.knowledge.unresolved import Unresolved
from gatekeeper.knowledge.withholding import BY_TWO, WHOM, Whom, Withholding
from gatekeeper.policy.activation import Activations
from schemas.audit import Printing
from schemas.events import Send

SNAPSHOT_BYTES = 160 * 1024
"""Bytes of a snapshot, at most, to fit a record with send and reasons. Beyond, the person is FACTS_UNAVAILABLE."""
DECODED = 512 * MEGABYTE
"""Memory for the people decoded last: about 100,000 of the demo's."""
UNREADABLE = 64
"""Unreadable records that are named per person; more are not named one by one."""


class KnownFacts:
    """The facts of everybody: `view` gives those that bear on a send.

    `origin`, `founder`: as of `ReferenceLog`. `decoded`: the bytes for the people decoded last, at most. `tables`:
    hold what is known. `ours`: as of `TokenKeys`. `pair_key`: as of `FactStore`.
    """

    def __init__(
        self, origin: str, founder: str, *, decoded: int, tables: Tables, ours: Mapping[str, str], pair_key: bytes
    ) -> None:
        self.log = ReferenceLog(origin, founder)
        self.unresolved = Unresolved()
        self.gaps = Gaps(self.unresolved)
        """The feeds that owe withdrawals since a loss."""
        self.confirmed_nos = ConfirmedNos()
        """The nos for whose dates two managers stand."""
        self.token_keys = TokenKeys(tables.table("token_keys"), tables.table("unmatched"), ours)
        """The keys of the tokens that suppressions and sources name."""
        self.mentions = ReverseIndex(tables.table("mentions"))
        """The people by the names in their facts."""
        self._corrections = Corrections()
        self._decoded = Cache(decoded, person_of, weight)
        self.pair_key = pair_key
        """The key of the ids of nos of other ids (rule 8.1.36)."""
        self._people = tables.table("people")
        self._suppressed = SuppressedTokens(self._decoded, tables.table("tokens"))

    @property
    def reference(self) -> Reference:
        """The reference data that counts."""
        return self.log.reference

    @property
    def activations(self) -> Activations:
        """The policies that count."""
        return self.log.activations

    @property
    def people(self) -> int:
        """Number of people with facts."""
        return len(self._people)

    def may_name(self, recipient_id: str, words: Set[bytes]) -> bool:
        """Tells whether the facts of a person may hold a word (token, id, state). Never a false no."""
        lines = self._people.get(recipient_id) or b""
        return lines == SPOILT or not words.isdisjoint(WORD.findall(lines))

    def companies(self, recipient_id: str, id_: str) -> set[str]:
        """The companies of the sources and consents of a person with this id."""
        person = self._decoded(self._people.get(recipient_id) or b"")
        collected = {source.collected_by for source in person.sources if source.source_id == id_}
        return collected | {consent.controller_id for consent in person.consents if consent.record_id == id_}

    def postal_tokens(self, recipient_id: str, source_id: str | None) -> set[str]:
        """The whole tokens of the addresses that a source of a person gives, in every version."""
        person = self._decoded(self._people.get(recipient_id) or b"")
        given = (one for one in person.given if one.source == source_id and one.score == CERTAIN)
        return {one.token for one in given if one.channel in (None, POSTAL)}

    def unnamed(self, recipient_id: str, tokens: Iterable[bytes]) -> list[bytes]:
        """Those of the tokens that no source of the person names."""
        lines = self._people.get(recipient_id) or b""
        return [token for token in tokens if b"\nt%b " % token not in lines]

    def view(
        self,
        send: Send,
        printed: Printed | None = None,
        *,
        at: int,
        zone: str,
        asks: bytes = b"",
        releases: bytes = b"",
        erased: int | None = None,
        asked: bytes | None = b"",
    ) -> Facts:
        """The facts that bear on `send`.

        `printed`: the send's printed address (`identity.printed`); if there is none, the token of its contact point
        counts.
        `at`, `zone`: the instant of the decision (milliseconds) and its policy's time zone, for the person's age.
        `asks`, `releases`: the worker's own entries in their redacted form, one per line, in addition to the facts.
        `erased`: the instant of the person's erasure according to the worker (milliseconds).
        `asked`: the questions under other ids, one per line; None if they could not be read.
        """
        person = self._decoded(self._people.get(send.recipient_id) or b"")
        if asks or releases:
            person = joined(person, asks, releases)
        identified = printed if isinstance(printed, Identified) else None
        stated = printed in (None, "not_checked")
        address = address_of(send, identified)
        given_by, near = covering(person, send.contact_point, address) if identified or stated else (frozenset(), {})
        where = addresses(person.given, person.known_as, send.contact_point, address)
        tokens, readings, here = spellings(person, send, identified, near)
        nth = dict(identified.named) if identified else {}
        forms = {**dict(identified.further), **dict(identified.places)} if identified else {}
        matches = self._suppressed.stops(person, tokens, readings, here, nth, forms)
        matches = self._corrected((send.recipient_id, *tokens, *readings), matches)
        stops, elsewhere, overfull, linked, named = matches
        events, event_lines = self._corrections.events(
            send.recipient_id, person.event_lines, person.events, self.log, self.confirmed_nos
        )
        if linked := linked - {send.recipient_id}:
            met = Meeting.of(send, person, identified)
            for other in sorted(linked):
                crossing, faults = self._crossing(other, send, met, zone, at)
                overfull += faults
                for line, score, name in crossing:
                    stops[line] = max(score, stops.get(line, 0))
                    named |= {line: name} if name is not None else {}
        unread = self.unresolved.naming(_names(send, person, tokens, readings))
        unread += self.gaps.binding((send.controller_id, *predecessors(person.sources)))
        if printed not in ("token_differs", "several"):  # invalid, whatever the facts say
            unread += self._uncompared(self.token_keys.lacking(address), send, person)
        unread += [UNREAD_ASKED] if asked is None else []
        unreadable = tuple(sorted({*person.overfull, *overfull, *unread}))
        known_ages = ages(person.births, person.consents, at=at, zone=zone) if person.births else NO_AGES
        stopped = hits(stops, elsewhere, named) if stops else ()
        companies = named_companies(self.reference, person.consents, stopped)
        registered_late = late(self.reference, companies)
        groups_left = left(self.reference, stopped, (send.controller_id, *predecessors(person.sources)))
        confirmed = self.confirmed_nos.among((*person.consents, *(hit.stop for hit in stopped)), zone)
        parties = {*companies, *self.reference.companies_of(person.refs)} - {send.controller_id}
        others = {f"controller/{company}" for company in parties}.difference(person.refs)
        given = identified and identified.by(accounted_for(person, self.reference) if identified.beside else ())
        how: Printing | None = given.printing if given else printed  # type: ignore[assignment]
        recorded = snapshot(
            source_lines=person.source_lines,
            consent_lines=person.consent_lines,
            stops=stops,
            contact_point_from=given_by,
            contact_point_near=near,
            addresses=where,
            late=registered_late,
            left=groups_left,
            confirmed=confirmed,
            printed=how,
            printed_text=given.unaccounted if given else None,
            further=given.lines if given else (),
            unreadable=unreadable,
            refs=self.log.digests(send, (*person.refs, *sorted(others))),
            elsewhere=elsewhere,
            named=named,
            event_lines=event_lines,
            ask_lines=person.ask_lines,
            asked_lines=asked or b"",
            release_lines=person.release_lines,
            erased=erased,
            ages=known_ages,
        )
        if len(recorded) > SNAPSHOT_BYTES or len(unreadable) > UNREADABLE:
            return self._overfull(send, unreadable, printed=how, erased=erased)
        return Facts(
            sources=person.sources,
            consents=person.consents,
            suppressions=stopped,
            contact_point_from=given_by,
            contact_point_near=near,
            points=person.points,
            deleted=person.deleted,
            addresses=where,
            late=registered_late,
            left=groups_left,
            confirmed=confirmed,
            printed=how,
            printed_text=given.unaccounted if given else None,
            further=given.lines if given else (),
            unreadable=unreadable,
            snapshot=recorded,
            events=events,
            asks=person.asks,
            asked=redacted_asked(asked or b""),
            releases=person.releases,
            erased=erased,
            ages=known_ages,
        )

    def _crossing(
        self, other: str, send: Send, met: Meeting, zone: str, at: int
    ) -> tuple[list[tuple[bytes, int, int | None]], tuple[str, ...]]:
        """The nos of another id that meet the send, as of `Meeting.line`, and the faults of its facts (rule 8.1.36)."""
        person = self._decoded(self._people.get(other) or b"")
        points = met.points(person.given, send.controller_id)
        if not points:  # or too many, or damaged: then nobody can tell
            return [], person.overfull
        own = Stopped(dict.fromkeys(person.stops, CERTAIN), set(), [], set(), {})
        stops = hits(self._corrected((other,), own).stops)
        events, _ = self._corrections.events(other, person.event_lines, person.events, self.log, self.confirmed_nos)
        companies = named_companies(self.reference, person.consents, stops)
        facts = msgspec.structs.replace(
            NO_FACTS,
            sources=person.sources,
            consents=person.consents,
            suppressions=stops,
            events=events,
            points=person.points,
            late=late(self.reference, companies),
            left=left(self.reference, stops, predecessors(person.sources)),
            confirmed=self.confirmed_nos.among((*person.consents, *(hit.stop for hit in stops)), zone),
        )
        name = partial(pair_id, self.pair_key, send.recipient_id, other)
        found = [met.line(no, points, name(no.fact)) for no in Speaker(facts, self.reference, zone, at * 1000).nos()]
        faults = (*person.overfull, *self.unresolved.naming((other,)))
        return [each for each in found if each], faults

    def _corrected(self, names: Collection[str], met: Stopped) -> Stopped:
        """The same, with those who stand for the corrections among them. `names`: the person's id and tokens."""
        if not self._corrections:
            return met
        signed = {
            line: self._corrections.signed(line, names, self.log, self.confirmed_nos)
            for line in met.stops
            if line in self._corrections
        }
        if not signed:
            return met
        return met._replace(
            stops={signed.get(line, line): n for line, n in met.stops.items()},
            elsewhere={signed.get(line, line) for line in met.elsewhere},
            named={signed.get(line, line): n for line, n in met.named.items()},
        )

    def _uncompared(self, lacking: Iterable[Lacking], send: Send, person: PersonFacts) -> list[str]:
        """The keys of stops that cannot be compared and may bind the send's company, as faults."""
        if not lacking:
            return []
        senders = send.controller_id, *predecessors(person.sources)
        keys = {stop.key for stop in lacking if self._may_bind(stop.scope, senders)}
        return [f"{TOKEN_KEY}{key}/{WHOLE_BATCH}" for key in keys]

    def _may_bind(self, scope: StopScope, companies: Iterable[str]) -> bool:
        return may_bind(self.reference, scope, self.token_keys.since.get(scope, 0), companies)

    @property
    def corrections(self) -> Mapping[str, int]:
        """The number of stops and returned pieces that each of the staff took away (rule 8.1.40)."""
        return self._corrections.by(self.log)

    @property
    def taken_back(self) -> int:
        """The number of events that take one away, whoever signed them."""
        return self._corrections.count

    @property
    def withhold_everybody(self) -> bool:
        """True if an unreadable record, a gap, or a stop that cannot be compared may concern anybody."""
        return self.unresolved.withhold_everybody or self.gaps.withhold_everybody or self.key_missing

    @property
    def key_missing(self) -> bool:
        """True if a stop that no key of ours can compare may concern anybody."""
        return any(self._may_bind(stop.scope, ()) for stop in self.token_keys.unmatched)

    @property
    def withholding_counts(self) -> dict[Whom, int]:
        """The number of unreadable records, gaps, and stops that cannot be compared, by whom they withhold."""
        counts = Counter(self.unresolved.counts)
        counts.update(gap.withholds for gap in self.gaps.withholding())
        for scope, n in self.token_keys.stops_by_scope:
            counts["everybody" if self._may_bind(scope, ()) else "companies"] += n
        return {whom: counts[whom] for whom in WHOM}

    def withholding(self, most: int) -> list[Withholding]:
        """Up to `most` unreadable records, as many gaps, and as many stops that cannot be compared."""
        rows = [*islice(self.unresolved.withholding(), most), *islice(self.gaps.withholding(), most)]
        for place, stop in islice(self.token_keys.stops_unmatched(), most):
            topic, partition, offset = place.split("/")
            wide = self._may_bind(stop.scope, ())
            whom: Whom = "everybody" if wide else "companies"
            companies = () if wide else tuple(filter(None, stop.scope))
            by = self.unresolved.resolved_by((topic, int(partition), int(offset)))
            keys = " ".join(uncompared(dict(stop.counts), self.token_keys.ours))
            rows.append(Withholding(place, f"{TOKEN_KEY}{keys}", stop.since, whom, companies, by, BY_TWO))
        return sorted(rows, key=lambda row: (WHOM.index(row.withholds), row.since, row.record))

    def _overfull(
        self, send: Send, unreadable: tuple[str, ...], *, printed: Printing | None, erased: int | None
    ) -> Facts:
        """An empty view with fault `too_many/facts`: the snapshot would exceed SNAPSHOT_BYTES."""
        faults = tuple(sorted({*unreadable[:UNREADABLE], *{UNREAD_ASKED}.intersection(unreadable), "too_many/facts"}))
        return read_snapshot(
            snapshot(
                source_lines=b"",
                consent_lines=b"",
                stops={},
                contact_point_from=(),
                printed=printed,
                unreadable=faults,
                refs=self.log.digests(send, ()),
                erased=erased,
            )
        )

    def person(self, recipient_id: str) -> bytes:
        """The facts of a person apart from any send, as canonical JSON of `schemas.audit.Snapshot`."""
        person = self._decoded(self._people.get(recipient_id) or b"")
        met = self._suppressed.stops(person, person.exact, person.less, (), {})
        stops = self._corrected((recipient_id, *person.exact, *person.less), met).stops
        _, event_lines = self._corrections.events(
            recipient_id, person.event_lines, person.events, self.log, self.confirmed_nos
        )
        unread = self.unresolved.naming((recipient_id, *person.exact, *person.less))
        faults = (*person.overfull, *met.overfull, *unread)
        return snapshot(
            source_lines=person.source_lines,
            consent_lines=person.consent_lines,
            stops=stops,
            contact_point_from=(),
            unreadable=sorted(set(faults)),
            refs=b"{}",
            event_lines=event_lines,
            ask_lines=person.ask_lines,
            release_lines=person.release_lines,
        )


def _names(send: Send, person: PersonFacts, *tokens: Iterable[str]) -> Iterator[str]:
    """Yields the names of all that a decision about the send reads."""
    yield from (send.recipient_id, f"controller/{send.controller_id}", f"template/{send.template_id}")
    yield from (f"purpose/{code}" for code in (send.purpose, *above(send.purpose)))
    yield from person.refs
    yield from chain(*tokens)
