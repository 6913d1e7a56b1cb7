"""The letter that a person would get who is asked now, from what was recorded of a withheld send.

The worker writes the letter itself, from the facts at that time. The answer code is a blank here, as each letter has
its own.
"""

from __future__ import annotations

from typing import Any

from gatekeeper.audit.checks.recorded_case import whole
from gatekeeper.confirmation import code as codes
from gatekeeper.confirmation.notice import Letter, Question, last_day, letter
from gatekeeper.console.reference_view import Registered
from gatekeeper.deciding.case import Case
from gatekeeper.deciding.snapshot import read_snapshot
from gatekeeper.policy.policy import Policy
from schemas.codec import canonical
from schemas.events import Send

_CODE = codes.new(bytes(codes.ENTROPY_BYTES))


def drafted(
    record: dict[str, Any] | None, registered: Registered, policy: Policy, *, at: int, blank: str
) -> Letter | None:
    """The letter about the send of an audit record, None if record and register do not give one.

    `at`: the instant of asking, in milliseconds. `blank`: stands for the answer code.
    """
    reference = registered.endorsed.log.reference
    if record is None or not record.get("send") or not record.get("facts") or reference.ask is None:
        return None
    try:
        send = Send.model_validate_json(canonical(whole(record["send"])))
        facts = read_snapshot(canonical(record["facts"]))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    source = next((source for source in facts.sources if source.source_id == record.get("basis")), None)
    if source is None:
        return None
    case = Case.of(send, facts, reference, policy, at * 1000)
    written = letter(Question(case, source, reference.ask, code=_CODE, answer_by=last_day(case)))
    return written._replace(text=written.text.replace(codes.shown(_CODE), blank))
