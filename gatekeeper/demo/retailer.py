"""A believable retailer: invented people with the origin of their data, their consents, and campaigns to send."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from random import Random

from gatekeeper.demo import addresses, paper
from gatekeeper.demo.addresses import Address
from gatekeeper.demo.business import CAMPAIGN_NAMES, OTHER_MAIL, PURPOSE, REFERENCE, REPLY, RETAILER
from gatekeeper.demo.life import Contacts, Event, Ids, Life, contact_id
from gatekeeper.demo.origins import ORIGINS, Origin
from gatekeeper.identity import Identified, Tokens, stated
from schemas.decision import Verdict
from schemas.events import Campaign, Controller, Delivery, Notice, PersonEvent, Purpose, Send, SendContactPoint, Source
from schemas.values import Channel

CAST: dict[Verdict, tuple[str, str]] = {
    "clear": ("佐藤 陽菜", "card-v2"),
    "confirm": ("髙橋 實", "broker-a"),
    "review": ("山﨑 碧", "survey"),
    "block": ("𠮷田 一", "card-v2"),
}
"""The first people of every retailer, one for each verdict: name, and origin of their data."""
LATE, TWICE = 0.01, 0.005
DOUBLE = 0.03  # share of people who duplicate the person before them under another id
HOUSEHOLD = 0.012  # share of people who use the mailbox of the person before them
TWO_CONTACT_POINTS = 0.35
RESPELLED, MISTAKEN = 0.2, 0.01
"""Shares of sends whose address is spelled differently from the one on file, and whose address is wrong."""
CAMPAIGNS = ((0.5, "winter-catalogue", 10), (0.8, "year-end-sale", 4), (1.0, "new-year-card", 24))
"""The campaigns in order. Of each: the share of all pieces at its end, its name, the days until it is mailed."""
OTHERS_EVERY = 50
"""One in so many pieces of a campaign is no advertisement: service mail, a recall, a question."""
ASKED_EVERY = 200
"""One in so many people asked what is held about them. Their piece is the reply."""
_BESIDE = [name for name in OTHER_MAIL if name != REPLY]
_ORIGIN = {origin.name: origin for origin in ORIGINS}
_WEIGHTS = [origin.weight for origin in ORIGINS]


@dataclass(frozen=True, slots=True)
class Person:
    """One invented person: the contact point for mail, and every fact about the person, in order."""

    recipient_id: str
    origin: Origin
    address: Address
    contact_point: SendContactPoint
    facts: tuple[Event, ...]

    @property
    def delivery(self) -> Delivery:
        """Name and address in their first spelling."""
        return self.address.written()


class Retailer:
    """Source of people, facts and sends: the same for the same arguments, in any order of calls.

    `people` is their number; a number below the cast's raises ValueError. Only mail dates lie after `today`, and the
    few event times of a device whose clock is ahead.
    """

    def __init__(self, *, people: int = 5000, seed: int = 7, today: date) -> None:
        if people < len(CAST):
            raise ValueError(f"the cast alone are {len(CAST)} people")
        self.people = people
        self.seed = seed
        self.today = today
        self._tokens = Tokens({1: addresses.KEY})

    @cached_property
    def cast(self) -> dict[Verdict, Person]:
        """The people that the demo explains, by the verdict for a send to them."""
        return {verdict: self.person(number) for number, verdict in enumerate(CAST, start=1)}

    def person(self, number: int) -> Person:
        """The person with this number, from 1; the facts do not depend on the number of people."""
        rng = self._random(number)
        recipient = f"R{number:06}"
        address = self._address(number, rng)
        verdict = list(CAST)[number - 1] if number <= len(CAST) else None
        if verdict:
            name, origin = CAST[verdict][0], _ORIGIN[CAST[verdict][1]]
            address = address._replace(names=addresses.names_of(name))
        else:
            origin = rng.choices(ORIGINS, _WEIGHTS)[0]
        home = self._known_by("postal", address.written())
        has_mail = rng.random() < TWO_CONTACT_POINTS or self._shares(number) or self._shares(number + 1)
        mail = self._known_by("email", addresses.mailbox(self._mailbox(number))) if has_mail else None
        ids = Ids(self.seed, recipient)
        written = address.written()
        contacts = Contacts(home, mail, lambda: stated(self._tokens, "postal", written, everybody=False))
        life = Life(recipient, ids=ids, origin=origin, contacts=contacts, rng=rng, today=self.today)
        contact = SendContactPoint(id=contact_id(ids, "A"), country="JP")
        facts = life.scripted(verdict) if verdict else life.lived()
        asked = life.asked() if number % ASKED_EVERY == 0 else ()
        return Person(recipient, origin, address, contact, (*facts, *asked))

    def _address(self, number: int, rng: Random) -> Address:
        """The person's address; a duplicate has the name and address of the person before."""
        address = addresses.invent(rng)
        double = number > len(CAST) + 1 and rng.random() < DOUBLE
        return self._address(number - 1, self._random(number - 1)) if double else address

    def _shares(self, number: int) -> bool:
        return number > len(CAST) + 1 and self._random(f"household/{number}").random() < HOUSEHOLD

    def _mailbox(self, number: int) -> int:
        return self._mailbox(number - 1) if self._shares(number) else number

    def _known_by(self, channel: Channel, delivery: Delivery) -> Identified:
        identified = self._tokens.of(channel, delivery)
        assert identified is not None, "the demo's people can all be written to"
        return identified

    def reference(self) -> Iterator[Event]:
        """Yields the reference records: legal entities, forms with their pictures, lists, templates and campaigns."""
        for value in REFERENCE:
            picture = self.pictures.get(value.id) if isinstance(value, Notice) else None
            yield "reference", value.model_copy(update={"image_sha256": paper.hashed(picture)}) if picture else value
        for name in (*(name for _, name, _ in CAMPAIGNS), *OTHER_MAIL):
            yield "reference", self.campaign(name)

    def campaign(self, name: str, number: int = 1) -> Campaign:
        """The record of this year's campaign of a name in CAMPAIGN_NAMES; `number`: among those of that name."""
        id_, called = f"{name}-{self.today:%Y}", f"{CAMPAIGN_NAMES[name]} {self.today:%Y}"
        if number > 1:
            id_, called = f"{id_}-{number}", f"{called} 第{number}回"
        return Campaign(v=1, kind="campaign", id=id_, name=called)

    @cached_property
    def pictures(self) -> dict[str, bytes]:
        """The picture of each form, by its id."""
        named = [value for value in REFERENCE if isinstance(value, Controller | Purpose)]
        names = {value.id: value.name_ja if isinstance(value, Purpose) else value.name or value.id for value in named}
        return {value.id: paper.drawn(value, names) for value in REFERENCE if isinstance(value, Notice)}

    def facts(self) -> Iterator[Event]:
        """Yields sources, consents and suppressions, some twice and some out of order, as in real feeds."""
        rng = self._random("noise")
        held: list[Event] = []
        for event in (event for number in range(1, self.people + 1) for event in self.person(number).facts):
            luck = rng.random()
            if luck >= LATE:
                yield event
            if luck < LATE + TWICE:
                held.append(event)
            if held and rng.random() < 0.1:
                yield held.pop(0)
        yield from held

    def sends(self, n: int = 2000) -> Iterator[Send]:
        """Yields `n` sends, the cast first: one a person in all CAMPAIGNS together, then the same for further ones."""
        rng = self._random("sends")
        others = range(len(CAST) + 1, self.people + 1)
        for wave, first in enumerate(range(0, n, self.people), start=1):
            size = min(n - first, self.people)
            numbers = [*range(1, len(CAST) + 1), *rng.sample(others, max(size - len(CAST), 0))]
            for rank, number in enumerate(numbers[:size], start=1):
                _, name, days = next(row for row in CAMPAIGNS if rank <= row[0] * size)
                kind = None
                if number % ASKED_EVERY == 0:
                    name = kind = REPLY
                elif rank % OTHERS_EVERY == 0:
                    name = kind = _BESIDE[rank // OTHERS_EVERY % len(_BESIDE)]
                campaign = self.campaign(name, wave).id
                mail_date = self.today + timedelta(days=days)
                yield self.send_to(self.person(number), campaign=campaign, mail_date=mail_date, kind=kind)

    def send_to(self, person: Person, *, campaign: str, mail_date: date | None = None, kind: str | None = None) -> Send:
        """One piece of direct mail to this person; its event id depends on seed, campaign and person only.

        `kind`: of OTHER_MAIL, for a piece that is no advertisement. A person without a source gets no question.
        One in five sends spells the address differently. A few, never the cast's, have a wrong address.
        """
        rng = self._random(f"{campaign}/{person.recipient_id}")
        luck, cast = rng.random(), int(person.recipient_id[1:]) <= len(CAST)
        delivery = person.delivery
        if luck < RESPELLED:
            delivery = person.address.written(rng)
        elif luck < RESPELLED + MISTAKEN and not cast:
            delivery = person.address.mistaken(rng)
        fields: Mapping[str, str] = OTHER_MAIL[kind] if kind else {}
        if kind == REPLY:
            request = next(value.request_id for _, value in person.facts if isinstance(value, PersonEvent))
            fields = {**fields, "ground": f"dsr.{request}"}
        if kind == "questions":
            source = next((value.source_id for _, value in person.facts if isinstance(value, Source)), None)
            fields = (
                {**fields, "source_id": source, "request_id": f"Q-{campaign}"}
                if source
                else OTHER_MAIL["order-notices"]
            )
        piece = Send(
            v=1,
            event_id=f"{campaign}-{Ids(self.seed, person.recipient_id).of(campaign)}",
            recipient_id=person.recipient_id,
            campaign_id=campaign,
            controller_id=RETAILER,
            purpose=PURPOSE,
            channel="postal",
            message_class="marketing",
            contact_point=person.contact_point,
            template_id="winter-catalogue",
            mail_date=(mail_date or self.today + timedelta(days=CAMPAIGNS[0][-1])).isoformat(),
            delivery=delivery,
        )
        return piece.model_copy(update=fields)

    def _random(self, of: int | str) -> Random:
        """A random generator for one use, so that the uses do not affect each other."""
        return Random(f"{self.seed}/{of}")  # noqa: S311 - invented data, no secret
