"""Every role and every act, and every kind of reference record: allowed by the table alone, and nothing else is."""

from __future__ import annotations

from copy import deepcopy
from hashlib import sha256
from itertools import count
from typing import Any, get_args

import orjson
import pytest

from gatekeeper.index import access
from gatekeeper.staff import roles
from gatekeeper.staff.act_kinds import ACT_KINDS
from gatekeeper.staff.endorsements import Endorsements, Referred
from gatekeeper.staff.signed_acts import Signer, weigh
from schemas.codec import decode, encode, parsed
from schemas.events.staff import StaffRole
from schemas.record import Record
from schemas.topics import TOPICS
from tests.support import policies, staff
from tests.support.roles import KINDS, MAY, OWN, PERSON, act_of, on_record, refusal
from tests.support.staff import Line

T0 = 1_790_000_000_000
AT = staff.instant(T0)


class Log:
    """A log of `reference` with everybody on record; `counts`: the names of the records that count."""

    def __init__(self) -> None:
        self.fold: Endorsements[None] = Endorsements(staff.ORIGIN)
        self.counts: list[str] = []
        self._offsets = count()
        self.write(staff.founding(at=AT))
        for said in on_record():
            self.write(staff.signed(said, "hanako", "taro", at=AT))

    def write(self, lines: list[Line]) -> None:
        for name, value in lines:
            place = (0, next(self._offsets))
            record = Referred(place, T0, name, sha256(value).hexdigest(), orjson.loads(value), None)
            if standing := self.fold.take(record):
                self.counts.append(standing.record.name)


@pytest.fixture(scope="module")
def log() -> Log:
    """A log that a test only reads."""
    return Log()


def kinds(topic: str) -> set[str]:
    """Returns the kinds of records of a topic, by its schema."""
    found: set[str] = set()
    for node in TOPICS[topic].adapter.json_schema()["$defs"].values():
        kind = node.get("properties", {}).get("kind", {})
        found |= {*kind.get("enum", ()), *([kind["const"]] if "const" in kind else [])}
    return found


# acts


def test_every_kind_of_act_and_every_role_is_in_the_table() -> None:
    assert kinds("acts") == {*ACT_KINDS} == {*KINDS}
    assert {*get_args(StaffRole)} == {*roles.PEOPLE, "console"} == MAY.keys() - {"revoked", "nobody"}
    assert {*access.ROLES} == roles.PEOPLE


@pytest.mark.parametrize("role", MAY)
def test_the_table_of_the_product_is_this_one(role: str) -> None:
    assert {kind for kind, row in ACT_KINDS.items() if role in row.roles} == {*MAY[role]}
    assert {kind for kind, row in ACT_KINDS.items() if not row.vouched} == {*OWN}


@pytest.mark.parametrize("role", MAY)
def test_an_act_of_a_role_then_it_counts_or_is_refused_by_the_table(log: Log, role: str) -> None:
    for kind in KINDS:
        act = act_of(kind, PERSON[role], at=AT)
        for vouched, header in ((False, staff.header(act, at=AT)), (True, staff.vouched(act, at=AT))):
            record = Record("acts", 0, 0, T0, None, encode(act), [header])
            found = weigh(record, parsed(act).json, roster=log.fold.roster, origin=staff.ORIGIN)
            assert (None if isinstance(found, Signer) else found) == refusal(role, kind, vouched=vouched), (kind, found)
        bare = Record("acts", 0, 0, T0, None, encode(act))
        assert weigh(bare, parsed(act).json, roster=log.fold.roster, origin=staff.ORIGIN) == "unsigned"


# records of `reference`

