"""Compares an audit record with the topics: its input, the facts about its person, the policy in force."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal, NamedTuple, Protocol

import orjson

from gatekeeper.audit.checks.archive import Archive, Positions
from gatekeeper.audit.checks.by_hash import ByHash
from gatekeeper.audit.checks.record_difference import difference
from gatekeeper.audit.checks.recorded_case import milliseconds
from gatekeeper.audit.checks.replay import Replayed, ReplayFinding, other_rules, replay
from gatekeeper.audit.records import record as audit
from gatekeeper.audit.records.masking import told
from gatekeeper.audit.records.releases import RELEASES, RULES, rules_of
from gatekeeper.deciding.facts import WHOLE_BATCH
from gatekeeper.deciding.rules.system import TOKEN_KEY, UNREAD_ASKED
from gatekeeper.engine.failures import invalid
from gatekeeper.engine.item import redacted_form
from gatekeeper.engine.sends import PARTITION_WRONG, taken
from gatekeeper.identity import Identified, Tokens, printed
from gatekeeper.policy.packs import Packs
from schemas.codec import Parsed, Unreadable, canonical, decode, parse, parsed
from schemas.events import Act, CampaignAct, ItemAct, Reemission, Release, Send
from schemas.record import Record
from schemas.topics import logical_name

Source = tuple[str, int, int, int]
"""The place of an input: topic (registry name), partition, offset and era."""
UnseenReason = Literal["expired", "no_key"]
"""Reasons why facts were not rebuilt: the input is no longer kept, or the key for printed values is missing."""


class Inputs(Protocol):
    """Reader of the workers' inputs that the broker still keeps, such as `streams.operations.inputs.KeptInputs`."""

    def at(self, topic: str, partition: int, offset: int, era: int = 0) -> Record | None:
        """The record of a topic (registry name) at this place; None without one."""
        ...

    def expired(self, topic: str, partition: int, offset: int, era: int = 0) -> bool:
        """Tells whether the broker no longer keeps this offset of this era."""
        ...


class Rechecked(NamedTuple):
    """Result for a record. `unseen`: why its facts were not rebuilt; None if they were, or if it has none."""

    replayed: Replayed
    unseen: UnseenReason | None = None


class _Unseen(Exception):
    def __init__(self, why: UnseenReason) -> None:
        super().__init__(why)
        self.why = why


class _Differs(Exception):
    """The record contradicts the topics. `folded`: only in the facts, which other rules may derive differently."""

    def __init__(self, place: str, recorded: str, derived: str = "-", *, folded: bool = False) -> None:
        super().__init__(place)
        self.found = place, recorded, derived
        self.folded = folded


