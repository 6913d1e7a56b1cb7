"""All versions of a reference record: which one is in force, and how a snapshot names them."""

from __future__ import annotations

from hashlib import sha256

import orjson

from gatekeeper.audit.checks.by_hash import ByHash
from gatekeeper.deciding.reference import Reference
from schemas.codec import canonical, decode
from tests.support import invented
from tests.support.invented import T
from tests.support.records import Named

CAME = T - 1_000


def put(reference: Reference, event: invented.Event, arrived: int) -> bytes:
    value = orjson.dumps(event[1])
    return reference.put(decode("reference", None, value), value, arrived)


def test_one_form_then_it_is_named_with_its_arrival_and_a_copy_is_no_version() -> None:
    reference, event = Reference(), invented.notice()
    named = canonical([[CAME, sha256(orjson.dumps(event[1])).hexdigest()]])
    assert put(reference, event, CAME) == named
    assert put(reference, event, T) == named


def test_several_versions_then_the_one_that_had_arrived_is_in_force() -> None:
    reference = Reference()
    put(reference, invented.notice(), T)
    put(reference, invented.notice(complete=False), T)
    put(reference, invented.notice(), T + 1_000)
    found = [reference.notice("OK", when) for when in (None, 0, T * 1000 - 1, T * 1000, (T + 1_000) * 1000)]
    assert [one and one.complete for one in found] == [True, True, True, False, True]
    assert reference.notice("NOWHERE", None) is None


def test_versions_named_by_a_hash_then_they_are_read_back_with_all_that_arrived() -> None:
    reference, named = Reference(), Named()
    events = [invented.notice(complete=False), invented.notice(), invented.resolution(of="notice/OK", version=2)]
    for arrived, event in enumerate((*events, invented.notice(complete=False)), T):
        listed = put(reference, event, arrived)
        for value in (orjson.dumps(event[1]), listed):
            named.keep(value)
    again = ByHash(named).reference({"notice/OK": reference.digests["notice/OK"]})
    assert again.digests == reference.digests
    for when in (None, T * 1000, (T + 3) * 1000):
        assert again.notice("OK", when) == reference.notice("OK", when)
    first, last = again.notice("OK", None), again.notice("OK", (T + 3) * 1000)
    assert first
    assert first.complete
    assert last
    assert not last.complete
