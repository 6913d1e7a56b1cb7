"""The acts of each role, written down by hand, with somebody of each role and an act of each kind.

The tests compare the product's table with this one: decided by the fold, over HTTP, and on a broker.
"""

from __future__ import annotations

from typing import Any

from schemas.codec import canonical, decode
from schemas.events import Act
from tests.support import staff

DESK = ("claim", "note", "reveal", "release", "uphold", "ask", "redecide", "undo", "withdraw")
SECOND = ("approve", "reveal_topic", "erase", "handoff", "cancel")
OFFICE = ("suspend", "resume", "quarantine", "activate", "readmit", "reemit", "resume_partition")
KINDS = (*DESK, *SECOND, *OFFICE)
MAY: dict[str, tuple[str, ...]] = {
    "reviewer": DESK,
    "approver": (*DESK, *SECOND),
    "manager": KINDS,
    "auditor": (),
    "viewer": (),
    "console": (),
    "revoked": (),
    "nobody": (),
}
"""The acts of each role. `revoked` was a manager; `nobody` is not on record."""
OWN = ("approve", "activate", "readmit", "resume_partition")
"""Acts that need the person's own signature: the console's word is not enough."""
PERSON = {
    "reviewer": "kenji",
    "approver": "yuki",
    "manager": "taro",
    "auditor": "ami",
    "viewer": "vera",
    "console": "console",
    "revoked": "ryo",
    "nobody": "mallory",
}
"""Somebody of each role."""


def on_record() -> list[dict[str, Any]]:
    """Returns the records `staff` of those of PERSON who are not in the standing set, in the order of writing."""
    viewer, manager = staff.person("vera", ["viewer"]), staff.person("ryo", ["manager"])
    return [viewer, manager, {**manager, "roles": [], "keys": []}]


def refusal(role: str, kind: str, *, vouched: bool) -> str | None:
    """Returns the code with which the act of this role is refused, None if it is allowed."""
    if role == "nobody" or (role == "revoked" and not vouched):
        return "not_staff"  # who is revoked keeps a record, without roles and keys
    if role == "console" and not vouched:
        return "bad_signature"  # a console key signs for nobody but others
    if kind not in MAY[role]:
        return "role"
    return "vouched_not_enough" if vouched and kind in OWN else None


def act_of(kind: str, by: str, *, at: str, act_id: str = "a1", **more: Any) -> Act:
    """Returns an act of this kind, about an item, a person or a subject that need not exist."""
    item = {"recipient_id": "R1", "campaign_id": "K1", "channel": "postal", "decision_id": "A" * 26}
    place = {"partition": 0, "offset": 1}
    said = {
        "release": {**item, "review": place, "had": ["AGE_UNCERTAIN"], "reasons": ["AGE_UNCERTAIN"]},
        "reemit": {**item, "source": {"topic": "sends", **place}},
        "reveal_topic": {"subject": "topic/sends"},
        "resume_partition": {"subject": "partition/0", "refused": "error.torn", "sends": 1, "acts": 1},
        "handoff": {"subject": "campaign/K1"},
        "cancel": {"subject": "campaign/K2"},  # another one, or it would call off the hand-off before it
        **{key: {"subject": "controller/C1"} for key in ("suspend", "resume")},
        "quarantine": {"subject": "batch/B1"},
        "activate": {"subject": "policy/jp-pmark"},
        **{key: {"recipient_id": "R1"} for key in ("withdraw", "erase", "readmit")},
    }.get(kind, {**item, "review": place})
    base = {"v": 1, "kind": kind, "act_id": act_id, "at": at, "by": by, "reason": "looked at"}
    found: Act = decode("acts", None, canonical({**base, **said, **more}))
    return found
