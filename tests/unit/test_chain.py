"""The chain decides which manifests may be sealed; findings about the others name partition and offset."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace

import orjson
import pytest

from gatekeeper.audit.checks.chain import Chain, ChainFinding
from gatekeeper.audit.checks.sealed_ends import SealPosition
from gatekeeper.audit.tlog.notes import parse_vkey
from gatekeeper.engine.manifest import Taken
from gatekeeper.ground.signing_key import SigningKey
from gatekeeper.keys import Keys
from schemas.codec import canonical
from tests.support.manifests import SENDS, Writer, manifest, manifest_signature
from tests.support.trails import Trail, signing_key


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """A folder with one key of a worker."""
    found = Keys(tmp_path_factory.mktemp("keys"))
    found.make("worker", "mail.gatekeeper/worker")
    return found


@pytest.fixture
def writer(keys: Keys) -> Writer:
    return Writer(keys.signer("worker"))


@pytest.fixture
def chain(keys: Keys) -> Chain:
    return Chain({}, keys=lambda: keys.public("worker"))


Records = list[tuple[bytes | None, str]]


def follow(chain: Chain, records: Records, partition: int = 0, start: int = 0) -> tuple[list[int], list[ChainFinding]]:
    """Returns the offsets that were sealed, and the findings."""
    sealed, found = [], []
    for offset, (value, signed) in enumerate(records, start):
        taken, findings = chain.take(partition, offset, value, signed)
        sealed += [offset] if taken else []
        found += findings
    return sealed, found


def kinds(findings: list[ChainFinding]) -> list[tuple[str, int]]:
    return [(finding.fault, finding.offset) for finding in findings]


def test_given_what_workers_write_then_all_is_sealed_also_where_nothing_was_taken(chain: Chain, writer: Writer) -> None:
    assert follow(chain, [writer.next(n) for n in (0, 2, 5, 0, 1)]) == ([0, 1, 2, 3, 4], [])
    assert chain.next(0) == 5


def test_the_sealed_leaves_then_the_chain_ends_there_and_with_any_others_it_does_not(
    chain: Chain, writer: Writer
) -> None:
    other = Writer(writer.signer, partition=1)
    first, second = [writer.next() for _ in range(3)], [other.next(0), other.next()]
    follow(chain, first)
    follow(chain, second, partition=1, start=7)
    chain.next(2)  # a partition of which nothing is sealed
    leaves = [value for value, _ in (*first, *second)]
    assert chain.ends([leaves[0], b'{"kind":"coverage"}', *leaves[1:]])
    for wrong in ([], leaves[:-1], leaves[3:], [*leaves, Writer(writer.signer, 2).next()[0]], [*leaves, b"{}"]):
        assert not chain.ends(wrong)


def test_given_a_state_that_was_changed_then_the_chain_does_not_end_at_the_leaves(chain: Chain, writer: Writer) -> None:
    leaves = [writer.next() for _ in range(3)]
    follow(chain, leaves)
    right = chain.state()[0]
    blank = SealPosition(next=0, head=None, taken={})
    wrong = [right.model_copy(update=one) for one in ({"next": 2}, {"head": "0" * 64}, {"taken": {SENDS: 7}})]
    for state in ({0: right}, {}, {0: blank}, *({0: one} for one in wrong), {0: right, 1: right}):
        ends = Chain(state, keys=list).ends(value for value, _ in leaves)
        assert ends is (state == {0: right}), state


@pytest.mark.parametrize(
    "slip", ["unreadable_manifest", "too long", "moved_manifest", "unsigned_manifest", "unknown_key", "forged_manifest"]
)
def test_a_record_that_others_slipped_in_then_it_is_told_and_what_follows_is_sealed(
    chain: Chain, keys: Keys, writer: Writer, slip: str
) -> None:
    mine, stranger = writer.signer, signing_key("mail.gatekeeper/worker")  # a key that the sealer does not have

    def signed_by(signer: SigningKey, value: bytes) -> tuple[bytes, str]:
        return value, manifest_signature(signer, value)

    first = writer.next()
    slipped: dict[str, Callable[[], tuple[bytes, str]]] = {
        "unreadable_manifest": lambda: signed_by(mine, b'{"v":1}'),
        "too long": lambda: signed_by(mine, b"x" * 65_536),
        "moved_manifest": lambda: signed_by(mine, manifest(mine.kid, partition=3, prev=writer.prev)),
        "unsigned_manifest": lambda: (manifest(mine.kid, prev=writer.prev), ""),
        "unknown_key": lambda: signed_by(stranger, manifest(stranger.kid, prev=writer.prev)),
        "forged_manifest": lambda: signed_by(stranger, manifest(mine.kid, prev=writer.prev)),
    }
    records = [first, slipped[slip](), writer.next()]
    sealed, found = follow(chain, records)
    assert sealed == [0, 2]
    assert kinds(found) == [("unreadable_manifest" if slip == "too long" else slip, 1)]
    own = Chain({}, keys=lambda: keys.public("worker"))
    assert [own.foreign(0, offset, *record) for offset, record in enumerate(records)] == [None, *found, None]


def test_an_unsealable_manifest_of_a_worker_then_it_is_read_and_a_copy_is_not(keys: Keys, writer: Writer) -> None:
    records = [writer.next() for _ in range(6)]
    own = Chain({}, keys=lambda: keys.public("worker"))
    seen = [*records[:2], records[1], records[0], *records[3:]]
    findings = [own.foreign(0, offset, *record) for offset, record in enumerate(seen)]
    kinds = [finding and finding.fault for finding in findings]
    assert kinds == [None, None, "repeated_manifest", "repeated_offset", None, None, None]


def test_one_changed_bit_then_it_is_forged_and_the_next_one_misses_something(chain: Chain, writer: Writer) -> None:
    records: Records = [writer.next() for _ in range(3)]
    value, signed = records[1]
    records[1] = (value.replace(b'"n":2', b'"n":3') if value else None), signed
    sealed, found = follow(chain, records)
    assert sealed == [0]
    assert kinds(found) == [("forged_manifest", 1), ("broken_chain", 2)]


def test_a_dropped_manifest_then_it_is_told_once_and_nothing_behind_it_is_sealed(chain: Chain, writer: Writer) -> None:
    records = [writer.next() for _ in range(6)]
    del records[2]
    sealed, found = follow(chain, records)
    assert sealed == [0, 1]
    assert kinds(found) == [("broken_chain", 2)]
    assert found[0].values == {"sealed": 1}
    assert chain.next(0) == 2


def test_two_that_changed_places_then_it_is_told_and_none_is_sealed_out_of_order(chain: Chain, writer: Writer) -> None:
    records = [writer.next() for _ in range(4)]
    records[1], records[2] = records[2], records[1]
    sealed, found = follow(chain, records)
    assert sealed == [0, 2]
    assert kinds(found) == [("broken_chain", 1), ("reordered_manifest", 1), ("broken_chain", 3)]
    assert found[1].values == {"predecessor": 2}


def test_an_offset_that_was_skipped_then_it_is_told_and_nothing_behind_is_sealed(chain: Chain, writer: Writer) -> None:
    records = [writer.next()]
    writer.at += 1
    records += [writer.next(), writer.next()]
    sealed, found = follow(chain, records)
    assert sealed == [0]
    assert kinds(found) == [("skipped_offset", 1)]
    assert found[0].values == {"topic": SENDS, "first": 2, "to": 3}


@pytest.mark.parametrize("gaps", [[(2, 1), (1, 1)], [(1, 2), (2, 1)], [(3, 2)]])
def test_given_gaps_that_name_an_offset_twice_or_none_then_it_is_told(
    chain: Chain, writer: Writer, gaps: list[tuple[int, int]]
) -> None:
    n = 4 - sum(length for _, length in gaps)
    assert kinds(follow(chain, [writer.next(taken=[Taken(SENDS, 0, 4, n, gaps)])])[1]) == [("miscounted_range", 0)]


def test_given_a_fork_then_only_its_first_branch_is_sealed(chain: Chain, writer: Writer) -> None:
    first = writer.next()
    prev, at = writer.prev, writer.at
    one = writer.next()
    after = writer.next()
    other = Writer(writer.signer)
    other.prev, other.at = prev, at
    sealed, found = follow(chain, [first, one, other.next(3), after, other.next()])
    assert sealed == [0, 1, 3]
    assert kinds(found) == [("repeated_offset", 2), ("repeated_offset", 4)]


def test_given_the_same_once_more_then_it_is_not_sealed_twice(chain: Chain, writer: Writer) -> None:
    empty, some = writer.next(0), writer.next()
    sealed, found = follow(chain, [empty, empty, some, some, writer.next()])
    assert sealed == [0, 2, 4]
    assert kinds(found) == [("repeated_manifest", 1), ("repeated_manifest", 3)]


def test_given_a_log_that_begins_when_manifests_are_gone_then_it_says_so_and_goes_on(
    chain: Chain, writer: Writer
) -> None:
    writer.next()
    sealed, found = follow(chain, [writer.next(), writer.next()], start=1)
    assert sealed == [1, 2]
    assert kinds(found) == [("begins_late", 1)]


def test_given_trouble_in_one_partition_then_the_others_are_sealed(chain: Chain, writer: Writer) -> None:
    other = Writer(writer.signer, partition=1)
    writer.next()
    follow(chain, [writer.next()])
    writer.next()
    assert kinds(follow(chain, [writer.next()], start=1)[1]) == [("broken_chain", 1)]
    assert follow(chain, [other.next(), other.next()], partition=1) == ([0, 1], [])
    assert chain.next(1) == 2


def test_offsets_skipped_elsewhere_than_a_person_said_then_nothing_more_is_sealed() -> None:
    trail = Trail(seed=3, partitions=1, acting=1).write(3).resume(0, skipped={"acts": 3})
    step = next(step for step in trail.steps if b'"skipped":' in step.value)
    said = orjson.loads(step.value)
    said["skipped"][0]["from"] += 1
    value, chain = canonical(said), Chain({}, keys=lambda: [parse_vkey(trail.worker.verifier)])
    signed = [*trail.steps[:3], replace(step, value=value, sig=trail.worker.sign(value))]
    sealed, found = follow(chain, [(one.value, base64.b64encode(one.sig).decode()) for one in signed])
    assert (sealed, [one.fault for one in found]) == ([0, 1, 2], ["skipped_offset"])
