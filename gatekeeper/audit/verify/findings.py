"""The findings of a check with their causes, and the report that holds and prints them."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

from gatekeeper.audit.tlog.canonical_json import MAX_INTEGER
from gatekeeper.audit.tlog.notes import KEY_ID
from gatekeeper.audit.verify.sentences import CHANGED, INCOMPLETE, SAYS, language, say

MAX_FINDINGS = 1_000
"""More findings are counted, not kept. The first of each kind in each partition is always kept."""
_DETAILS = ("acts_signed", "coverage", "elsewhere", "not_looked_at")
"""Statements that only the whole report holds."""
_SIGNATURE, _RECORDS = ("forged_manifest", "unsigned_manifest"), ("torn_transaction",)
_SHOWN_BY = {
    **dict.fromkeys(("tile", "log_chain"), ("log_root",)),
    **dict.fromkeys(("not_sealed", "wrong_leaf", "reordered_manifest", "moved_manifest"), _SIGNATURE),
    **dict.fromkeys(("miscounted_range", "skipped_offset", "repeated_offset"), _SIGNATURE),
    **dict.fromkeys(("unreadable_record", "foreign_record", "doubled_record", "reordered_record"), _RECORDS),
    "broken_chain": ("missing_manifest",),
    "stray_record": ("missing_manifest", "broken_chain"),
}
"""Findings that another one at the same place accounts for. No other finding is put down to another one."""
Said = tuple[str, dict[str, Any]]
"""A key of SAYS, and the values of its sentence."""
INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3})?Z")


class Trouble(Exception):
    """The input cannot be verified: a key of SAYS, and the values of its sentence."""

    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code, values)
        self.code, self.values = code, values


@dataclass(frozen=True)
class Finding:
    """One fault: a key of SAYS, its place, and the values of its sentence.

    `offset`: of the manifest on `manifests`. `exit`: the exit code for this fault.
    """

    code: str
    exit: int
    partition: int | None
    offset: int | None
    values: dict[str, Any]

    def text(self, lang: str) -> str:
        """The finding's sentence."""
        place = "" if self.partition is None else say("at", lang, partition=self.partition, offset=self.offset)
        return place + say(self.code, lang, **self.values)

    def plain(self) -> dict[str, Any]:
        """The finding for programs."""
        where = {name: getattr(self, name) for name in ("code", "exit", "partition", "offset")}
        return {**where, **self.values}


@dataclass
class Cause:
    """The cause of some findings. `first`: the finding that tells it. `count`: the number of findings."""

    first: Finding
    count: int = 0

    def text(self, lang: str) -> str:
        """The sentence of the first finding, with the number of findings where there are more."""
        return self.first.text(lang) + (say("of_cause", lang, count=self.count) if self.count > 1 else "")


def causes_of(findings: Iterable[Finding]) -> list[Cause]:
    """The causes of these findings, the gravest first, each with its place.

    Findings of one kind at one place have one cause. A finding of _SHOWN_BY is put down to one that accounts for it.
    So is a broken chain to a change of the manifest just before.
    """
    ordered = sorted(findings, key=lambda finding: finding.code in _SHOWN_BY)
    known = {(_place(finding), finding.code) for finding in ordered}
    causes: dict[Hashable, Cause] = {}
    for finding in ordered:
        behind: list[Hashable] = [
            (at, code) for code in _SHOWN_BY.get(finding.code, ()) for at in (_place(finding), None)
        ]
        if finding.code == "broken_chain":
            before = finding.partition, finding.values.get("before")
            behind += [(before, code) for code in (*_SIGNATURE, "not_sealed")]
        cause = next((other for other in behind if other in known), (_place(finding), finding.code))
        causes.setdefault(cause, Cause(finding)).count += 1
    return sorted(causes.values(), key=lambda cause: cause.first.exit)


def _place(finding: Finding) -> Hashable:
    """The place of a finding: its manifest, else its file, else its leaf of the log, else None."""
    if finding.partition is not None:
        return finding.partition, finding.offset
    return finding.values.get("file", finding.values.get("leaf"))


