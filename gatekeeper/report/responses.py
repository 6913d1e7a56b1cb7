"""What the people written to said: asked and answered, withdrawn and how soon that bound, and what was called back."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from gatekeeper.partitioner import partition_of
from gatekeeper.report.period import percentile
from gatekeeper.times import span
from schemas.codec import Unreadable, decode
from schemas.events import Consent
from schemas.events.consents import GIVEN_STATES, NO_STATES

_WEIGHT = {"no": 0, "yes": 1, "undelivered": 2}
"""Which word on a question counts: a no is always heard."""


class _Said(NamedTuple):
    """A withdrawal: its offset on its partition of `consents`, and when the broker had it, in milliseconds."""

    offset: int
    at: int


class People:
    """Consents first, each partition's in order; then manifests and audit records, each partition's in order.

    `partitions`: how many `sends` has.
    """

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._asked: dict[str, int | None] = {}
        self._answers: dict[str, str] = {}
        self._given: Counter[str] = Counter()
        self._pending: dict[tuple[int, int], deque[_Said]] = defaultdict(deque)
        self._withdrawn = 0
        self._bound: list[int] = []
        self._dates: dict[str, str | None] = {}
        self._recalls: dict[str, Counter[str]] = defaultdict(Counter)

    def consent(self, partition: int, offset: int, at: int, key: bytes | None, value: bytes | None) -> None:
        """Takes in a record of `consents`; `at`: when the broker had it, in milliseconds."""
        try:
            event = decode("consents", key, value)
        except Unreadable:
            return  # it withholds its person, and is a dead letter
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
            self._pending[own, partition].append(_Said(offset, at))

    def recall(self, did: str, mail_date: str | None) -> None:
        """Takes in the mail date of a record of `recalls`; `did`: the decision or act that called it back."""
        self._dates[did] = mail_date

    def manifest(self, said: Mapping[str, Any]) -> None:
        """Takes in a manifest: withdrawals of its people up to its `asof` were known when it judged."""
        for partition, to in enumerate(said["asof"].get("consents", ())):
            pending = self._pending.get((said["partition"], partition))
            while pending and pending[0].offset < to:
                self._bound.append(max(0, span(said["t1"], "UTC").first // 1000 - pending.popleft().at))

    def record(self, record: Mapping[str, Any], window: int | None, zone: str) -> None:
        """Takes in an audit record; `window`: how long an answer is waited for, in milliseconds, None = not known."""
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
        """The sections; `now`: an answer that is not there then is silence once its time is over."""
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
                for cause, counts in sorted(self._recalls.items(), key=lambda one: (-one[1].total(), one[0]))
            ],
        }

    def _answer(self, request: str, answer: str) -> None:
        self._answers[request] = min(answer, self._answers.get(request, answer), key=lambda one: _WEIGHT[one])
