"""The believable retailer: the same for the same seed, readable by the codec, and in the shares it promises."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, timedelta
from itertools import chain, islice, pairwise
from random import Random
from typing import get_args

import pytest

from gatekeeper.confirmation import code as codes
from gatekeeper.confirmation.notice import Question, last_day, letter
from gatekeeper.deciding.case import Case
from gatekeeper.demo import addresses
from gatekeeper.demo.business import REFERENCE
from gatekeeper.demo.life import Event
from gatekeeper.demo.origins import ORIGINS
from gatekeeper.demo.result import DemoResult
from gatekeeper.demo.retailer import CAMPAIGNS, CAST, Person, Retailer
from gatekeeper.engine.judged import Judged
from gatekeeper.engine.sends import Judge
from gatekeeper.identity import Identified, Tokens, printed
from gatekeeper.knowledge.store import FactStore
from gatekeeper.policy import packs
from gatekeeper.policy.methods import METHODS, RANKS
from schemas.audit import AuditRecord
from schemas.codec import decode, encode
from schemas.events import Consent, Notice, Source, Suppression, Template
from schemas.record import Record
from schemas.topics import CLEARED_DAYS, subject_key
from schemas.values import MessageClass
from tests.support.facts import fact
from tests.support.invented import decide

TOKENS = Tokens({1: addresses.KEY})
TODAY = date(2026, 11, 24)
AT = 1_795_482_000_000
"""Ten o'clock in Japan of that day, in milliseconds."""
RECIPIENT = re.compile(rb"R\d{6}")


@pytest.fixture(scope="module")
def retailer() -> Retailer:
    return Retailer(people=2000, seed=11, today=TODAY)


@pytest.fixture(scope="module")
def crowd(retailer: Retailer) -> list[Person]:
    return [retailer.person(number) for number in range(len(CAST) + 1, retailer.people + 1)]


@pytest.fixture(scope="module")
def facts(retailer: Retailer) -> list[Event]:
    return list(retailer.facts())


def _wire(event: Event) -> tuple[str, bytes, bytes]:
    topic, value = event
    return topic, subject_key(topic, value).encode(), encode(value)


def test_given_the_same_seed_then_every_byte_is_the_same() -> None:
    one, twin = (Retailer(people=300, seed=11, today=TODAY) for _ in range(2))
    assert [_wire(event) for event in twin.facts()] == [_wire(event) for event in one.facts()]
    assert list(twin.sends(300)) == list(one.sends(300))


def test_given_another_seed_then_other_people(retailer: Retailer) -> None:
    assert Retailer(people=2000, seed=12, today=TODAY).person(100) != retailer.person(100)


def test_given_fewer_people_then_the_first_ones_are_the_same(retailer: Retailer) -> None:
    few = Retailer(people=50, seed=11, today=TODAY)
    assert [few.person(n) for n in range(1, 51)] == [retailer.person(n) for n in range(1, 51)]


def test_given_every_event_then_the_codec_reads_back_what_was_meant(retailer: Retailer, facts: list[Event]) -> None:
    sends = [("sends", send) for send in retailer.sends(300)]
    for event in [*retailer.reference(), *facts, *sends]:
        assert decode(*_wire(event)) == event[1]


def test_given_all_facts_then_none_lies_in_the_future_but_by_a_clock_ahead(facts: list[Event]) -> None:
    ahead = 0
    for _, value in facts:
        for name in ("acquired_at", "recorded_at", "received_at"):
            if time := getattr(value, name, None):
                assert date.fromisoformat(time[:10]) < TODAY
        said = getattr(value, "event_time", None)
        ahead += bool(said) and date.fromisoformat(said[:10]) >= TODAY
    assert 0 < ahead < len(facts) * 0.004


def test_given_consents_then_a_few_are_recorded_more_than_a_day_later(facts: list[Event]) -> None:
    made = [value for _, value in facts if isinstance(value, Consent) and value.event_time]
    days = [date.fromisoformat(one.recorded_at[:10]) - date.fromisoformat(str(one.event_time)[:10]) for one in made]
    assert 0.002 < sum(late > timedelta(days=1) for late in days) / len(made) < 0.08


def test_given_times_then_each_way_to_write_one_occurs(facts: list[Event]) -> None:
    times = [str(getattr(value, "event_time", None) or getattr(value, "received_at", "")) for _, value in facts]
    for form in (r"....-..-..", r"\S+\+09:00", r"\S+Z", r"....-..-..T..:..:.."):
        assert any(re.fullmatch(form, time) for time in times), form


