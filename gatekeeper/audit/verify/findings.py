"""The findings of a check, and the report that holds and prints them."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from dataclasses import dataclass, field
from typing import Any

from gatekeeper.audit.tlog.canonical_json import MAX_INTEGER
from gatekeeper.audit.verify.sentences import CHANGED, INCOMPLETE, SAYS, language, say

MAX_FINDINGS = 1_000
"""More findings are counted, not kept."""
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
    log: str | None = None
    """The log's name, as its checkpoint states it; None without a checkpoint."""
    skips: list[dict[str, Any]] = field(default_factory=list)
    """Offsets that a person skipped, each with the recorded act."""
    says: list[Said] = field(default_factory=list)

    def add(self, code: str, place: tuple[int, int] | None = None, /, **values: Any) -> None:
        """Adds a finding. `place`: partition and offset on `manifests`."""
        asks = SAYS[code][0]
        self.exit_code = min(self.exit_code or asks, asks)
        self.found += 1
        if len(self.findings) < MAX_FINDINGS:
            partition, offset = place or (None, None)
            self.findings.append(Finding(code, asks, partition, offset, _tellable(values)))

    def give_up(self, trouble: Trouble) -> None:
        """Adds the trouble that ended the check, and drops all statements."""
        self.add(trouble.code, **trouble.values)
        self.says = [("not_right", {"count": self.found})]

    def say(self, code: str, **values: Any) -> None:
        """Adds a statement besides the findings."""
        self.says.append((code, _tellable(values)))

    def exclude(self, said: Said) -> None:
        """Adds the statement about excluded manipulations; none if something was changed.

        If something could not be verified, the statement only asks to mend that first.
        """
        if self.exit_code != CHANGED:
            self.says.append(said if self.exit_code in (0, INCOMPLETE) else ("mend", {}))

    def lines(self, lang: str) -> list[str]:
        """The report for people, one sentence a line."""
        found = [] if self.log is None else [say("log", lang, **_tellable({"origin": self.log}))]
        found += [finding.text(lang) for finding in self.findings]
        if self.found > len(self.findings):
            found.append(say("more", lang, count=self.found - len(self.findings)))
        return found + [say(code, lang, **values) for code, values in self.says]

    def plain(self) -> dict[str, Any]:
        """The report for programs."""
        where = ("code", "exit", "partition", "offset")
        findings = [{**{name: getattr(one, name) for name in where}, **one.values} for one in self.findings]
        says = [{"code": code, **values} for code, values in self.says]
        counts = {name: getattr(self, name) for name in ("found", "manifests", "records", "unsealed", "leaves")}
        log = _told("origin", self.log)
        return {"exit": self.exit_code, "log": log, **counts, "findings": findings, "says": says}


_NAME = r"[A-Za-z0-9._-]{1,200}"
_SHAPES = {
    "kid": re.compile(rf"{_NAME}(/[a-z]+)?\+[0-9a-f]{{8}}"),
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


def _tellable(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _told(name, value) for name, value in values.items()}


def _told(name: str, value: Any) -> Any:
    """The value in a form that cannot control a terminal, or `?` if it must not be shown."""
    if isinstance(value, str) and name in _SHAPES and _SHAPES[name].fullmatch(value):
        return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in value)
    return value if value is None or (type(value) is int and abs(value) <= MAX_INTEGER) else "?"


def tell(report: Report, *, as_json: bool) -> None:
    """Prints a report on stdout until the reader closes it; raises OSError if it cannot be written."""
    told = json.dumps(report.plain()) if as_json else "\n".join(report.lines(language()))
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        sys.stdout.write(told.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else Python writes again at its exit, with code 120
        if error.errno != errno.EPIPE:
            raise
