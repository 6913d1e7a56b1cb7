"""Tokens of any key lead to the same decision if the gate holds the keys (domain rule 7.4.17)."""

from __future__ import annotations

import json
import re
from functools import cache
from random import Random
from typing import Any

import pytest

from gatekeeper.deciding.decide import Decision
from gatekeeper.identity import Identified, printed
from gatekeeper.policy.packs import load
from schemas.events import Delivery, Send
from schemas.events.sends import ADDRESSED
from schemas.values import Channel
from tests.support import invented
from tests.support.golden_cases import CASES, decided, events, millis
from tests.support.invented import decide

TOKEN = re.compile(r"t1_[A-Za-z0-9_\-]{43}")
ONE_KEY = [name for name, case in CASES.items() if "keys" not in case and '"key"' not in json.dumps(case, default=str)]
CHANNELS: tuple[Channel, ...] = ("postal", "email", "phone")


def twins(case: dict[str, Any]) -> dict[str, str]:
    """Returns the token under key 2 by the token under key 1, of all that a case names."""
    said = json.dumps(case, default=str)
    homes = [invented.written(point) for point in sorted({"cp-1", *re.findall(r"cp-[A-Za-z0-9]+", said)})]
    found: dict[str, str] = {}
    for home in (*homes, *written(case)):
        found.update(_twins(json.dumps(home)))
    return found


@cache
def _twins(home: str) -> dict[str, str]:
    """Returns the same for one name and address; most cases name the same few."""
    place, found = Delivery.model_validate_json(home), dict[str, str]()
    for channel in CHANNELS:
        one, two = (invented.gate(key).of(channel, place) for key in (1, 2))
        if one and two:
            found.update(zip((one.token, *dict(one.readings)), (two.token, *dict(two.readings)), strict=True))
    return found


def home(sent: dict[str, Any]) -> list[str]:
    """Returns the token under key 1 of what a send prints."""
    found = printed(invented.TOKENS, Send.model_validate_json(json.dumps(sent)))
    return [found.token] if isinstance(found, Identified) else []


def written(node: Any) -> list[dict[str, Any]]:
    """Returns the names and addresses at any depth of a case."""
    inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    found = [one for part in inside for one in written(part)]
    return [node, *found] if isinstance(node, dict) and {"lines", "email", "phone"} & node.keys() else found


def rekeyed(value: dict[str, Any], twin: dict[str, str], keys: tuple[int, ...]) -> dict[str, Any]:
    """Returns an event with its tokens made with these keys, as an importer who holds them writes it."""
    if keys == (1,):
        return value
    swapped = TOKEN.sub(lambda found: twin.get(found[0], found[0]), json.dumps(value))
    result: dict[str, Any] = json.loads(swapped)
    if keys == (1, 2):
        for was, now in zip(_named(value), _named(result), strict=True):
            if was["token"] != now["token"]:
                same = [{"token": was["token"], "score": 1000}]
                now["readings"] = [*same, *now.get("readings", ()), *was.get("readings", ())]
    return result


def _named(event: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the parts of a fact that name a token of an address."""
    return [one for one in (event, *event.get("contact_points", ())) if "token" in one]


def under_keys(case: dict[str, Any], draw: Random) -> Decision:
    """Returns the decision on a case whose events name keys as `draw` says, by a gate that holds both."""
    reference, facts = events(case)
    twin, sent = twins(case), invented.send(**case.get("send", {}))
    by_token = not sent.get("delivery") or bool(sent.get("match"))
    one = draw.choice(((1,), (2,))) if by_token and sent["channel"] in ADDRESSED else None
    if by_token and one is None:
        one = (1,)  # the gate makes no tokens for push and social
    given = {part["token"] for topic, value in facts if topic == "sources" for part in _named(value)}
    # who lacks the first key cannot name an address for all who know it by that key; the gate knows the printed one
    choices = ((1,), (1, 2), (2,)) if given <= set(home(sent)) else ((1,), (1, 2))
    made = [
        (topic, rekeyed(value, twin, one or draw.choice(choices)) if topic in ("sources", "suppressions") else value)
        for topic, value in facts
    ]
    send = Send.model_validate_json(json.dumps(rekeyed(sent, twin, one or (2,))))
    store = invented.store(*made, reference=reference)
    at = millis(case["at"]) if "at" in case else invented.T
    packs = store.activations.over(load(case.get("policy", "jp-pmark")))
    view = store.view(send, printed(invented.gate(1, 2), send), at=at, zone=packs.zone(send.contact_point.country, at))
    return decide(send, view, store.reference, packs, at, checkpoint=case.get("checkpoint", "intake"))


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in ONE_KEY[::12]
        if not {"clearances", "unavailable", "as_of"} & CASES[name].keys()
        # a release of printed text is for the hash of that text under the key of then, and is asked for again
        and not any("p1_" in json.dumps(one.get("seen", {})) for one in CASES[name].get("acts", ()))
    ],
)
def test_the_golden_cases_under_any_keys_then_the_same_decision(name: str) -> None:
    said, found = decided(CASES[name]), under_keys(CASES[name], Random(0))
    assert (found.verdict, found.codes, found.notes, found.basis) == (said.verdict, said.codes, said.notes, said.basis)
