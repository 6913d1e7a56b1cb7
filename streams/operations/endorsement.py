"""The records of `reference` that count, and the people whose signatures make them count."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal, NamedTuple

import orjson

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.ground.texts import Language, text
from gatekeeper.knowledge.reference_log import Counted, ReferenceLog
from gatekeeper.staff import roles
from gatekeeper.staff.message import fingerprint
from gatekeeper.staff.roster import Member
from schemas.codec import Unreadable, decode, encode
from schemas.events import Batch, Campaign, Controller, Notice, Purpose, Staff
from schemas.record import Record
from schemas.topics import subject_key
from schemas.values import ID_PATTERN
from streams.client import signatory
from streams.client.outgoing import Outgoing
from streams.client.publisher import RecordMetadata, transact
from streams.client.reader import Reader
from streams.client.signatory import Unsigned

SigningState = Literal["waiting", "lone", "unsigned"]


class Endorsable(NamedTuple):
    """A record of `reference` that somebody may sign: its name KIND/ID, offset and bytes.

    `waiting`: it counts once enough managers signed. `lone`: it counts, and a second manager signs it, too. `unsigned`:
    it counts, because it is older than the first person.
    `signers`: the people who signed it. `named`: the people whom it names as its authors, who must all sign. `fault`:
    the code of a signature just given that counts for nothing, None without one.
    """

    name: str
    state: SigningState
    offset: int
    value: bytes
    signers: tuple[str, ...]
    named: tuple[str, ...]
    fault: str | None = None

    @property
    def outgoing(self) -> Outgoing:
        """The record as it stands, for whoever signs it."""
        return Outgoing("reference", self.name.encode(), self.value)

    def called(self, lang: Language) -> str:
        """The name in words that the record gives; KIND/ID without one."""
        content = orjson.loads(self.value)
        return str(content.get("name") or content.get(f"name_{lang}") or self.name)


class Counting(NamedTuple):
    """A record of `reference` that counts, as read and as it stands."""

    model: Any
    record: Record


@dataclass(slots=True)
class Endorsed:
    """The records of `reference`, as a worker folds them.

    `log`: its result. `newest`: the last record that counts, by name KIND/ID.
    """

    log: ReferenceLog
    newest: dict[str, Counting] = field(default_factory=dict)
    _by_content: dict[tuple[str, str], Counting] = field(default_factory=dict)  # the last one, by name and hash
    _by_offset: dict[int, Counting] = field(default_factory=dict)

    def take(self, record: Record) -> Counted | None:
        """Takes the next record, as `ReferenceLog.take` does; one that cannot be read does not count."""
        try:
            model = decode("reference", record.key, record.value)
            name = subject_key("reference", model)
            read = self._by_offset[record.offset] = Counting(model, record)
            self._by_content[name, sha256(record.value or b"").hexdigest()] = read
            counted = self.log.take(record, model)
        except Unreadable:
            return None
        if counted:
            name = subject_key("reference", counted.model)
            self.newest[name] = self._by_content[name, sha256(counted.value).hexdigest()]
        return counted

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """The records of one kind that count, by id: a controller, batch, campaign, notice or purpose."""
        models = (counting.model for counting in self.newest.values())
        records = (model.model_dump(mode="json") for model in models if model.kind == kind)
        return sorted(records, key=lambda record: str(record["id"]))

    def names(self, lang: Language) -> dict[str, str]:
        """The names of controllers, lists, forms, campaigns and purposes by kind/id; of purposes in that language.

        The words of a controller's notices for a purpose are named purpose/controller/code. A campaign's code follows a
        name that another one has, or that may be the code of another one.
        """
        return names((counting.model for counting in self.newest.values()), lang)

    @property
    def founded(self) -> bool:
        """True once the log has people."""
        return self.log.roster.began is not None

    @property
    def everybody(self) -> list[Staff]:
        """The newest record that counts about each person, and about the console, by id."""
        models = (counting.model for counting in self.newest.values())
        return sorted((model for model in models if isinstance(model, Staff)), key=lambda model: model.id)

    def person(self, id_: str) -> Staff | None:
        """The newest record that counts about a person or the console, None without one."""
        return next((staff for staff in self.everybody if roles.person(staff.id) == roles.person(id_)), None)

    def fault(self, name: str, since: int) -> str | None:
        """The code of the newest signature of a record, from an offset on, that counts for nothing; else None."""
        codes = [
            signature.code
            for signature in self.log.endorsements.refused
            if signature.of == name and signature.order[1] >= since
        ]
        return codes[-1] if codes else None

    def waiting(self, name: str, offset: int) -> Endorsable | None:
        """The record that waits with the content of the one at this offset, None if that counts.

        The same content written twice waits once, at its first offset.
        """
        written = self._by_offset.get(offset)  # a broker under load shows a committed record a little later
        value = written.record.value if written else None
        rows = (row for row in self.endorsable() if (row.name, row.state, row.value) == (name, "waiting", value))
        return next((row._replace(fault=self.fault(name, offset)) for row in rows), None)

    def endorsable(self) -> list[Endorsable]:
        """The records that wait for a signature, those that lack a second one, and the unsigned; each by offset."""
        states, rows = self.log.endorsements, list[Endorsable]()
        for _, (_, offset), signers in states.waiting:
            rows.append(_row(self._by_offset[offset], "waiting", signers))
        for lone in states.lone:
            if lone.signers:
                rows.append(_row(self._by_offset[lone.order[1]], "lone", lone.signers))
        older = [_row(self._by_content[content], "unsigned", ()) for content in states.unsigned.items()]
        return rows + sorted(older, key=lambda row: row.offset)


def names(models: Iterable[Any], lang: Language) -> dict[str, str]:
    """The names that these records give, as `Endorsed` tells them."""
    by_id, campaigns = dict[str, str](), list[Campaign]()
    for model in models:
        if isinstance(model, Batch | Controller | Notice) and model.name:
            by_id[f"{model.kind}/{model.id}"] = model.name
        if isinstance(model, Controller) and model.notice_items:
            purposes = model.notice_items.purposes.items()
            by_id |= {f"purpose/{model.id}/{code}": words for code, words in purposes}
        if isinstance(model, Purpose):
            by_id[f"purpose/{model.id}"] = model.name_ja if lang == "ja" else model.name_en
        if isinstance(model, Campaign):
            campaigns.append(model)
    times = Counter(campaign.name for campaign in campaigns)
    for campaign in campaigns:
        alone = times[campaign.name] == 1 and not re.match(ID_PATTERN, campaign.name)
        by_id[f"campaign/{campaign.id}"] = (
            campaign.name if alone else text("page.campaign_coded", lang, name=campaign.name, id=campaign.id)
        )
    return by_id


def read(reader: Reader) -> Endorsed:
    """Reads all of `reference`."""
    endorsed = Endorsed(ReferenceLog(reader.settings.group, reader.settings.founder))
    for record in reader.read("reference"):
        endorsed.take(record)
    return endorsed


def begin(settings: Settings, first: Staff) -> RecordMetadata:
    """Writes the record of the first person of a log, whom nobody can sign. Raises UsageError (2) if it has people.

    `first`: a manager for all controllers, with a key. Somebody else may still have been faster: see `demand_founder`.
    """
    with Reader(settings) as reader:
        if read(reader).founded:
            raise UsageError("error.founded")
    (place,) = transact(settings, [_outgoing(first)], signatory=Unsigned())
    return place


def demand_founder(settings: Settings, first: Staff) -> str:
    """The fingerprint of the record of the first person. Raises UsageError (2) if another record began the log."""
    with Reader(settings) as reader:
        reader.settled("reference")  # a record just committed may still be hidden from the next read
        founder = read(reader).log.endorsements.first
    if founder != fingerprint(sha256(encode(first)).hexdigest()):
        raise UsageError("error.founded_by_other", founder=founder)
    return founder


def put(settings: Settings, staff: Staff) -> RecordMetadata:
    """Writes a record of `staff`, signed by the person whose key the settings name; raises as `transact` does.

    Raises UsageError (2) for a key that another person has or had.
    """
    with Reader(settings) as reader:
        member = Member.of(staff.model_dump(mode="json", by_alias=True, exclude_none=True), 0)
        if owner := read(reader).log.roster.other_owner(member):
            raise UsageError("error.key_taken", owner=owner)
    (place,) = transact(settings, [_outgoing(staff)])
    return place


def endorse(settings: Settings, row: Endorsable) -> RecordMetadata:
    """Adds the signature of the person whose key the settings name; raises UsageError (2) without a key."""
    return add(settings, signatory.own(settings).endorse(row.outgoing))


def add(settings: Settings, signature: Outgoing) -> RecordMetadata:
    """Writes a record `signature`."""
    (place,) = transact(settings, [signature], signatory=Unsigned())
    return place


def _row(counting: Counting, state: SigningState, signers: tuple[str, ...]) -> Endorsable:
    model, record = counting
    named = tuple(sorted(roles.wanted(model.model_dump(mode="json", by_alias=True))))
    return Endorsable(subject_key("reference", model), state, record.offset, record.value or b"", signers, named)


def _outgoing(staff: Staff) -> Outgoing:
    return Outgoing("reference", f"staff/{staff.id}".encode(), encode(staff))
