"""All Pythons read the same, also characters that only some of them know."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from random import Random

import pytest

from gatekeeper import identity
from gatekeeper.deciding.rules.audience import words
from gatekeeper.demo import addresses
from gatekeeper.identity.characters import assigned, nfkc
from gatekeeper.identity.letters import alike
from schemas.events import Delivery
from tests.support.invented import TOKENS

DEMO, SEED = 12_000, 5
NEW = """
    cf3 ece 2ffc-2fff 31ef 10efd-10eff 1123f-11241 11b00-11b09 11f00-11f10 11f12-11f3a 11f3e-11f59 1342f 13439-13455
    1b132 1b155 1d2c0-1d2d3 1df25-1df2a 1e030-1e06d 1e08f 1e4d0-1e4f9 1f6dc 1f774-1f776 1f77b-1f77f 1f7d9 1fa75-1fa77
    1fa87-1fa88 1faad-1faaf 1fabb-1fabd 1fabf 1face-1facf 1fada-1fadb 1fae8 1faf7-1faf8 2b739 2ebf0-2ee5d 31350-323af
    """.split()  # noqa: SIM905 (a list of these would be a page)
"""The 5,116 characters that Unicode 15.1 (Python 3.13) assigns and Unicode 14 (Python 3.11) does not."""


def of_the_demo(step: int) -> Iterator[str]:
    """Yields what is known of the first people by their address, each spelled at random."""
    rng = Random(SEED)
    for _ in range(DEMO // 3 // step):
        address = addresses.invent(rng)
        for _ in range(3):
            yield known("postal", address.written(rng))


def of_new_characters(step: int) -> Iterator[str]:
    """Yields what is known of people in whose name, town, building, mailbox or number such a character stands.

    `step`: of each range it takes the first character, and every so many.
    """
    for first, _, last in (each.partition("-") for each in NEW):
        for code in range(int(first, 16), int(last or first, 16) + 1, step):
            new = chr(code)
            yield known("postal", Delivery(name=f"高{new} 恵", lines=(f"東京都渋谷区神宮前1-2-3 {new}ハイツ101",)))
            yield known("postal", Delivery(name=f"高橋 恵{new}", lines=(f"緑山県若葉市{new}町1{new}2-3", f"{new}様方")))
            yield known("email", Delivery(email=f"h{new}@m{new}.example"))
            yield known("phone", Delivery(phone=f"03-1234{new}-5678"))


def of_all_characters(step: int) -> Iterator[str]:
    """Yields the one form of each character that Unicode 14 assigns, between others and between digits."""
    kept = [chr(code) for code in range(0x110000) if assigned(code) == code and not 0xD800 <= code < 0xE000]
    for characters in (kept[start : start + 64] for start in range(0, len(kept), 64 * step)):
        yield nfkc("".join(characters))
        yield alike("".join(characters))
        yield identity.normalise_name("1".join(characters))


def known(channel: str, delivery: Delivery) -> str:
    """Returns all by which a delivery is compared: its fault, or its tokens and those near."""
    spelling = TOKENS.spelling(channel, delivery)
    return repr((spelling.flaw, spelling.identified))


ALL_OF_THE_DEMO = "0d989bcc069442947f673d115ad8bb4f7583fd9e354d301528fb586fdbb1b06f"
ALL_NEW_CHARACTERS = "a6597b771111fd37029c862d43be7b71995b6c154864bad084f22b49bd64ab0c"
ALL_CHARACTERS = "dcf149a8f130a3c020cd1fd960668ce0f6f06670fee270cae365936cd2a2bdf3"
LONG = pytest.mark.long("the same; of the demo's people one in sixteen, of all characters one in eight")


@pytest.mark.parametrize(
    ("spellings", "step", "count", "digest"),
    [
        (of_the_demo, 16, DEMO // 16, "1c7d312c64f03b9546f5eaa34f5eec4733306c1d8c688445a7459c1633b27827"),
        (of_new_characters, 64, 4 * 109, "b1360d9a86779661291c3e4e83f7c5e5f5a1d515361834087f99eb1343ed46f1"),
        (of_all_characters, 8, 3 * 552, "7733d286f8b51bc70de244de20cdde33438991d954c39bf6bb6bff415292159a"),
        pytest.param(of_all_characters, 1, 3 * 4_410, ALL_CHARACTERS, marks=LONG),
        pytest.param(of_the_demo, 1, DEMO, ALL_OF_THE_DEMO, marks=LONG),
        pytest.param(of_new_characters, 1, 4 * 5_116, ALL_NEW_CHARACTERS, marks=LONG),
    ],
)
def test_spellings_then_they_are_read_as_by_every_other_python(
    spellings: Callable[[int], Iterator[str]], step: int, count: int, digest: str
) -> None:
    found, all_ = 0, sha256()
    for found, one in enumerate(spellings(step), 1):  # noqa: B007 (how many)
        all_.update(one.encode() + b"\n")
    assert (found, all_.hexdigest()) == (count, digest)


def test_a_word_with_a_letter_that_not_all_know_then_it_is_no_word_of_a_policy() -> None:
    raised = "\U0001e030"  # for Unicode 15 another form of the Cyrillic letter
    assert words(f"x.{raised}") == ("x", nfkc(raised)) != ("x", "\u0430")
