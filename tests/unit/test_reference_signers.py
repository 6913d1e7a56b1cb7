"""The explanation of a decision names the managers who signed its policy and reference data, if any did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from gatekeeper.audit.explanation.explanation import Explanation
from gatekeeper.audit.explanation.placed_record import PlacedRecord
from gatekeeper.audit.explanation.reference_signers import ReferenceSigners
from schemas.codec import canonical
from tests.support import invented, staff
from tests.support.desk import YOUNG
from tests.support.office import SIGNED_AT, Office

BYTES = invented.by_digest(orjson.dumps(value) for _, value in invented.REFERENCE)


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    """The audit record of a send."""
    desk = Office(*YOUNG)
    desk.send()
    found: dict[str, Any] = orjson.loads(desk.all[0].audit)
    return found


def value_of(record: dict[str, Any], name: str) -> bytes:
    """The bytes of the record of `reference` that a decision names, alone or by the list of its one version."""
    value = BYTES[record["facts"]["refs"][name]]
    listed = orjson.loads(value)
    return BYTES[listed[0][1]] if isinstance(listed, list) else value


def signers(*lines: staff.Line, origin: str = staff.ORIGIN, arrived: int = invented.T) -> ReferenceSigners:
    whole = [*staff.founding(at=SIGNED_AT), *lines]
    return ReferenceSigners(staff.person_lines(arrived=arrived, lines=whole), origin, BYTES.get)


def signed(record: dict[str, Any], name: str, *by: str) -> list[staff.Line]:
    return staff.signed((name, value_of(record, name)), *by, at=SIGNED_AT)


def test_reference_data_then_the_page_says_which_managers_signed_and_what_nobody_did(record: dict[str, Any]) -> None:
    lines = [*signed(record, "controller/C1", "hanako", "taro"), *signed(record, "notice/OK", "hanako")]
    found = signers(*lines)
    assert "Reference data signed by hanako, taro: controller/C1" in found.told(record, "en")
    (plain,) = Explanation([PlacedRecord(record, 3)], None, local=str, signers=found).plain()
    assert {"record": "notice/OK", "signed": [{"by": "hanako", "method": "key"}]} in plain["reference"]
    assert {"record": "template/T-1", "signed": []} in plain["reference"]
    assert {"record": "policy/jp-pmark@1", "signed": None} in plain["reference"]


def sign_as(signer: str, **fields: Any) -> Callable[[dict[str, Any]], list[staff.Line]]:
    def lines(record: dict[str, Any]) -> list[staff.Line]:
        record_, (name, made) = staff.signed(("notice/OK", value_of(record, "notice/OK")), signer, at=SIGNED_AT)
        return [record_, (name, canonical({**orjson.loads(made), **fields}))]

    return lines


@pytest.mark.parametrize(
    "lines",
    [
        sign_as("kenji"),
        sign_as("hanako", by="taro"),
        sign_as("hanako", sha256="0" * 64),
        sign_as("hanako", of="notice/OTHER"),
        sign_as("hanako", sig="AAAA"),
    ],
)
def test_a_signature_that_counts_for_nothing_then_nobody_signed(
    record: dict[str, Any], lines: Callable[[dict[str, Any]], list[staff.Line]]
) -> None:
    assert signers(*lines(record)).of(record)["notice/OK"] == ()
