"""The event of a row, with values from the cells by the map, and the fields that it may omit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from hmac import digest
from itertools import chain
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gatekeeper.identity import SURE, Identified, Tokens
from gatekeeper.identity.stop_events import Stated, rejected_stop, stated, stops_of
from gatekeeper.lists.cells import UnfitRow
from gatekeeper.lists.columns import ID_OF, Cell, ColumnMap, Constant, Contact, Node, alike
from schemas.codec import canonical
from schemas.events import GIVEN_STATES, Delivery
from schemas.values import Channel, Line

_DATE_OF = {"consents": "recorded_at", "suppressions": "received_at"}
"""The field of an event's recording time, by topic; it is filled in if no column feeds it."""
_ADDED = ("suppressions", "recorded_at")
_ABSENT = object()
_TEXT = TypeAdapter(Line)


class EventMaker:
    """Maker of events from rows, for one column map.

    `tokens`: None only if the map makes no tokens. `id_key`: for the ids of rows without an id of their own; without it
    such a row is unfit. `list_date`: the date of the list, for rows without a date of their own.
    """

    def __init__(self, columns: ColumnMap, tokens: Tokens | None, id_key: bytes | None, list_date: str) -> None:
        self._map = columns
        self._tokens = tokens
        self._id_key = id_key
        self._id_tokens = Tokens({1: id_key}) if id_key else None
        self._under_id_key: dict[str, str] = {}
        """The row's tokens as the key of ids makes them, which never changes."""
        self._list_date = list_date
        self._stated: Stated | None = None
        """The people whom the row's stop binds by name and address."""
        self._unbound_column = ""
        self._everybody = columns.root.get("whole_address") == Constant(True)
        self._skips = [(cell.column, cell.skip) for cell in columns.cells if cell.skip]

    def events(self, cells: Mapping[str, str]) -> list[dict[str, Any]]:
        """The events of a row by its cells, none for a row to be skipped; raises UnfitRow.

        There are several for a stop of several people.
        """
        self._under_id_key.clear()
        self._stated = None
        if any(alike(cells[column]) in skip for column, skip in self._skips):
            return []
        event = self._completed(self._root(cells))
        return stops_of(event, self._stated) if self._stated else [event]

    def duty(self, cells: Mapping[str, str], cause: str) -> dict[str, Any] | None:
        """The rejected stop of a row that is unfit, so that somebody mends the row; None without an id."""
        if self._map.topic != "suppressions":
            return None
        if (stop := self._stated) and stop.bound and stop.cause == cause:
            with suppress(UnfitRow):  # a row without an id
                return rejected_stop(self._completed(self._object(self._map.root, cells)), cause, stop)
        said: dict[str, Any] = {}
        for name in ("suppression_id", "kind", "received_at", "scope", "register_id"):
            node = self._map.root.get(name)
            with suppress(UnfitRow):
                value = _ABSENT if node is None else self._filled(node, cells)
                said |= {name: value} if value is not _ABSENT else {}
        if "suppression_id" not in said:
            if self._id_key is None:
                return None
            said["suppression_id"] = self._row_id([*cells.items()])
        return rejected_stop({"kind": "objection", "received_at": self._list_date, **said}, cause)

    def _root(self, cells: Mapping[str, str]) -> dict[str, Any]:
        made = self._object(self._map.root, cells)
        if self._stated and self._stated.cause and "recipient_id" not in made:
            raise UnfitRow(self._stated.cause, self._unbound_column)
        # a source without contact point would cover all of them; a suppression without person or token stops nobody
        for name, other in (("contact_points", ""), ("token", "recipient_id")):
            if name in self._map.root and name not in made and other not in made:
                raise UnfitRow("contact_missing", self._map.contact_column)
        return made

    def _completed(self, made: dict[str, Any]) -> dict[str, Any]:
        """The event with the fields that its row may omit: version, kind, method, id and date."""
        topic = self._map.topic
        event: dict[str, Any] = {"v": 1, **({"kind": "consent"} if topic == "consents" else {}), **made}
        if topic == "consents":
            if event["kind"] != "consent":
                return event
            event = {"method": "import", "expressed_by": "import", **event}
            if event.get("state") in GIVEN_STATES and not self._says_method(event):
                event["method"] = "import"
        name, date = ID_OF.get(topic, ""), _DATE_OF.get(topic, "")
        if name and name not in event:
            # a list that is imported again with the time of its recording has the same ids
            event[name] = self._id({key: said for key, said in event.items() if (topic, key) != _ADDED})
        if date and date not in event:
            event[date] = self._list_date
        return event

    def _id(self, event: Mapping[str, Any]) -> str:
        """The id of a row without one.

        A repeated row has the same id, and without the key the id reveals nothing of the row.
        """
        if self._id_key is None:
            raise UnfitRow("id_missing", "")
        return self._row_id(self._of_any_key(event))

    def _row_id(self, said: Any) -> str:
        return f"row-{digest(self._id_key or b'', canonical(said), 'sha256').hex()[:40]}"

    def _of_any_key(self, node: Any) -> Any:
        """A part of the event without what tokens add, and with tokens that do not depend on the token keys."""
        if isinstance(node, list):
            return [self._of_any_key(part) for part in node]
        if not isinstance(node, Mapping):
            return node
        made = node.get("token") in self._under_id_key
        of_key = ("readings", "beside", "further", "channel", "row", "lacks") if made else ()
        parts = {name: self._of_any_key(part) for name, part in node.items() if name not in of_key}
        return {**parts, "token": self._under_id_key[node["token"]]} if made else parts

    def _point_id(self, token: str) -> str:
        """The id of a contact point without one: the same for the same contact value (rule 7.4.18)."""
        if self._id_key is None:
            raise UnfitRow("id_missing", "")
        return f"cp-{digest(self._id_key, self._under_id_key[token].encode(), 'sha256').hex()[:40]}"

    def _says_method(self, event: Mapping[str, Any]) -> bool:
        """True if a row itself says how its yes was given, and has evidence of it (rule 7.1.10)."""
        return isinstance(self._map.root.get("method"), Cell) and "evidence_ref" in event

    def _filled(self, node: Node, cells: Mapping[str, str]) -> Any:
        if isinstance(node, Constant):
            return node.value
        if isinstance(node, Cell):
            return _cell(node, cells[node.column])
        if isinstance(node, list):
            parts = [self._filled(child, cells) for child in node]
            return [part for part in parts if part is not _ABSENT] or _ABSENT
        if isinstance(node, dict):
            return self._object(node, cells) or _ABSENT
        raise TypeError(node)

    def _object(self, node: dict[str, Node], cells: Mapping[str, str]) -> dict[str, Any]:
        """The part of the event with its values from the row. Empty if the row has no value or no contact for it."""
        fields: dict[str, Any] = {}
        filled = False
        for key, child in node.items():
            if isinstance(child, Contact):
                contact = self._known(child, cells)
                if contact is None and node is not self._map.root:
                    return {}
                fields.update(contact or {})
                if contact and node is not self._map.root:
                    fields.setdefault("channel", child.channel)
                if contact and node is not self._map.root and "id" not in node:
                    fields["id"] = self._point_id(contact["token"])
            elif (value := self._filled(child, cells)) is not _ABSENT:
                fields[key] = value
            else:
                continue
            filled = filled or not isinstance(child, Constant)
        return fields if filled or node is self._map.root else {}

    def _known(self, contact: Contact, cells: Mapping[str, str]) -> dict[str, Any] | None:
        """The token of a contact value with its readings; None if the row has no contact value."""
        parts = {column: " ".join(cells[column].split()) for column in contact.columns}
        if not any(parts[column] for column in contact.places):
            return None
        for column, part in parts.items():
            try:
                _TEXT.validate_python(part)
            except ValidationError:
                raise UnfitRow("contact_unreadable", column) from None
        delivery = Delivery(
            name=parts.get(contact.name or "") or "-",
            postcode=parts.get(contact.postcode or "") or None,
            lines=tuple(parts[column] for column in contact.lines if parts[column]),
            email=parts.get(contact.email or "") or None,
            phone=parts.get(contact.phone or "") or None,
        )
        if self._map.topic == "suppressions" and self._tokens is not None:
            return self._stop(self._tokens, contact, delivery)
        tokens = self._identified(self._tokens, contact.channel, delivery)
        if tokens is None:
            raise UnfitRow("contact_unreadable", contact.places[0])
        same = [(token, SURE) for token in tokens.same]
        readings = [{"token": token, "score": score} for token, score in (*same, *tokens.readings)]
        if named := self._identified(self._id_tokens, contact.channel, delivery):
            self._under_id_key[tokens.token] = named.token
        more: dict[str, Sequence[Any]] = {"readings": readings}
        if self._map.topic == "sources":
            more |= {"beside": [*chain(*tokens.beside)], "further": tokens.given}
        return {"token": tokens.token, **{name: values for name, values in more.items() if values}}

    def _stop(self, tokens: Tokens, contact: Contact, delivery: Delivery) -> dict[str, Any]:
        """The tokens of the first person whom a stop names; {} where it can bind nobody by name and address."""
        self._stated = stop = stated(tokens, contact.channel, delivery, everybody=self._everybody)
        if stop.cause == "name_missing" and contact.name:
            self._unbound_column = contact.name
        else:
            self._unbound_column = contact.places[0]
        if not stop.bound:
            return {}
        first = stop.bound[0]
        if named := self._identified(self._id_tokens, contact.channel, delivery):
            self._under_id_key[first.token] = named.token
        return {"token": first.token, "readings": [{"token": token, "score": score} for token, score in first.readings]}

    def _identified(self, tokens: Tokens | None, channel: Channel, delivery: Delivery) -> Identified | None:
        """The tokens of a contact value; of its address without the name if the list stops whole addresses."""
        if tokens is None:
            return None
        return tokens.whole_address(delivery) if self._everybody else tokens.of(channel, delivery)


def _cell(node: Cell, text: str) -> Any:
    spelling = alike(text)
    if node.values is not None and spelling in node.values:
        return node.values[spelling]
    if spelling in node.absent:
        return _ABSENT
    if node.values is not None:
        raise UnfitRow("value_unknown", node.column)
    try:
        return node.read(f"{node.prefix}{text}{node.suffix}")
    except UnfitRow as unfit:
        raise UnfitRow(unfit.cause, node.column) from None
