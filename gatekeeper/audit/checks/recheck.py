"""A record held against what the topics still keep: its input, what was known of its person, the policy in force."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal, NamedTuple, Protocol

import orjson

from gatekeeper.audit.checks.archive import Archive, Positions
from gatekeeper.audit.checks.by_hash import ByHash
from gatekeeper.audit.checks.replay import Finding, Replayed, difference, other_rules, replay
from gatekeeper.audit.records import record as audit
from gatekeeper.audit.records.masking import told
from gatekeeper.audit.records.releases import RELEASES
from gatekeeper.engine.failures import invalid
from gatekeeper.engine.item import judged_form
from gatekeeper.engine.sends import PARTITION_WRONG, taken
from gatekeeper.identity import Tokens, printed
from gatekeeper.policy.packs import Packs
from schemas.codec import Parsed, Unreadable, canonical, decode, parse, parsed
from schemas.events import Act, CampaignAct, ItemAct, Reemission, Release, Send
from schemas.record import Record
from schemas.topics import logical_name

Unseen = Literal["expired", "no_key"]
"""Why facts were not folded again: the input is kept no more, or there is no key for what is printed."""
Place = tuple[str, int, int]
"""Topic (registry name), partition, offset."""


class Inputs(Protocol):
    """Reads back the inputs of workers, as far as they are kept: `streams.operations.inputs.KeptInputs`."""

    def at(self, topic: str, partition: int, offset: int) -> Record | None:
        """The record of a topic (registry name) at this place; None where there is none."""
        ...

    def expired(self, topic: str, partition: int, offset: int) -> bool:
        """Whether what stood there is no longer kept."""
        ...


class Rechecked(NamedTuple):
    """What became of a record; `unseen`: why its facts were not folded again, None where they were or it has none."""

    replayed: Replayed
    unseen: Unseen | None = None


class _Unseen(Exception):
    def __init__(self, why: Unseen) -> None:
        super().__init__(why)
        self.why = why


class _Differs(Exception):
    """`folded`: only what was known of the person differs, and other rules may fold the same facts otherwise."""

    def __init__(self, place: str, recorded: str, derived: str = "-", *, folded: bool = False) -> None:
        super().__init__(place)
        self.found = place, recorded, derived
        self.folded = folded


class Recheck:
    """Replays the records of a trail, each partition in order, under what the topics said at each time.

    `packs`: of the settings, which activations go over. `tokens`: of the worker's key, None without it.
    `partitions`: how many `sends` has.
    `whole`: the trail begins where the system began, so what no record tells of was never done.
    `releases`: the versions of the rules that were released.
    """

    def __init__(
        self,
        library: ByHash,
        archive: Archive,
        inputs: Inputs,
        packs: Packs,
        *,
        tokens: Tokens | None,
        whole: bool = False,
        partitions: int,
        releases: Mapping[int, str] = RELEASES,
    ) -> None:
        self._library = library
        self._archive = archive
        self._inputs = inputs
        self._packs = packs
        self._tokens = tokens
        self._whole = whole
        self._partitions = partitions
        self._releases = releases
        self._cleared: dict[str, Place] = {}
        self._done: dict[str, tuple[str | None, bytes]] = {}
        """Items that were released and requests that people were asked by: whose they are, and the release."""

    def passed(self, value: bytes) -> None:
        """Takes in what later records stand on, of one that is not to be replayed; of what is no record, nothing."""
        with suppress(*audit.FOREIGN):
            self._take_in(orjson.loads(value))

    def _take_in(self, said: dict[str, Any]) -> None:
        if said["verdict"] == "clear" and said["stage"] != "handoff":
            src = said["src"]
            self._cleared[said["did"]] = logical_name(src["topic"]), src["partition"], src["offset"]
        act = said.get("act") or {}
        if act.get("outcome") == "asked":
            self._done[said["did"]] = said["subj"], b""
        elif said["stage"] == "release" and act["outcome"] in ("cleared", "withheld"):
            self._done[act["item"]] = said["subj"], canonical(_made(said))

    def replay(self, value: bytes, at: Positions) -> Rechecked:
        """Returns what becomes of one record, `at` being the positions that its manifest names.

        Raises what `inputs` raises, and nothing else.
        """
        found = replay(value, self._library, under=self._in_force(value, at), releases=self._releases)
        if found.finding not in ("same", "told", "unverified"):
            return Rechecked(found)
        said = orjson.loads(value)
        self.passed(value)
        try:
            if found.finding == "unverified" and not found.place:
                self._at(said, self._place(said))  # of a record with fields that we do not know, no more
            else:
                self._compare(said, at)
        except _Unseen as unseen:
            return Rechecked(found, unseen.why)
        except _Differs as differs:
            rules = other_rules(value, self._releases) if differs.folded else None
            if rules and found.finding == "unverified":
                return Rechecked(found)
            finding: Finding = "unverified" if rules else "drift"
            why = f"rules {rules}" if rules else ""
            return Rechecked(Replayed(finding, found.did, found.stage, *differs.found, why))
        return Rechecked(found)

    def _in_force(self, value: bytes, at: Positions) -> Packs:
        packs = self._archive.reference(at).activations.over(self._packs)
        try:
            return packs.with_max_lag(orjson.loads(value).get("max_lag_ms"))
        except (ValueError, AttributeError):
            return packs  # replay says that it is no record

    def _compare(self, said: dict[str, Any], at: Positions) -> None:
        """Raises _Differs where the record does not say what the topics say, _Unseen where they no longer do."""
        if said["stage"] == "handoff":
            self._handed(said)
        place = self._place(said)
        record = self._taken(said, place)
        if said["send"] is None:
            _unread(said, record, self._partitions)
            return
        try:
            sent: Parsed[Send] = parse("sends", record.key, record.value)
        except Unreadable as fault:
            raise _Differs("send", told(said["send"]), str(fault)) from None
        remembered = said["stage"] in ("handoff", "recall")
        send = sent.model
        form = audit.judged_send((parsed(send) if remembered else sent).json)
        if differs := difference(said["send"], form, "send"):
            raise _Differs(*differs)
        if (facts := said["facts"]) is None:
            return
        if send.delivery is not None and (self._tokens is None or facts.get("printed") == "no_key"):
            raise _Unseen("no_key")
        asks, releases = (b"\n".join(map(canonical, facts.get(name, ()))) for name in ("asks", "releases"))
        at_point, erased = printed(self._tokens, send), facts.get("erased")
        view = self._archive.view(send, at_point, at, asks=asks, releases=releases, erased=erased)
        if differs := difference(facts, orjson.loads(view.snapshot), "facts"):
            with suppress(_Unseen):
                self._acted(said, facts)  # no rules excuse an act that nobody did
            raise _Differs(*differs, folded=True)
        self._acted(said, facts)

    def _acted(self, said: dict[str, Any], facts: dict[str, Any]) -> None:
        """Raises _Differs where the facts name a release or an ask that no record tells of, _Unseen as `_compare`."""
        for name, key in (("releases", "decision_id"), ("asks", "request_id")):
            for number, claimed in enumerate(facts.get(name, ())):
                done = self._done.get(claimed[key])
                if done is None and not self._whole:
                    raise _Unseen("expired")
                # a record that erasure calls for names nobody any more, but what it clears
                whose = done[0] if done and said["subj"] is None and said["verdict"] != "clear" else said["subj"]
                if done != (whose, canonical(claimed) if name == "releases" else b""):
                    raise _Differs(f"facts.{name}[{number}]", told(claimed))

    def _place(self, said: dict[str, Any]) -> Place:
        """Where the input of a decision stands; of a hand-off, that of the clearance."""
        if said["stage"] == "handoff":
            try:
                return self._cleared[said["clearance"]]
            except KeyError:
                raise _Unseen("expired") from None
        src = said["src"]
        return logical_name(src["topic"]), src["partition"], src["offset"]

    def _taken(self, said: dict[str, Any], place: Place) -> Record:
        """The send that was judged, as it stands on `sends`, or on `review` where an act names it."""
        record = self._at(said, place)
        if place[0] != "acts":
            return record
        act = _act(said, record, its_own=said["stage"] in ("release", "act"))
        if not isinstance(act, Release | ItemAct) or act.review is None:
            raise _Differs("act", told(said.get("act")))
        made = judged_form(act) if said["stage"] == "release" and isinstance(act, Release) and said["facts"] else None
        if made and (differs := difference(_made(said), made, "facts.releases")):
            raise _Differs(*differs)
        return self._at(said, ("review", act.review.partition, act.review.offset))

    def _handed(self, said: dict[str, Any]) -> None:
        """Raises _Differs where no act hands off, or writes again, what the record of a hand-off is about."""
        src = said["src"]
        act = _act(said, self._at(said, ("acts", src["partition"], src["offset"])), its_own=True)
        if isinstance(act, CampaignAct) and act.kind == "handoff":
            meant = act.campaign == said["campaign"] and act.channel in (None, said["channel"])
        else:
            meant = isinstance(act, Reemission) and act.decision_id == said["clearance"]
        if not meant:
            raise _Differs("act", told(said.get("act")))

    def _at(self, said: dict[str, Any], place: Place) -> Record:
        record = self._inputs.at(*place)
        if record is None and self._inputs.expired(*place):
            raise _Unseen("expired")
        if record is None:
            raise _Differs("src", told(said["src"]))
        return record


def _act(said: dict[str, Any], record: Record, *, its_own: bool) -> Act:
    """An act as it stands on `acts`; `its_own`: it must be the one that the record tells of."""
    try:
        act: Act = decode("acts", record.key, record.value)
    except Unreadable as fault:
        raise _Differs("act", told(said.get("act")), str(fault)) from None
    named = {name: getattr(act, name, None) for name in ("act_id", "kind", "at", "by", "evidence_ref", "bulk")}
    if not isinstance(act, CampaignAct):
        named["item"] = getattr(act, "decision_id", None)
    if its_own and (differs := difference({name: (said.get("act") or {}).get(name) for name in named}, named, "act")):
        raise _Differs(*differs)
    return act


def _made(said: dict[str, Any]) -> dict[str, Any]:
    """The release that the record of a release claims to have made, {} where it claims none."""
    releases, item = said["facts"].get("releases", ()), (said.get("act") or {}).get("item")
    return next((one for one in releases if one["decision_id"] == item), {})


def _unread(said: dict[str, Any], record: Record, partitions: int) -> None:
    """Raises _Differs where a send that is said to be unreadable can be read."""
    fault = None
    try:
        misplaced = said["reasons"][0]["says"].get("fault", "").startswith(PARTITION_WRONG)
        taken(record, partitions if misplaced else None)
    except Unreadable as unreadable:
        fault = dict(invalid(unreadable).says)
    says = said["reasons"][0]["says"]
    if said["reasons"][0]["code"] == "EVENT_INVALID" and says != fault:
        raise _Differs("reasons[0].says", told(says), told(fault))
