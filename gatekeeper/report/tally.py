"""The computation of a report from the records of a period; the result is ready for JSON."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import orjson

from gatekeeper.audit.checks.trail import Link, PersonLine
from gatekeeper.audit.explanation.citations import Citations
from gatekeeper.audit.records.record import FOREIGN
from gatekeeper.audit.tlog.merkle import leaf_hash
from gatekeeper.ground.errors import IntegrityError
from gatekeeper.ground.times import instant
from gatekeeper.ground.words import purposes
from gatekeeper.knowledge.stop_rows import ROWS
from gatekeeper.knowledge.token_keys import KeyUse
from gatekeeper.policy.packs import PolicyIgnored
from gatekeeper.report.authorship import Authorship
from gatekeeper.report.cleared import ClearedPieces
from gatekeeper.report.desk import Desk
from gatekeeper.report.evidence import Chains, Draw, ProvingLog, Samples
from gatekeeper.report.period import Period
from gatekeeper.report.responses import People
from gatekeeper.report.summary import summary
from gatekeeper.report.verdicts import Sends
from schemas.events import AudiencePhrase

PLACES = 10
"""Most places of foreign records that are listed one by one."""
Window = Callable[[Mapping[str, Any]], int | None]
"""Gives the time to wait for the answer to an audit record's question, in milliseconds; None = not known."""
NO_SIGNATURES: Mapping[str, Any] = {"acts": "nobody", "unsigned": [], "lone": []}
"""The state of a log without people."""
NO_NOS: Mapping[str, Any] = {
    "people_of_another": 0,
    "rows": dict.fromkeys(ROWS, 0),
    "duties": [],
    "corrections": [],
}
"""Of a report without facts."""
NO_NAMES: Mapping[str, str] = {}
"""Of a report without reference data."""


