"""The table of golden cases as events, with all that it leaves out filled in, and what is decided of each."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, cast

import msgspec
import orjson
import yaml

from gatekeeper.deciding.decide import Decision, decide
from gatekeeper.deciding.plan import Plans
from gatekeeper.deciding.rules.system import Cleared
from gatekeeper.identity import printed
from gatekeeper.policy.packs import load
from schemas.events import Send
from schemas.plain_send import read_plain
from tests.support import invented, policies

CASES: dict[str, dict[str, Any]] = yaml.load(
    (Path(__file__).parents[1] / "golden" / "cases.yaml").read_text("utf-8"), yaml.CSafeLoader
)

_ROWS = (
    ("sources", invented.source, "source_id", "S"),
    ("consents", invented.consent, "record_id", "R"),
    ("suppressions", invented.suppression, "suppression_id", "X"),
    ("asks", invented.ask, "request_id", "Q"),
    ("events", invented.event, "record_id", "E"),
    ("acts", invented.act, "decision_id", "D"),
    ("deliveries", invented.delivery, "delivery_id", "F"),
)


def _policy(*, of: str, line: str, **_: str) -> invented.Event:
    """Returns a version of a pack that two managers put in force on 3 December, with one line more."""
    content = policies.today(7, ("ask_cap = 1", f"ask_cap = 1\n{line}"), of=of)
    return "reference", policies.policy_record(content, millis("2026-12-03T00:00:00+09:00"))


_REFERENCE = {
    "audience_phrase": invented.audience_phrase,
    "batch": invented.batch,
    "controller": invented.controller,
    "feed": invented.feed,
    "ground": invented.ground,
    "joint_use_terms": invented.terms,
    "notice": invented.notice,
    "policy": _policy,
    "provider": invented.list_provider,
    "purpose": invented.purpose,
    "resolution": invented.resolution,
    "template": invented.template,
}


def events(case: dict[str, Any]) -> tuple[list[invented.Event], list[invented.Event]]:
    """Returns the reference records and the facts of a case."""
    reference = [invented.controller(suspended_since=case.get("suspended_since")), *invented.REFERENCE[1:]]
    reference += [_REFERENCE[fields["kind"]](**fields) for fields in case.get("reference", ())]
    facts = []
    at_point = {"channel": case.get("send", {}).get("channel", "postal")}
    for rows, make, id_, mark in _ROWS:
        more = at_point if rows in ("sources", "suppressions") else {}
        facts += [make(**{id_: f"{mark}-{n}", **more, **fields}) for n, fields in enumerate(case.get(rows, ()))]
    return reference, facts


def decided(case: dict[str, Any]) -> Decision:
    """Returns what decide() says of a case, the same of its plain reading where there is one."""
    value = orjson.dumps(invented.send(**case.get("send", {})))
    found = judged(case, Send.model_validate_json(value))
    if plain := read_plain(None, value):
        assert judged(case, cast("Send", plain)) == found
    return found


def judged(case: dict[str, Any], send: Send) -> Decision:
    """Returns what decide() says of a case whose send was read."""
    return of_events(case, send, *events(case))


def of_events(
    case: dict[str, Any], send: Send, reference: list[invented.Event], facts: list[invented.Event]
) -> Decision:
    """Returns what decide() says of a send, by these events and the circumstances of a case."""
    store = invented.store(*facts, reference=reference)
    at = millis(case["at"]) if "at" in case else invented.T
    packs = store.activations.over(load(case.get("policy", "jp-pmark")))
    zone = packs.zone(send.contact_point.country, at)
    tokens = invented.gate(*case.get("keys", (1,)))
    view = store.view(send, printed(tokens, send), at=at, zone=zone)
    if case.get("unavailable"):
        view = msgspec.structs.replace(view, unreadable=tuple(case["unavailable"]))
    clearances = [one for one in case.get("clearances", ()) if one["campaign_id"] == "K-1" and not one.get("recalled")]
    return decide(
        Plans(store.reference, packs, at).of(send, case.get("checkpoint", "intake")),
        send,
        view,
        as_of=millis(case["as_of"]) if "as_of" in case else None,
        clearance=next((Cleared(one.get("decision_id", "D-0"), one.get("event_id")) for one in clearances), None),
    )


def millis(written: str) -> int:
    """Returns an instant in milliseconds since the epoch."""
    return int(datetime.fromisoformat(written).timestamp() * 1000)
