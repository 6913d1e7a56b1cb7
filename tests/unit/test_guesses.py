"""The attacker of `tests.support.guesses` finds what our own code would make of a customer list without a key."""

from __future__ import annotations

import base64
import json
import zlib
from hashlib import sha256

import pytest

from tests.support import invented
from tests.support.desk import BOUGHT, Desk
from tests.support.guesses import Person, guessed

MEMBER = "R000123"
SEND = {"v": 1, "recipient_id": MEMBER}
LISTED = [Person((MEMBER, "花子", "h@mail.example"), (SEND,))]
PLAIN = json.dumps(SEND, ensure_ascii=False, sort_keys=True)


def hashed(text: str) -> bytes:
    return sha256(text.encode()).digest()


@pytest.mark.parametrize(
    "token",
    [
        f"s1_{base64.urlsafe_b64encode(hashed(MEMBER)).decode().rstrip('=')}",
        base64.b32encode(hashed(f"gate/did/1\0{MEMBER}")).decode()[:26],
        f"{zlib.crc32(MEMBER.encode()):08x}",
        f"i-{hashed(f'crm{chr(0)}order-1{chr(0)}{PLAIN}').hex()[:40]}",
        hashed(f"花子|{MEMBER}").hex(),
    ],
)
def test_a_hash_without_a_key_then_it_names_its_customer(token: str) -> None:
    record = json.dumps({"event_id": token, "act_id": "n-1"}).encode()
    assert [one.place for one in guessed({"audit": [record]}, LISTED, known=("crm", "order-1"))] == ["audit"]


def test_what_a_reviewer_saw_then_its_digests_say_nothing_about_the_person() -> None:
    def seen(recipient_id: str, day: str) -> bytes:
        ids = {"recipient_id": recipient_id}
        born = invented.source(birth_date=day, source_id="S-2", notice_id=None, **BOUGHT, **ids)
        desk = Desk(invented.source(acquired_at=None, **ids), born, invented.consent(**ids))
        assert desk.send(**ids).codes == ("SOURCE_CONFLICT",)
        return dict(desk.review[-1].headers)["gate-seen"]

    said = json.loads(seen("P-1", "2001-02-03"))
    assert [len(digests) for digests in said.values()] == [2]
    assert said == json.loads(seen("P-2", "2002-03-04"))