def test_all_people_then_doubles_households_minors_and_second_points_in_their_shares(
    crowd: list[Person],
) -> None:
    homes = Counter(TOKENS.of("postal", person.delivery) for person in crowd)
    assert 0.02 <= sum(n - 1 for n in homes.values()) / len(crowd) <= 0.04
    sources = [value for person in crowd for _, value in person.facts if isinstance(value, Source)]
    mails = Counter(point.token for one in sources for point in one.contact_points if point.id.endswith("-E"))
    assert 0.006 <= sum(n - 1 for n in mails.values()) / len(crowd) <= 0.018
    assert 0.003 <= sum(bool(one.birth_date or one.may_be_minor) for one in sources) / len(crowd) <= 0.013
    assert 1.3 <= sum(len(one.contact_points) for one in sources) / len(sources) <= 1.42


def test_given_all_origins_then_each_comes_in_its_share(crowd: list[Person]) -> None:
    found = Counter(person.origin.name for person in crowd)
    total = sum(origin.weight for origin in ORIGINS)
    for origin in ORIGINS:
        expected = len(crowd) * origin.weight / total
        # four standard deviations of a binomial, and a little for the rare ones
        assert abs(found[origin.name] - expected) <= 4 * expected**0.5 + 2, origin.name


def test_given_all_origins_then_what_they_were_told_exists() -> None:
    notices = {value.id for value in REFERENCE if isinstance(value, Notice)}
    asking = {value.notice_id for value in REFERENCE if isinstance(value, Template) and value.notice_id}
    assert {origin.told["notice_id"] for origin in ORIGINS if "notice_id" in origin.told} | asking == notices


def test_given_all_people_then_six_in_a_hundred_objected_and_some_came_back(facts: list[Event]) -> None:
    said: dict[str, list[str]] = {}
    objections = set()
    for _, value in facts:
        if isinstance(value, Consent):
            said.setdefault(value.recipient_id, []).append(value.record_id.rpartition("-")[2])
        elif isinstance(value, Suppression) and value.kind in ("objection", "refusal_returned"):
            objections.add(value.suppression_id)
    back = {who for who, words in said.items() if "again" in words}
    stopped = {who for who, words in said.items() if "stop" in words} - back
    assert 0.045 <= (len(objections) + len(stopped)) / 2000 <= 0.075
    assert 0.008 <= len(back) / 2000 <= 0.022


def test_the_yes_of_a_form_then_seven_in_ten_of_the_card_and_four_in_ten_online(crowd: list[Person]) -> None:
    asked, agreed = Counter[str](), Counter[str]()
    for person in crowd:
        asked[person.origin.name] += 1
        agreed[person.origin.name] += any(
            isinstance(value, Consent) and value.record_id.endswith("form") and "postal" in value.channels
            for _, value in person.facts
        )
    assert 0.66 <= agreed["card-v2"] / asked["card-v2"] <= 0.76
    assert 0.32 <= agreed["ec"] / asked["ec"] <= 0.44


def test_given_the_feed_then_some_facts_come_twice_and_some_late(facts: list[Event]) -> None:
    rows = [_wire(event) for event in facts]
    assert 0 < len(rows) - len(set(rows)) < len(rows) * 0.02
    people = [int(value.recipient_id[1:]) for _, value in facts if isinstance(value, Source)]
    assert 0 < sum(one > two for one, two in pairwise(people)) < len(people) * 0.05


def test_given_facts_then_no_name_or_address_of_a_person_is_in_them(facts: list[Event]) -> None:
    text = b"\n".join(_wire(event)[2] for event in facts).decode()
    provider = {
        "さくら名簿センター株式会社",
        "緑山県若葉市青葉町9-9-9",
        "代表取締役 見本太郎",
        "通販の購入者名簿",
    }
    assert set(re.findall(r'"([^"]*[^\x00-\x7f"][^"]*)"', text)) == provider
    assert not re.search(r"\b000-\d{4}\b", text)


def test_given_any_id_then_it_is_not_made_of_the_recipient_s(retailer: Retailer, facts: list[Event]) -> None:
    for topic, value in [*facts, *(("sends", send) for send in retailer.sends(retailer.people))]:
        rest = encode(value.model_copy(update={"recipient_id": None}))
        assert not RECIPIENT.search(rest), (topic, rest)