class Tally:
    """Running totals of a report.

    Takes consents and recalls first, then the links of each partition in order.
    `partitions`: the number of partitions of `sends`. `group`: the consumer group of the workers. `staff`: the records
    of people and signatures. `citations`: the clauses behind reasons; None = those of the shipped policies.
    `draw`: how decisions are drawn by lot; None = five, without a seed.
    """

    def __init__(
        self,
        period: Period,
        *,
        partitions: int,
        seal: ProvingLog,
        window: Window,
        group: str,
        staff: Iterable[PersonLine] = (),
        citations: Citations | None = None,
        draw: Draw | None = None,
    ) -> None:
        citations = citations or Citations()
        self.period, self._seal, self._window, self._group = period, seal, window, group
        indexes = seal.log.indexes if seal.log else {}
        self._sends = Sends(period, citations)
        self._cleared = ClearedPieces()
        self._desk = Desk()
        self._authorship = Authorship(staff, group)
        self.people = People(partitions)
        self._chains = Chains(lambda link: leaf_hash(link.value) in indexes)
        self._draw = draw or Draw()
        self._samples = Samples(period, citations, self._draw)
        self._shadow = 0

    def link(self, link: Link) -> None:
        """Adds a manifest with its audit records; decisions in shadow mode are only counted.

        Raises IntegrityError (4) for a record that was changed and cannot be read any more.
        """
        manifest = link.manifest
        self._chains.take(link, manifest)
        self.people.manifest(manifest)
        for place, value in enumerate(link.records):
            try:
                self._record(link, place, value)
            except FOREIGN:
                raise IntegrityError("error.trail_record", partition=link.partition, offset=link.offset) from None

    def _record(self, link: Link, place: int, value: bytes) -> None:
        record = orjson.loads(value)
        if record.get("mode", "live") != "live":
            self._shadow += 1
            return
        if record["stage"] == "intake":
            self._sends.take(record)
            self._samples.take(record["did"], place, link)
        self._cleared.take(record)
        self._desk.take(record)
        self._authorship.take(record, value, (link.partition, link.offset))
        asked = (record.get("act") or {}).get("outcome") == "asked"
        self.people.record(record, self._window(record) if asked else None, self.period.zone)

    def told(
        self,
        *,
        made: int,
        kept: int | None = None,
        foreign: Sequence[Mapping[str, Any]] = (),
        ignored: Sequence[PolicyIgnored] = (),
        phrases: Sequence[AudiencePhrase] = (),
        token_keys: Sequence[KeyUse] = (),
        nos: Mapping[str, Any] = NO_NOS,
        held: Collection[str] | None = None,
        signatures: Mapping[str, Any] = NO_SIGNATURES,
        names: Mapping[str, str] = NO_NAMES,
    ) -> dict[str, Any]:
        """The report (docs/reference/report.md).

        `made`: now, in milliseconds. `kept`: the time, in milliseconds, from which all records are retained; None: all
        are. `foreign`: records not signed by a worker. `ignored`: the policy records that put nothing in force.
        `phrases`: those that the company registered as not sensitive, now.
        `nos`: of `Nos.told`.
        `token_keys`: the facts that hang on each token key. `held`: the names of the token keys on this machine;
        None without any. `signatures`: of `signature_state`, now. `names`: the
        registered names by kind/id, now.
        """
        first, last = self.period.days
        desk = self._desk.told()
        desk["acts"] |= self._authorship.told()
        report = {
            "v": 1,
            "group": self._group,
            "from": instant(self.period.since),
            "to": instant(self.period.to),
            "days": {"first": first, "last": last, "zone": self.period.zone},
            "made": instant(made),
            "kept_from": None if kept is None else instant(kept),
            "shadow": self._shadow,
            **self._sends.told(self._desk.cured()),
            "cleared": self._cleared.told(),
            **self.people.told(min(made, self.period.to)),
            **desk,
            "signatures": {
                **{name: signatures[name] for name in ("acts", "unsigned")},
                "lone": [{**row, "late": row["until"] < instant(made)} for row in signatures["lone"]],
            },
            "seal": self._seal.told(made),
            "coverage": self._chains.told(),
            "foreign": list(foreign),
            "ignored": [asdict(record) for record in ignored],
            "phrases": [phrase.model_dump(include={"phrase", "reason", "by"}) for phrase in phrases],
            "token_keys": [{**use._asdict(), "held": None if held is None else use.key in held} for use in token_keys],
            "nos": dict(nos),
            "draw": asdict(self._draw),
            "samples": self._samples.told(self._seal),
        }
        report["names"] = {key: names[key] for key in _shown(report) if key in names}
        return report | {"summary": summary(report, wrong=wrong(report))}


def _shown(report: Mapping[str, Any]) -> list[str]:
    """The lists, forms, campaigns and purposes that a report shows, as kind/id."""
    samples = report["samples"]
    shown = {row["origin"] for row in (*report["sources"], *samples)}
    shown |= {f"campaign/{sample['campaign']}" for sample in samples}
    sentences = (reason["en"] for sample in samples for reason in sample["reasons"])
    return sorted(shown | {f"purpose/{code}" for sentence in sentences for code in purposes(sentence)})


def wrong(report: Mapping[str, Any]) -> bool:
    """Tells whether a report shows a change. A chain is broken or torn, or a proof or signature does not hold."""
    broken = any(chain["breaks"] or chain["torn"] for chain in report["coverage"])
    return broken or bool(report["acts"]["unproven"]) or any(sample["state"] == "wrong" for sample in report["samples"])


def foreign(report: Mapping[str, Any]) -> dict[str, str] | None:
    """Count and places of records not signed by a worker, for `report.foreign`; None without any.

    A range of such records is listed by its first offset.
    """
    findings = report["foreign"]
    if not findings:
        return None
    places = [f"{finding['topic']}/{finding['partition']}/{finding['offset']}" for finding in findings]
    more = ["…"] if len(places) > PLACES else []
    return {"count": f"{sum(finding['count'] for finding in findings):,}", "places": ", ".join(places[:PLACES] + more)}
