"""Responses of recipients: confirmations, withdrawals with the time until they took effect, and recalls."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from gatekeeper.ground.partitioner import partition_of
from gatekeeper.ground.times import span
from gatekeeper.report.period import percentile
from schemas.codec import Unreadable, decode
from schemas.events import Consent
from schemas.events.consents import GIVEN_STATES, NO_STATES

_WEIGHT = {"no": 0, "yes": 1, "undelivered": 2}
"""Precedence of answers to one request, lowest first: a no overrides every other answer."""


class _Withdrawal(NamedTuple):
    """A withdrawal: its offset in its partition of `consents`, and the broker's time stamp in milliseconds."""

    offset: int
    at: int


class People:
    """Confirmations, withdrawals and recalls of a period.

    Takes consents first, then manifests and audit records; the records of each partition in order.
    `partitions`: the number of partitions of `sends`.
    """

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._asked: dict[str, int | None] = {}
        self._answers: dict[str, str] = {}
        self._given: Counter[str] = Counter()
        self._pending: dict[tuple[int, int], deque[_Withdrawal]] = defaultdict(deque)
        self._withdrawn = 0
        self._bound: list[int] = []
        self._dates: dict[str, str | None] = {}
        self._recalls: dict[str, Counter[str]] = defaultdict(Counter)

    def consent(self, partition: int, offset: int, at: int, key: bytes | None, value: bytes | None) -> None:
        """Adds a record of `consents`; `at` is the broker's time stamp in milliseconds."""
        try:
            event = decode("consents", key, value)
        except Unreadable:
            return  # a dead letter, which withholds every send to its person
        if not isinstance(event, Consent):
            if event.kind == "ask_undelivered" and event.request_id:
                self._answer(event.request_id, "undelivered")
            return
        if event.answers and (event.state in GIVEN_STATES or event.state in NO_STATES):
            answer = "yes" if event.state in GIVEN_STATES else "no"
            self._given[answer] += 1
            self._answer(event.answers, answer)
        elif event.state == "Withdrawn":
            self._withdrawn += 1
            own = partition_of(event.recipient_id.encode(), self._partitions)
            self._pending[own, partition].append(_Withdrawal(offset, at))

    def recall(self, did: str, mail_date: str | None) -> None:
        """Adds the mail date of a record of `recalls`; `did` is the decision or act that recalled the piece."""
        self._dates[did] = mail_date

    def manifest(self, manifest: Mapping[str, Any]) -> None:
        """Adds a manifest: its worker had read the withdrawals of its people up to `asof` when it decided."""
        for partition, to in enumerate(manifest["asof"].get("consents", ())):
            pending = self._pending.get((manifest["partition"], partition))
            while pending and pending[0].offset < to:
                self._bound.append(max(0, span(manifest["t1"], "UTC").first // 1000 - pending.popleft().at))

    def record(self, record: Mapping[str, Any], window: int | None, zone: str) -> None:
        """Adds an audit record; `window` is the time to wait for an answer, in milliseconds; None = not known."""
        act, at = record.get("act") or {}, span(record["at"], "UTC").first // 1000
        if act.get("outcome") == "asked" and act.get("code") != "waits_along":
            self._asked[record["did"]] = None if window is None else at + window
        if record["stage"] == "recall" or act.get("outcome") == "recalled":
            reasons = record["reasons"]
            cause = reasons[0]["code"] if reasons else act.get("kind") or "-"
            mailed = (record["send"] or {}).get("mail_date") or self._dates.get(record["did"])
            late = None if mailed is None else at >= span(mailed, zone).first // 1000
            self._recalls[cause]["undated" if late is None else "late" if late else "in_time"] += 1

    def told(self, now: int) -> dict[str, Any]:
        """The report's sections `confirmations`, `withdrawals` and `recalls`.

        `now`, in milliseconds: a request without an answer counts as silence once its window has ended.
        """
        outcomes: Counter[str] = Counter()
        for request, until in self._asked.items():
            silent = until is not None and now >= until
            outcomes[self._answers.get(request, "silence" if silent else "waiting")] += 1
        self._bound.sort()
        return {
            "confirmations": {
                "asked": len(self._asked),
                **{name: outcomes[name] for name in ("yes", "no", "silence", "undelivered", "waiting")},
                "answers": {name: self._given[name] for name in ("yes", "no")},
            },
            "withdrawals": {
                "total": self._withdrawn,
                "bound": len(self._bound),
                "latency_ms": {f"p{n}": percentile(self._bound, n) for n in (50, 99)},
            },
            "recalls": [
                {"cause": cause, **{name: counts[name] for name in ("in_time", "late", "undated")}}
                for cause, counts in sorted(self._recalls.items(), key=lambda pair: (-pair[1].total(), pair[0]))
            ],
        }

    def _answer(self, request: str, answer: str) -> None:
        self._answers[request] = min(answer, self._answers.get(request, answer), key=lambda word: _WEIGHT[word])