def test_given_everybody_judged_then_no_record_and_no_header_names_a_recipient(campaign: list[Judged]) -> None:
    for judged in campaign:
        assert not RECIPIENT.search(judged.audit), judged.audit
        for output in judged.outputs:
            for name, value in output.headers:
                assert not RECIPIENT.search(value), (name, value)


def test_given_all_facts_then_no_two_share_an_id_but_a_feed_s_repetitions(facts: list[Event]) -> None:
    ids = {"sources": "source_id", "consents": "record_id", "suppressions": "suppression_id"}
    wires = {_wire(event): (event[0], getattr(event[1], ids[event[0]])) for event in facts}
    assert len(set(wires.values())) == len(wires)


def test_given_sends_then_nobody_gets_two_of_one_campaign_and_the_cast_comes_first(retailer: Retailer) -> None:
    sends = list(Retailer(people=40, seed=1, today=TODAY).sends(100))
    assert len(sends) == 100
    assert len({(send.recipient_id, send.campaign_id) for send in sends}) == 100
    assert len({send.event_id for send in sends}) == 100
    campaigns = {send.campaign_id for send in sends}
    assert len(campaigns) <= 3 * (len(CAMPAIGNS) + 1), "three waves, each of three campaigns and some other mail"
    cast = [person.recipient_id for person in retailer.cast.values()]
    assert [send.recipient_id for send in islice(retailer.sends(9), len(cast))] == cast


@pytest.mark.parametrize("n", [0, 1, 4, 40, 41])
def test_given_any_number_then_just_as_many_sends(n: int) -> None:
    assert len(list(Retailer(people=40, seed=1, today=TODAY).sends(n))) == n


def test_sends_then_their_mail_dates_lie_within_the_days_that_clearances_are_kept(retailer: Retailer) -> None:
    for send in retailer.sends(100):
        assert send.mail_date
        assert TODAY < date.fromisoformat(send.mail_date) <= TODAY + timedelta(days=CLEARED_DAYS)


def test_given_fewer_people_than_the_cast_then_it_is_refused() -> None:
    with pytest.raises(ValueError, match="cast"):
        Retailer(people=3, today=TODAY)


def test_given_sends_then_the_hard_ways_of_writing_occur(retailer: Retailer) -> None:
    deliveries = [send.delivery for send in retailer.sends(retailer.people) if send.delivery]
    text = "\n".join("".join((delivery.name, *delivery.lines)) for delivery in deliveries)
    for hard in ("髙", "﨑", "𠮷", "ﾀﾅｶ", "丁目", "－", "ー", "上ル", "様方", "私書箱", "１"):
        assert hard in text


def _place(found: Identified) -> Identified:
    """Returns what does not depend on the words between which a name has spaces."""
    return found._replace(beside=(), text="", others=(), further=(), named=())


def test_given_every_spelling_of_an_address_then_one_token(crowd: list[Person]) -> None:
    rng = Random(5)
    for person in crowd:
        delivery = person.address.written(rng)
        found, known = (TOKENS.of("postal", one) for one in (delivery, person.delivery))
        assert found is not None
        assert known is not None
        assert _place(found) == _place(known), delivery
        more = {*chain(*found.beside)} - {*chain(*known.beside)}
        assert not more or "旧姓" in delivery.name, "a building or host is one in every spelling"


def test_given_an_address_that_went_wrong_then_another_token(crowd: list[Person]) -> None:
    rng = Random(5)
    for person in crowd[:500]:
        assert TOKENS.of("postal", person.address.mistaken(rng)) != TOKENS.of("postal", person.delivery)


@pytest.fixture(scope="module")
def campaign(retailer: Retailer, facts: list[Event]) -> list[Judged]:
    """The decisions about a campaign to everybody, judged in memory."""
    store = FactStore()
    for offset, event in enumerate([*retailer.reference(), *facts]):
        topic, key, value = _wire(event)
        assert store.apply(fact(topic, 0, offset, key, value)) is None
    judge = Judge(packs.load("jp-pmark"), partitions=1, tokens=TOKENS)
    wires = [_wire(("sends", send)) for send in retailer.sends(retailer.people)]
    records = [Record("mail.sends.v1", 0, offset, AT, key, value) for offset, (_, key, value) in enumerate(wires)]
    return [judge.judge(record, store, AT) for record in records]


