"""A refused partition: the note that tells why, and the act that ends it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gatekeeper.engine.act import ActRecord
from gatekeeper.engine.signers import counts
from gatekeeper.knowledge.reference_log import ReferenceLog
from gatekeeper.ledger.head import Head
from gatekeeper.ledger.refused import SKIPPABLE
from gatekeeper.ledger.resumption import fingerprint, resumption
from gatekeeper.staff import signatures
from gatekeeper.staff.person_keys import PersonKey
from schemas.codec import canonical, decode, encode
from schemas.record import Record
from tests.support import staff
from tests.support.facts import T

SEEN = Head(sends=10, acts=3).encode()
BEFORE = {"mail.sends.v1": 10, "mail.acts.v1": 3}


def act(offset: int, *, key: bytes | None = b"partition/2", partition: int = 2, **changed: Any) -> Record:
    said = {"v": 1, "kind": "resume_partition", "act_id": f"a{offset}", "subject": "partition/2", "by": "pm-7"}
    said |= {"reason": "looked", "at": "2026-11-27T10:00:00.000Z", "refused": "error.sends_expired"}
    said |= {"head": fingerprint(SEEN, "error.sends_expired"), "sends": 25, "acts": 3, **changed}
    return Record("mail.acts.v1", partition, offset, 0, key, canonical(said))


def read(*acts: Record) -> list[tuple[Record, Any]]:
    return [(one, ActRecord.of(one).act) for one in acts]


def found(*acts: Record, refused: str = "error.sends_expired", head: bytes | None = SEEN) -> str | None:
    one = resumption(read(*acts), partition=2, refused=refused, head=head, counts=lambda _: True)
    return one.act_id if one else None


def test_acts_about_a_refusal_then_the_newest_that_is_about_this_very_one_counts() -> None:
    assert found() is None
    assert found(act(3), act(4, by="pm-8"), act(5, sends=30, refused="error.torn")) == "a4"


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (act(3, head=fingerprint(b"{}", "error.sends_expired")), "of another head, as after it has taken effect"),
        (act(3, refused="error.head_missing"), "of another reason"),
        (act(3, subject="partition/1", key=b"partition/1"), "of another partition"),
        (act(3, acts=4), "would skip itself, and so never be recorded"),
        (act(3, key=b"partition/3"), "filed under another key"),
    ],
)
def test_an_act_that_is_not_about_this_refusal_then_nothing_is_resumed(record: Record, why: str) -> None:
    assert found(record) is None, why


def test_no_head_then_only_an_act_about_no_head_counts() -> None:
    lost = act(3, head=None, refused="error.head_missing")
    assert found(lost, act(4), refused="error.head_missing", head=None) == "a3"
    assert fingerprint(None, "error.head_missing") is None


def test_an_act_that_counts_then_what_it_skips_is_told_for_the_manifest() -> None:
    one = resumption(read(act(7)), partition=2, refused="error.sends_expired", head=SEEN, counts=lambda _: True)
    assert one is not None
    (skipped,) = one.skipped(BEFORE)
    range_, by = {"topic": "mail.sends.v1", "from": 10, "to": 25}, {"act": "a7", "offset": 7, "by": "pm-7"}
    assert skipped.model_dump(by_alias=True) == {**range_, **by, "refused": "error.sends_expired"}
    assert one.skipped({"mail.sends.v1": 25, "mail.acts.v1": 3}) == ()


@pytest.mark.parametrize("refused", sorted(SKIPPABLE))
def test_a_defect_at_one_record_then_the_same_word_of_two_people_passes_it(refused: str) -> None:
    said: dict[str, Any] = {"refused": refused, "head": fingerprint(SEEN, refused), "sends": 11, "acts": 3}
    assert found(act(3, **said), act(4, **said), act(5, by="PM-7", **said), refused=refused) is None, "one person"
    assert found(act(3, **said), act(4, by="pm-8", **said | {"sends": 12}), refused=refused) is None, "another record"
    assert found(act(3, **said), act(4, by="pm-8", **said), refused=refused) == "a4"


def test_one_manager_signs_with_two_keys_or_for_another_then_it_is_not_passed() -> None:
    log, at, why = ReferenceLog(staff.ORIGIN), staff.instant(T), "error.partition_defect"
    staff.stand(log, at=T)
    keys = [{"id": id_, "method": "key", "public": staff.key("hanako", id_).public} for id_ in ("k1", "k2")]
    staff.known(log, "hanako", "manager", at=T, keys=keys)

    def word(offset: int, by: str, *signers: PersonKey) -> Record:
        made = act(offset, by=by, refused=why, head=fingerprint(SEEN, why), sends=11, acts=3, at=at)
        said = decode("acts", made.key, made.value)
        blind = {"origin": staff.ORIGIN, "at": at, "blind": "0" * 32}
        headers = tuple(signatures.of_act(said, one, **blind) for one in signers)
        return replace(made, timestamp=T, value=encode(said), headers=headers)

    def passed(*words: Record) -> bool:
        acts = [ActRecord.of(one) for one in words]
        known = ((one, one.act) for one in acts)
        found = resumption(known, partition=2, refused=why, head=SEEN, counts=lambda one: counts(one, log, "signed"))
        return found is not None

    first, second, other = (staff.key("hanako"), staff.key("hanako", "k2"), staff.key("taro"))
    mine = word(3, "hanako", first)
    assert not passed(mine, word(4, "hanako", second)), "two keys of one manager"
    assert not passed(mine, word(4, "Hanako", second)), "another spelling"
    assert not passed(mine, word(4, "taro", second)), "in the other's name"
    assert not passed(mine, word(4, "taro")), "unsigned"
    assert not passed(mine, word(4, "kenji", staff.key("kenji"))), "no manager"
    assert not passed(word(3, "hanako", first, other)), "one act with two signatures"
    assert passed(mine, word(4, "taro", other))
