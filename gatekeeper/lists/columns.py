"""The column map: the shape of an event, with columns of a list in place of its values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from unicodedata import normalize

from gatekeeper.lists.cells import Read
from schemas.values import Channel


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that is the same for every row."""

    value: Any


@dataclass(frozen=True, slots=True)
class Cell:
    """A value from one column.

    `values`: the allowed cells with their meanings; None = any. `absent`: cells that stand for an absent field.
    `skip`: cells whose rows are skipped. `prefix`, `suffix`: text put around each cell before it is read.
    """

    column: str
    read: Read
    values: Mapping[str, Any] | None = None
    absent: frozenset[str] = frozenset({""})
    skip: frozenset[str] = frozenset()
    prefix: str = ""
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Contact:
    """A token, made from the columns of a name and address, of an e-mail address, or of a telephone number."""

    channel: Channel
    name: str | None = None
    postcode: str | None = None
    lines: tuple[str, ...] = ()
    email: str | None = None
    phone: str | None = None

    @property
    def places(self) -> tuple[str, ...]:
        """The columns of the contact value, without the name; if all are empty, the row has no contact value."""
        return tuple(column for column in (*self.lines, self.postcode, self.email, self.phone) if column)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that the token reads."""
        return (*self.places, self.name) if self.name else self.places


Node = Constant | Cell | Contact | dict[str, "Node"] | list["Node"]


ID_OF = {"sources": "source_id", "consents": "record_id", "suppressions": "suppression_id"}
"""The field of an event's id, by topic; it is filled in if no column feeds it."""


@dataclass(frozen=True)
class ColumnMap:
    """Map from a row to an event of `topic`.

    `root`: the shape of the event. `needs`: pairs of a field's path and a column that it needs.
    `column_of`: the column of each field by the field's path (`check.basis`), for rejections.
    """

    topic: str
    root: dict[str, Node]
    needs: tuple[tuple[str, str], ...]
    column_of: Mapping[str, str] = field(default_factory=dict)

    @property
    def makes_tokens(self) -> bool:
        """Tells whether the map makes tokens, for which a key is needed."""
        return any(isinstance(node, Contact) for _, node in leaves(self.root))

    @property
    def ids_made(self) -> tuple[str, ...]:
        """The ids that no column gives, by the path of the field. They are made, for which a key is needed."""
        fed = [path for path, node in leaves(self.root) if isinstance(node, Contact) and not self._has_id(path)]
        points = [path.rpartition(".")[0] + ".id" for path in fed]
        name, kind = ID_OF.get(self.topic), self.root.get("kind")
        other = isinstance(kind, Constant) and kind.value != "consent"
        return (*(() if name is None or name in self.root or other else (name,)), *points)

    def _has_id(self, path: str) -> bool:
        """True if the part of the map with this contact has an id, or is the event itself."""
        point, _, _ = path.rpartition(".")
        return not point or any(other == f"{point}.id" for other, _ in leaves(self.root))

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All values that come from a single column."""
        return tuple(node for _, node in leaves(self.root) if isinstance(node, Cell))

    @property
    def contact_column(self) -> str:
        """The first column of a contact value, "" without one."""
        return next((node.places[0] for _, node in leaves(self.root) if isinstance(node, Contact)), "")


def alike(cell: str) -> str:
    """A cell in the form used for comparison: NFKC, without space around it."""
    return normalize("NFKC", cell).strip()


def leaves(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """Yields the leaves of a map (constants, cells and contacts), each with the path of its field."""
    if isinstance(node, dict | list):
        inner = node.items() if isinstance(node, dict) else enumerate(node)
        for key, child in inner:
            yield from leaves(child, f"{path}.{key}" if path else str(key))
    else:
        yield path, node