class Recheck:
    """Replay of a trail's records, each partition in order, under the facts and policies of each time.

    `packs`: of the settings; activations override them. `tokens`: of the worker's key, None without it. `partitions`:
    the number of partitions of `sends`. `whole`: the trail begins where the system began, so an act without a record
    never happened. `releases`: the released versions of the rules.
    """

    def __init__(
        self,
        by_hash: ByHash,
        archive: Archive,
        inputs: Inputs,
        packs: Packs,
        *,
        tokens: Tokens | None,
        whole: bool = False,
        partitions: int,
        releases: Mapping[int, str] = RELEASES,
    ) -> None:
        self._by_hash = by_hash
        self._archive = archive
        self._inputs = inputs
        self._packs = packs
        self._tokens = tokens
        self._whole = whole
        self._partitions = partitions
        self._releases = releases
        self._then: tuple[tuple[tuple[int, ...], Any, int], Packs] | None = None
        """The last positions of `reference`, longest lag and rules, with the packs in force."""
        self._cleared: dict[str, Source] = {}
        self._done: dict[str, tuple[str | None, bytes]] = {}
        """Released items and confirmation requests: the pseudonym, and the release ('' for a request)."""

    def passed(self, value: bytes) -> None:
        """Remembers clearances and acts in a record that is not replayed, as later records depend on them.

        Any value that is no record is ignored.
        """
        with suppress(*audit.FOREIGN):
            self._take_in(orjson.loads(value))

    def _take_in(self, content: dict[str, Any]) -> None:
        if content["verdict"] == "clear" and content["stage"] != "handoff":
            self._cleared[content["did"]] = _source(content)
        act = content.get("act") or {}
        if act.get("outcome") == "asked":
            self._done[content["did"]] = content["subj"], b""
        elif content["stage"] == "release" and act["outcome"] in ("cleared", "withheld"):
            self._done[act["item"]] = content["subj"], canonical(_made(content))

    def replay(self, value: bytes, at: Positions) -> Rechecked:
        """The result of replaying one record. `at`: the positions that its manifest names.

        Raises the errors of `inputs` and no others.
        """
        packs = self._in_force(value, at)
        replayed = replay(value, self._by_hash, under=packs, releases=self._releases)
        if replayed.finding not in ("same", "told", "unverified"):
            return Rechecked(replayed)
        content = orjson.loads(value)
        self.passed(value)
        try:
            if replayed.finding == "unverified" and not replayed.place:
                self._at(content, self._place(content))  # fields unknown to this release allow no further check
            else:
                self._compare(content, at, packs)
        except _Unseen as unseen:
            return Rechecked(replayed, unseen.why)
        except _Differs as differs:
            rules = other_rules(value, self._releases) if differs.folded else None
            if rules and replayed.finding == "unverified":
                return Rechecked(replayed)
            finding: ReplayFinding = "unverified" if rules else "drift"
            why = f"rules {rules}" if rules else ""
            return Rechecked(Replayed(finding, replayed.did, replayed.stage, *differs.found, why))
        return Rechecked(replayed)

    def _in_force(self, value: bytes, at: Positions) -> Packs:
        try:
            lag = orjson.loads(value).get("max_lag_ms")
        except (ValueError, AttributeError):
            lag = None  # replay says that it is no record
        rules = rules_of(value) or RULES
        then = tuple(at.get("reference", ())), lag, rules
        if self._then is None or self._then[0] != then:  # the same for nearly all neighbours
            packs = self._archive.reference(at).activations.over(self._packs.known_to(rules))
            with suppress(ValueError, AttributeError):
                packs = packs.with_max_lag(lag)
            self._then = then, packs
        return self._then[1]

    def _compare(self, content: dict[str, Any], at: Positions, packs: Packs) -> None:
        """Raises _Differs if the record contradicts the topics, _Unseen if they no longer hold the evidence."""
        if content["stage"] == "handoff":
            self._handed(content)
        place = self._place(content)
        record = self._taken(content, place)
        if content["send"] is None:
            _unread(content, record, self._partitions)
            return
        try:
            sent: Parsed[Send] = parse("sends", record.key, record.value)
        except Unreadable as fault:
            raise _Differs("send", told(content["send"]), str(fault)) from None
        remembered = content["stage"] in ("handoff", "recall")
        send = sent.model
        form = audit.judged_send((parsed(send) if remembered else sent).json)
        if differs := difference(content["send"], form, "send"):
            raise _Differs(*differs)
        if (facts := content["facts"]) is None:
            return
        if send.delivery is not None and (self._tokens is None or facts.get("printed") == "no_key"):
            raise _Unseen("no_key")
        at_point = printed(self._tokens, send)
        if remembered and isinstance(at_point, Identified):
            at_point = at_point.remembered
        asks, releases, asked = (
            b"\n".join(map(canonical, facts.get(name, ()))) for name in ("asks", "releases", "asked")
        )
        instant = milliseconds(content["at"])
        view = self._archive.view(
            send,
            at_point,
            at,
            instant=instant,
            zone=packs.zone(send.contact_point.country, instant),
            asks=asks,
            releases=releases,
            erased=facts.get("erased"),
            asked=None if UNREAD_ASKED in facts["unreadable"] else asked,
        )
        derived = orjson.loads(view.snapshot)
        if _lacks_key(facts) or _lacks_key(derived) or self._had_other_keys(facts, derived):
            raise _Unseen("no_key")
        if differs := difference(facts, derived, "facts"):
            with suppress(_Unseen):
                self._acted(content, facts)  # no rules excuse an act that nobody did
            raise _Differs(*differs, folded=True)
        self._acted(content, facts)

    def _had_other_keys(self, facts: dict[str, Any], derived: dict[str, Any]) -> bool:
        """True if an unreadable stop may have concerned anybody, as the worker lacked the key of a token in it."""
        more = {*facts["unreadable"]}.difference(derived["unreadable"])
        batch = f"/{WHOLE_BATCH}"
        return any(place.endswith(batch) and self._archive.depends_on_keys(place.removesuffix(batch)) for place in more)

    def _acted(self, content: dict[str, Any], facts: dict[str, Any]) -> None:
        """Raises _Differs if the facts name a release or an ask without a record, _Unseen as `_compare` does."""
        for name, key in (("releases", "decision_id"), ("asks", "request_id")):
            for number, claimed in enumerate(facts.get(name, ())):
                done = self._done.get(claimed[key])
                if done is None and not self._whole:
                    raise _Unseen("expired")
                # a record after an erasure names nobody; only a clearance must still name its person
                whose = (
                    done[0] if done and content["subj"] is None and content["verdict"] != "clear" else content["subj"]
                )
                if done != (whose, canonical(claimed) if name == "releases" else b""):
                    raise _Differs(f"facts.{name}[{number}]", told(claimed))

    def _place(self, content: dict[str, Any]) -> Source:
        """The place of a decision's input; for a hand-off, that of the clearance's input."""
        if content["stage"] == "handoff":
            try:
                return self._cleared[content["clearance"]]
            except KeyError:
                raise _Unseen("expired") from None
        return _source(content)

    def _taken(self, content: dict[str, Any], place: Source) -> Record:
        """The judged send, read from `sends`, or from `review` if an act names it there."""
        record = self._at(content, place)
        if place[0] != "acts":
            return record
        act = _act(content, record, its_own=content["stage"] in ("release", "act"))
        if not isinstance(act, Release | ItemAct):
            raise _Differs("act", told(content.get("act")))
        form = None
        if content["stage"] == "release" and isinstance(act, Release) and content["facts"]:
            form = redacted_form(act, content["act"].get("counted"))
        if form and (differs := difference(_made(content), form, "facts.releases")):
            raise _Differs(*differs)
        return self._at(content, ("review", act.review.partition, act.review.offset, 0))

    def _handed(self, content: dict[str, Any]) -> None:
        """Raises _Differs unless an act hands off, or writes again, the piece of this hand-off record."""
        act = _act(content, self._at(content, _source(content)), its_own=True)
        if isinstance(act, CampaignAct) and act.kind == "handoff":
            meant = act.campaign == content["campaign"] and act.channel in (None, content["channel"])
        else:
            meant = isinstance(act, Reemission) and act.decision_id == content["clearance"]
        if not meant:
            raise _Differs("act", told(content.get("act")))

    def _at(self, content: dict[str, Any], place: Source) -> Record:
        record = self._inputs.at(*place)
        if record is None and self._inputs.expired(*place):
            raise _Unseen("expired")
        if record is None:
            raise _Differs("src", told(content["src"]))
        return record


