"""Check before publication: each line against the contract, and a send against the reference data as well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple, get_args, get_origin

import msgspec

from gatekeeper.audit.records import masking
from gatekeeper.deciding.case import Case
from gatekeeper.deciding.facts import CERTAIN, Facts
from gatekeeper.deciding.reference import Reference
from gatekeeper.deciding.rules import system
from gatekeeper.deciding.rules.message_class import grounds
from gatekeeper.engine.sends import INVALID
from gatekeeper.ground import times
from gatekeeper.ground.texts import Language, text
from gatekeeper.identity import Identified, given_mark, key_of, printed
from gatekeeper.knowledge.token_keys import uncompared
from gatekeeper.lists.cells import alternatives, inside
from gatekeeper.policy.packs import Packs
from schemas.codec import Unreadable, decode
from schemas.events import Send, Suppression
from schemas.topics import CLEARED_DAYS, DAY_MS
from schemas.values import Model

FEW = 20
"""Most allowed values listed in full; if there are more, only similar ones are listed."""
LIKE = 3
"""Most similar values listed."""
_NO_FACTS = Facts((), (), (), frozenset(), (), b"{}")
_BY_POLICY = ("mail_date", "mail_date_past", "delivery")
"""Cases of EVENT_INVALID that depend on the policy in force."""
_SEPARATORS = (b",", b";", b"\t")


class Hint(NamedTuple):
    """The allowed values at a fault's place, as a sentence: its key in the catalogue, and ids, codes and days."""

    key: str
    values: Mapping[str, str]

    def text(self, language: Language | None = None) -> str:
        """The hint as a sentence, in the reader's language if none is given."""
        return text(self.key, language, **self.values)


class LineFault(NamedTuple):
    """Cause for which a line is not published: a key of texts/fault.toml, the field ("" for none), and a hint."""

    fault: str
    field: str
    hint: Hint | None = None

    def sentence(self, language: Language | None = None) -> str:
        """The fault with its hint, in the reader's language if none is given."""
        says = text(f"fault.{self.fault}", language)
        return text("publish.says", language, fault=says, hint=self.hint.text(language)) if self.hint else says