@dataclass
class Report:
    """Result of a check: counts, findings, and statements about excluded manipulations (keys of SAYS, with values)."""

    exit_code: int = 0
    """0, or the code of the gravest finding: changed before not verifiable before incomplete."""
    found: int = 0
    findings: list[Finding] = field(default_factory=list)
    manifests: int = 0
    records: int = 0
    unsealed: int = 0
    leaves: int = 0
    proof: bool = False
    """True if a proof of one decision was checked; False for an export."""
    did: str | None = None
    """The decision of the proof, as the proof names it."""
    period: tuple[str | None, str | None] = (None, None)
    """The instants from which and before which the export has decisions; None = no bound."""
    log: str | None = None
    """The log's name, as its checkpoint states it; None without a checkpoint."""
    root: str | None = None
    """The root hash of the log, as its checkpoint states it."""
    skips: list[dict[str, Any]] = field(default_factory=list)
    """Offsets that a person skipped, each with the recorded act."""
    says: list[Said] = field(default_factory=list)
    _kinds: set[tuple[str, int | None]] = field(default_factory=set)

    @property
    def verdict(self) -> str:
        """`intact`, `changed` or `cannot_tell`."""
        return {0: "intact", CHANGED: "changed"}.get(self.exit_code, "cannot_tell")

    def add(self, code: str, place: tuple[int, int] | None = None, /, **values: Any) -> None:
        """Adds a finding. `place`: partition and offset on `manifests`."""
        asks = SAYS[code][0]
        self.exit_code = min(self.exit_code or asks, asks)
        self.found += 1
        partition, offset = place or (None, None)
        kept = len(self.findings) < MAX_FINDINGS or (code, partition) not in self._kinds
        self._kinds.add((code, partition))
        if kept:
            self.findings.append(Finding(code, asks, partition, offset, _all_tellable(values)))

    def give_up(self, trouble: Trouble) -> None:
        """Adds the trouble that ended the check, and drops all statements."""
        self.add(trouble.code, **trouble.values)
        self.says = []

    def say(self, code: str, **values: Any) -> None:
        """Adds a statement besides the findings."""
        self.says.append((code, _all_tellable(values)))

    def exclude(self, said: Said) -> None:
        """Adds the statement about excluded manipulations; none if something was changed.

        If something could not be verified, the statement only asks to mend that first.
        """
        if self.exit_code != CHANGED:
            self.says.append(said if self.exit_code in (0, INCOMPLETE) else ("mend", {}))

    def lines(self, lang: str, *, whole: bool = True) -> list[str]:
        """The report for people, one sentence a line: verdict, log, causes, statements.

        `whole`: with all findings in place of their causes, and with all statements.
        """
        lines = [say(self._word(), lang)]
        if self.log is not None:
            lines.append(say("log", lang, origin=tellable("origin", self.log)))
        if self.found:
            causes = causes_of(self.findings)
            lines.append(say("not_right", lang, causes=len(causes), count=self.found))
            lines += [f"  {finding.text(lang)}" for finding in (self.findings if whole else causes)]
        if self.found > len(self.findings):
            lines.append(say("more", lang, count=self.found - len(self.findings)))
        lines += [say(code, lang, **values) for code, values in self.says if whole or code not in _DETAILS]
        return lines if whole else [*lines, say("whole", lang)]

    def _word(self) -> str:
        """The key of the verdict's sentence: an export's or a proof's, with a witness or without."""
        if self.verdict != "intact":
            return self.verdict
        if any(code == "witnessed" for code, _ in self.says):
            return "proof_holds" if self.proof else "intact"
        return "proof_holds_here" if self.proof else "intact_here"

    def plain(self) -> dict[str, Any]:
        """The report for programs."""
        says = [{"code": code, **values} for code, values in self.says]
        causes = [{**cause.first.plain(), "count": cause.count} for cause in causes_of(self.findings)]
        counts = {name: getattr(self, name) for name in ("found", "manifests", "records", "unsealed", "leaves")}
        head = {
            "verdict": self.verdict,
            "exit": self.exit_code,
            "log": tellable("origin", self.log),
            "root": self.root,
            **counts,
        }
        return {**head, "causes": causes, "findings": [finding.plain() for finding in self.findings], "says": says}


_NAME = r"[A-Za-z0-9._-]{1,200}"
_SHAPES = {
    "kid": KEY_ID,
    "topic": re.compile(rf"{_NAME}\.v[0-9]{{1,3}}"),
    "did": re.compile(r"[A-Z2-7]{26}"),
    **dict.fromkeys(("origin", "group", "wanted_log"), re.compile(rf"{_NAME}\.gatekeeper")),
    **dict.fromkeys(("at", "first", "to"), INSTANT),
    **dict.fromkeys(("by", "act", "key", "console", "signin"), re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")),
    "public": re.compile(r"[A-Za-z0-9+/]{40,200}={0,2}"),
    "reason": re.compile(".{1,200}"),  # of a statement under the log's key, which holds nothing unprintable
    **dict.fromkeys(("file", "detail"), re.compile(".*", re.DOTALL)),  # not from the checked data
}
"""Forms in which text values may be shown, by name. Any other text may be a forger's, or personal."""


def _all_tellable(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tellable(name, value) for name, value in values.items()}


def tellable(name: str, value: Any) -> Any:
    """The value in a form that cannot control a terminal, or `?` if it must not be shown. `name`: one of _SHAPES."""
    if isinstance(value, str) and name in _SHAPES and _SHAPES[name].fullmatch(value):
        return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in value)
    return value if value is None or (type(value) is int and abs(value) <= MAX_INTEGER) else "?"


def tell(report: Report, *, as_json: bool, whole: bool) -> None:
    """Prints a report on stdout until the reader closes it; raises OSError if it cannot be written."""
    output = json.dumps(report.plain()) if as_json else "\n".join(report.lines(language(), whole=whole))
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        sys.stdout.write(output.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else Python writes again at its exit, with code 120
        if error.errno != errno.EPIPE:
            raise