PLACE = {"topic": "consents", "partition": 1, "offset": 2}
RECORDS: dict[str, dict[str, Any]] = {
    "controller": {"id": "C1", "name": "みどり"},
    "notice": {"id": "N1", "controller_id": "C1", "purposes": ["dm"], "complete": True},
    "template": {"id": "T1", "display_ok": {"marketing": ["postal"]}, "ask_complete": True},
    "joint_use_terms": {"terms_id": "J1", "version": 1, "published_at": "2026-01-01"}
    | {"parties": ["C1"], "purposes": ["dm"], "complete": True},
    "batch": {"id": "B1", "state": "quarantined"},
    "campaign": {"id": "K-1", "name": "冬のカタログ"},
    "feed": {"id": "crm", "topic": "consents", "controllers": ["C1"], "rhythm": "P1D"}
    | {"limit": "P2D", "owner": "kenji", "counted": True},
    "register": {"id": "R1", "file_date": "2026-01-01"},
    "audience_phrase": {"id": "P1", "phrase": "健康靴下", "reason": "a brand of socks"},
    "purpose": {"id": "dm", "name_ja": "案内", "name_en": "News", "marketing": True},
    "policy": {
        key: value for key, value in policies.policy_record(policies.text(7)).items() if key not in ("v", "kind")
    },
    "resolution": {"id": "consents-1-2", **PLACE, "reason": "entered again", "at": "2026-11-24"},
    "copy": {"id": "consents-1", "topic": "consents", "partition": 1, "count": 2, "sha256": "0" * 64},
    "staff": {"id": "mio", "roles": ["reviewer"]},
    "provider": {"id": "hoshi", "name": "ほし名簿", "opt_out": False, "by": ["hanako", "taro"]},
    "ground": {"id": "recall", "evidence_ref": "minutes-1", "at": "2026-11-24T10:00:00+09:00"},
}
PERSONAL = ("audience_phrase", "ground", "policy", "provider", "purpose", "resolution", "staff")
"""Kinds for which the console's word is not enough."""


def record(kind: str, by: str) -> tuple[str, bytes]:
    """Returns a record of this kind, of which the person is the author where it names one."""
    author = {"by": [by, "hanako"]} if kind == "audience_phrase" else {"by": by}
    named = kind in ("policy", "resolution", "ground", "audience_phrase")
    said = {"v": 1, "kind": kind, **RECORDS[kind], **(author if named else {})}
    value = orjson.dumps(said)
    model = decode("reference", None, value)
    return f"{kind}/{model.id}", value


def word(line: tuple[str, bytes], by: str) -> Line:
    """Returns the console's signature of a record for a person."""
    name, value = line
    made = staff.signatures.of_reference(
        name, value, staff.key("console"), origin=staff.ORIGIN, at=AT, id_="word", user=by, signin="password"
    )
    return "signature/word", made


def test_every_kind_of_reference_record_is_among_those_tried() -> None:
    assert kinds("reference") - {"signature"} == RECORDS.keys()
    assert {*PERSONAL} == roles.PERSONAL


@pytest.mark.parametrize("role", MAY)
def test_a_reference_record_of_a_role_then_it_counts_for_managers_alone(log: Log, role: str) -> None:
    for kind in RECORDS:
        mine, line, code = deepcopy(log), record(kind, PERSON[role]), refusal(role, "activate", vouched=False)
        two, before = kind in ("staff", "audience_phrase", "provider"), len(log.counts)
        mine.write([line])
        assert len(mine.counts) == before, "nobody signed it yet"
        mine.write(staff.signed(line, PERSON[role], *(["hanako"] if two else []), at=AT)[1:])
        assert mine.counts[before:] == ([line[0]] if role == "manager" else []), kind
        assert [one.code for one in mine.fold.refused] == ([code] if code else []), kind

        # and on the console's word, if that is enough
        mine = deepcopy(log)
        mine.write([line, word(line, PERSON[role])])
        assert mine.counts[before:] == ([line[0]] if role == "manager" and kind not in PERSONAL else []), kind
        code = refusal(role, "suspend", vouched=True) or ("vouched_not_enough" if kind in PERSONAL else None)
        assert [one.code for one in mine.fold.refused] == ([code] if code else []), kind