class Publication:
    """Checker of values for `topic`.

    `reference`, `packs`: the data that sends are checked against at the instant `at` (milliseconds since the epoch).
    Without them only the contract is checked. `keys`: the names of the token keys at hand. A stop that none of them can
    compare is refused, as it would bind nobody and withhold many. Without any key, no stop is.
    """

    def __init__(
        self,
        topic: str,
        *,
        reference: Reference | None = None,
        packs: Packs | None = None,
        at: int = 0,
        keys: Collection[str] = (),
    ) -> None:
        self.topic = topic
        self._keys = keys
        self._reference, self._packs, self._at = reference, packs, at

    def read(self, value: bytes, *, made: bool = False) -> Any | LineFault:
        """The value as its topic's model, or the fault for which it is refused; no content of a value raises.

        `made`: the gate itself made the value of a name and address.
        A send is refused if the gate would find it EVENT_INVALID, or if its template is not registered.
        """
        if self.topic == "suppressions" and not made and (mark := given_mark(value)):
            return LineFault("row_given", mark)
        try:
            model = decode(self.topic, None, value)
        except Unreadable as fault:
            return LineFault(fault.fault, fault.place, _by_contract(fault) if self.topic == "sends" else None)
        if isinstance(model, Suppression) and (lacks := self._lacking(model)):
            values = {"written": ", ".join(lacks), "values": ", ".join(sorted(self._keys))}
            return LineFault("token_key_unknown", "token", Hint("publish.allowed", values))
        if self._reference is None or self._packs is None:
            return model
        return self._refused(model, self._reference, self._packs) or model

    def _lacking(self, stop: Suppression) -> list[str]:
        if not self._keys or stop.token is None:
            return []
        same = [reading.token for reading in stop.readings if reading.score == CERTAIN]
        return uncompared(Counter(map(key_of, (stop.token, *same))), self._keys)

    def _refused(self, send: Send, reference: Reference, packs: Packs) -> LineFault | None:
        governing = packs.deciding(send.contact_point.country, self._at)
        at_point = printed(None, send)  # without a key, only what the delivery lacks can be told
        facts = msgspec.structs.replace(_NO_FACTS, printed=None if isinstance(at_point, Identified) else at_point)
        case = Case.of(send, facts, reference, governing or packs.at(self._at), self._at * 1000)
        for reason in system.invalid(case) or system.undelivered(case):
            kind = reason.says["case"]
            unregistered = kind == "class_not_registered" and case.template(send.template_id) is None
            if (governing is not None or kind not in _BY_POLICY) and not unregistered:
                return LineFault(*INVALID[kind], self._hint(kind, case))
        if case.template(send.template_id) is None:
            return LineFault("template_unknown", "template_id", self._hint("template", case))
        return None

    def _hint(self, kind: str, case: Case) -> Hint | None:
        """The written value and the allowed ones; None for other cases."""
        send, reference = case.send, case.reference
        if kind == "controller":
            return _instead(send.controller_id, reference.controllers)
        if kind == "template":
            return _instead(send.template_id, reference.templates)
        if kind in ("purpose", "purpose_near"):
            return _instead(send.purpose, reference.purposes.registered)
        if kind == "purpose_not_of_controller":
            ours = [
                code
                for code, entry in reference.purposes.registered.items()
                if entry.purpose.controllers is None or send.controller_id in entry.purpose.controllers
            ]
            return _instead(send.purpose, ours)
        if kind == "class_not_registered":
            classes = case.reference.templates[send.template_id].display_ok
            return _instead(send.message_class, [name for name, by in classes.items() if send.channel in by])
        if kind == "ground_missing":
            return Hint("publish.values", {"values": ", ".join(grounds(send.message_class))})
        if kind == "ground_unknown":
            return _instead(str(send.ground), reference.grounds)
        if kind in ("mail_date", "mail_date_past"):
            last = self._at + (CLEARED_DAYS - 1) * DAY_MS  # a day counts up to its end
            first, last_day = (times.day(at * 1000, case.policy.timezone) for at in (self._at, last))
            return Hint("publish.days", {"day": case.day(str(send.mail_date)), "first": first, "last": last_day})
        return None


def is_table(line: bytes) -> bool:
    """Tells whether a file's first line is not JSON and has commas, semicolons or tabs, as a table has."""
    return not line.lstrip().startswith((b"{", b"[")) and any(sign in line for sign in _SEPARATORS)


def _instead(written: str, known: Collection[str]) -> Hint | None:
    if not known:
        return Hint("publish.none_registered", {"written": masking.word(written)})
    if len(known) <= FEW:
        return Hint("publish.allowed", {"written": masking.word(written), "values": ", ".join(sorted(known))})
    if like := get_close_matches(written, sorted(known), LIKE):
        return Hint("publish.like", {"written": masking.word(written), "values": ", ".join(like)})
    return Hint("publish.none_like", {"written": masking.word(written), "count": f"{len(known):,}"})


def _by_contract(fault: Unreadable) -> Hint | None:
    """The values or fields that the contract of sends allows at a fault's place; None if it lists none."""
    hint: Any = Send
    for part in fault.place.split(".") if fault.place else ():
        hint = inside(hint, part)
    kinds = list(alternatives(hint)) if hint is not None else []
    if fault.fault == "field_unknown":
        fields = [
            name for kind in kinds if isinstance(kind, type) and issubclass(kind, Model) for name in kind.model_fields
        ]
        return Hint("publish.fields", {"values": ", ".join(fields)}) if fields else None
    values = [str(value) for kind in kinds if get_origin(kind) is Literal for value in get_args(kind)]
    return Hint("publish.values", {"values": ", ".join(values)}) if values else None