@pytest.fixture(scope="module")
def tally(campaign: list[Judged]) -> DemoResult:
    """The campaign's result."""
    found = DemoResult(frozenset((0, offset) for offset in range(len(campaign))))
    for judged in campaign:
        record = AuditRecord.model_validate_json(judged.audit)
        found.audit(record)
        for output in judged.outputs:
            found.output(output.topic, judged.did)
    return found


def test_given_everybody_judged_then_every_verdict_occurs_and_the_cast_gets_its_own(
    retailer: Retailer, tally: DemoResult
) -> None:
    shares = {verdict: n / retailer.people for verdict, n in tally.by_verdict().items()}
    assert sum(shares.values()) == pytest.approx(1)
    assert 0.20 <= shares["clear"] <= 0.35
    assert 0.45 <= shares["confirm"] <= 0.65
    assert 0 < shares["review"] <= 0.02
    assert list(tally.verdict.values())[: len(CAST)] == list(CAST)


def test_given_everybody_judged_then_each_story_of_the_retailer_has_its_reason(tally: DemoResult) -> None:
    reasons = {reason for _, reason in tally.funnel}
    assert reasons == {
        "",
        "SUBJECT_OBJECTED",
        "CONSENT_WITHDRAWN",
        "POSTAL_REFUSAL_RETURNED",
        "SOURCE_UNKNOWN",
        "SOURCE_CHECK_MISSING",
        "PROVIDER_OPTOUT_CHAIN",
        "ENTRUSTED_OWN_USE",
        "RECIPIENT_DECEASED",
        "CONTACT_UNDELIVERABLE",
        "AGE_UNCERTAIN",
        "THIRD_PARTY_UNCONFIRMED",
        "PUBLIC_SOURCE_UNCONFIRMED",
        "REFERRAL_UNCONFIRMED",
        "SUCCESSION_NOT_COVERED",
        "JOINT_USE_NOT_COVERED",
        "NOTICE_ITEMS_MISSING",
        "PURPOSE_NOT_COVERED",
        "CHANNEL_NOT_CONSENTED",
        "CONSENT_MISSING",
        "CONSENT_INVALIDATED",
        "SUBJECT_ERASED",
        "MINOR_NO_GUARDIAN",
        "PRINT_UNACCOUNTED",
        "CONTACT_POINT_NOT_COVERED",
    }


def test_given_all_data_then_each_method_lane_and_class_of_the_tables_occurs(
    retailer: Retailer, facts: list[Event], campaign: list[Judged]
) -> None:
    methods = {value.method for _, value in facts if isinstance(value, Source)}
    assert methods == METHODS.keys()
    assert {METHODS[method].lane for method in methods} == RANKS.keys()
    sends = list(retailer.sends(retailer.people))
    assert {send.message_class for send in sends} == set(get_args(MessageClass))
    cleared = {send.message_class for send, judged in zip(sends, campaign, strict=True) if judged.verdict == "clear"}
    assert cleared == set(get_args(MessageClass))


def test_given_everybody_judged_then_the_count_comes_out(retailer: Retailer, tally: DemoResult) -> None:
    assert (tally.missing(), tally.wrong()) == (0, 0)
    assert sum(tally.by_output().values()) == retailer.people


def test_given_all_who_may_be_asked_then_every_letter_passes_its_lint(retailer: Retailer, facts: list[Event]) -> None:
    store, known = FactStore(), packs.load("jp-pmark")
    for offset, event in enumerate([*retailer.reference(), *facts]):
        topic, key, value = _wire(event)
        assert store.apply(fact(topic, 0, offset, key, value)) is None
    missing: Counter[tuple[str, ...]] = Counter()
    for send in retailer.sends(600):
        view = store.view(send, printed(TOKENS, send), at=AT, zone="Asia/Tokyo")
        decision = decide(send, view, store.reference, known, AT)
        if decision.verdict != "confirm":
            continue
        source = next(source for source in view.sources if source.source_id == decision.basis)
        case = Case.of(send=send, facts=view, reference=store.reference, policy=decision.policy, at=AT * 1000)
        assert store.reference.ask
        question = Question(case, source, store.reference.ask, codes.new(bytes(7)), last_day(case))
        missing[letter(question).missing] += 1
    assert missing.keys() == {()}
    assert missing[()] > 100
