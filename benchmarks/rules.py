"""Prints the microseconds of a decision on the demo's people, by group of rules. Nothing is asserted.

Prints the best and the median of several rounds, in processor time of this process. Other load on the machine slows
the median more than the best.

Run: python -m benchmarks.rules [people]
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterable
from datetime import date
from statistics import median
from typing import Any

from gatekeeper.deciding import basis
from gatekeeper.deciding.case import Case
from gatekeeper.deciding.consent import Consents
from gatekeeper.deciding.decide import decide
from gatekeeper.deciding.plan import Plans
from gatekeeper.deciding.rules import channel, objections, person, system
from gatekeeper.demo.addresses import KEY
from gatekeeper.demo.retailer import Retailer
from gatekeeper.identity import Tokens, identify, printed
from gatekeeper.knowledge.store import FactStore
from gatekeeper.policy.packs import load
from gatekeeper.policy.reasons import ordered
from schemas.codec import encode
from schemas.record import Record
from schemas.topics import subject_key

AT = 1_795_482_000_000
ROUNDS = 9


def main() -> None:
    """Judges a campaign to as many people as the call says, each group of rules alone and all together."""
    people = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
    retailer = Retailer(people=people, today=date(2026, 11, 24))
    store = FactStore()
    for offset, (topic, value) in enumerate([*retailer.reference(), *retailer.facts()]):
        store.apply(Record(topic, 0, offset, AT, subject_key(topic, value).encode(), encode(value)))
    sends, packs = list(retailer.sends(people)), load("jp-pmark")
    policy, tokens = packs.at(AT), Tokens({1: KEY})
    made = [(send, printed(tokens, send)) for send in sends]
    views = [store.view(*one, at=AT, zone="Asia/Tokyo") for one in made]
    cases = [Case.of(send, view, store.reference, policy, AT * 1000) for send, view in zip(sends, views, strict=True)]
    plans = Plans(store.reference, packs, AT)
    sender = (sends[0].controller_id,)
    read = [Consents(case) for case in cases]
    standings = [consents.standing(sender) for consents in read]
    bases = [basis.choose(case, consents) for case, consents in zip(cases, read, strict=True)]
    both = list(zip(cases, read, strict=True))
    gc.freeze()

    groups: dict[str, tuple[Callable[[Any], Any], Iterable[Any]]] = {
        "identity: a new spelling": (lambda send: identify({1: KEY}, send.channel, send.delivery), sends),
        "identity: a known spelling": (lambda send: printed(tokens, send), sends),
        "facts: view of a person": (lambda one: store.view(*one, at=AT, zone="Asia/Tokyo"), made),
        "system": (lambda c: [*system.unready(c, None), *system.invalid(c), *system.suspended(c)], cases),
        "consents: what stands": (lambda c: Consents(c).standing(sender), cases),
        "source: basis": (lambda one: basis.choose(*one), both),
        "will": (lambda one: objections.stopped(*one), both),
        "person": (
            lambda one: [*person.age(one[0], one[1]), *person.reached(one[0]), *person.near(one[0], one[2])],
            list(zip(cases, standings, read, strict=True)),
        ),
        "channel and display": (
            lambda one: [*channel.opted_in(*one, None), *channel.displayed(one[0]), *channel.unreleased(one[0])],
            both,
        ),
        "order": (lambda found: ordered(found.reasons), bases),
        "decide(): all of it": (
            lambda one: decide(plans.of(one[0]), *one),
            list(zip(sends, views, strict=True)),
        ),
    }
    print(f"{'':28} {'best':>6} {'median':>6}  µs, of {ROUNDS} rounds")
    for name, (rule, arguments) in groups.items():
        rounds = [_timed(rule, arguments) / people * 1e6 for _ in range(ROUNDS)]
        print(f"{name:28} {min(rounds):6.1f} {median(rounds):6.1f}")


def _timed(rule: Callable[[Any], Any], arguments: Iterable[Any]) -> float:
    begun = time.process_time()
    for one in arguments:
        rule(one)
    return time.process_time() - begun


if __name__ == "__main__":
    main()
