"""The people who act in the demo: two managers, the person at the console, and the console itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from gatekeeper.demo.business import MANAGERS
from gatekeeper.ground.errors import IncompleteError
from gatekeeper.ground.settings import Settings
from gatekeeper.staff import person_keys
from gatekeeper.staff.person_keys import PersonKey
from gatekeeper.staff.roles import wanted
from schemas.codec import encode
from schemas.events import Staff
from schemas.events.staff import StaffKey, StaffRole
from streams.client.outgoing import Outgoing
from streams.client.publisher import Publisher
from streams.client.signatory import PersonSignatory, Signed, Unsigned

VISITOR = "demo"
"""The person at the console, who may do everything that one person may do."""
CONSOLE = "console"
_REQUEST = b'"kind":"request_received"'
ROLES: Mapping[str, tuple[StaffRole, ...]] = {
    **dict.fromkeys(MANAGERS, ("manager",)),
    VISITOR: ("reviewer", "approver", "manager", "auditor"),
    CONSOLE: ("console",),
}


class Colleagues:
    """Everybody in ROLES with a new key, registered by the records of `gatekeeper init` and `gatekeeper staff add`.

    As a signatory it lets as many managers sign a record of `reference` as it needs. One signs a person's request.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        """Makes the key files in `folder`; raises UnavailableError (3) if it cannot be written."""
        self.folder = folder
        made = {id_: person_keys.make(folder, id_, "k1") for id_ in ROLES}
        self.key_files = {id_: str(file) for id_, (_, file) in made.items()}
        """The path of each key file, by id."""
        self._settings = settings
        self._keys = {id_: key for id_, (key, _) in made.items()}
        self._managers = [PersonSignatory(self._keys[id_], settings.group) for id_ in MANAGERS]

    def register(self) -> None:
        """Writes the first manager, whom nobody signs, then the second, and then all others, whom both sign.

        Raises UnavailableError (3) without a broker, IncompleteError (5) without an acknowledgement.
        """
        first, second, *others = (_record(id_, self._keys[id_]) for id_ in ROLES)
        records = [first, second, self._managers[0].endorse(second), *others, *self.sign(others).behind]
        with Publisher(self._settings, "reference", Unsigned()) as publisher:
            if lost := publisher.send(records).count(None):
                raise IncompleteError("demo.unacknowledged", topic="reference", count=lost)

    def sign(self, records: Sequence[Outgoing]) -> Signed:
        """The records with the signatures that they need. Those of `reference` stand behind them."""
        first = self._managers[0]
        signed = [first.sign([record]).records[0] if _REQUEST in record.value else record for record in records]
        referred = [record for record in records if record.topic == "reference"]
        return Signed(signed, [manager.endorse(record) for record in referred for manager in self._needed(record)])

    def _needed(self, record: Outgoing) -> Sequence[PersonSignatory]:
        entry = orjson.loads(record.value)
        return self._managers if entry["kind"] == "staff" or wanted(entry) else self._managers[:1]


def _record(id_: str, key: PersonKey) -> Outgoing:
    method = "console" if id_ == CONSOLE else "key"
    staff_key = StaffKey.model_validate({"id": key.key, "method": method, "public": key.public})
    member = Staff(v=1, kind="staff", id=id_, roles=ROLES[id_], keys=(staff_key,))
    return Outgoing("reference", f"staff/{id_}".encode(), encode(member))