def _source(content: dict[str, Any]) -> Source:
    src = content["src"]
    return logical_name(src["topic"]), src["partition"], src["offset"], src.get("era", 0)


def _lacks_key(facts: dict[str, Any]) -> bool:
    """True if facts were looked up without one of the token keys that they name (rule 7.4.17)."""
    of_others = any(fault.startswith(TOKEN_KEY) for fault in facts["unreadable"])
    return of_others or any(address.get("unknown") for address in facts.get("addresses", ()))


def _act(content: dict[str, Any], record: Record, *, its_own: bool) -> Act:
    """The act in a record of `acts`. `its_own`: raises _Differs unless the audit record describes this act."""
    try:
        act: Act = decode("acts", record.key, record.value)
    except Unreadable as fault:
        raise _Differs("act", told(content.get("act")), str(fault)) from None
    named = {name: getattr(act, name, None) for name in ("act_id", "kind", "at", "by", "evidence_ref", "bulk")}
    if not isinstance(act, CampaignAct):
        named["item"] = getattr(act, "decision_id", None)
    if its_own and (
        differs := difference({name: (content.get("act") or {}).get(name) for name in named}, named, "act")
    ):
        raise _Differs(*differs)
    return act


def _made(content: dict[str, Any]) -> dict[str, Any]:
    """The release that the audit record of a release claims, {} without one."""
    releases, item = content["facts"].get("releases", ()), (content.get("act") or {}).get("item")
    return next((release for release in releases if release["decision_id"] == item), {})


def _unread(content: dict[str, Any], record: Record, partitions: int) -> None:
    """Raises _Differs if a send recorded as unreadable can be read, or has another fault."""
    fault = None
    try:
        misplaced = content["reasons"][0]["says"].get("fault", "").startswith(PARTITION_WRONG)
        taken(record, partitions if misplaced else None)
    except Unreadable as unreadable:
        fault = dict(invalid(unreadable).says)
    says = content["reasons"][0]["says"]
    if content["reasons"][0]["code"] == "EVENT_INVALID" and says != fault:
        raise _Differs("reasons[0].says", told(says), told(fault))
