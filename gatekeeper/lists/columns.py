"""The column map: an event's shape, with the columns of a list in the places of its values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from unicodedata import normalize

from gatekeeper.lists.cells import Read
from schemas.values import Channel


@dataclass(frozen=True, slots=True)
class Constant:
    """The same value for every row."""

    value: Any


@dataclass(frozen=True, slots=True)
class Cell:
    """A value from one column. `values`: what its cells may be, and mean; `skip`: cells of rows that say nothing."""

    column: str
    read: Read
    values: Mapping[str, Any] | None = None
    absent: frozenset[str] = frozenset({""})
    skip: frozenset[str] = frozenset()
    prefix: str = ""
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Contact:
    """A token, made from the columns that a name and address, a mailbox or a number stand in."""

    channel: Channel
    name: str | None = None
    postcode: str | None = None
    lines: tuple[str, ...] = ()
    email: str | None = None
    phone: str | None = None

    @property
    def places(self) -> tuple[str, ...]:
        """The columns that say where the person is to be reached; all empty, there is no contact value."""
        return tuple(each for each in (*self.lines, self.postcode, self.email, self.phone) if each)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read."""
        return (*self.places, self.name) if self.name else self.places


Node = Constant | Cell | Contact | dict[str, "Node"] | list["Node"]


@dataclass(frozen=True)
class ColumnMap:
    """How a row becomes an event of `topic`: its root, and the columns that it needs with the key that names each.

    `column_of`: by a field's path (`check.basis`) the column that feeds it, for a rejection to name.
    """

    topic: str
    root: dict[str, Node]
    needs: tuple[tuple[str, str], ...]
    column_of: Mapping[str, str] = field(default_factory=dict)

    @property
    def makes_tokens(self) -> bool:
        """Whether a key is needed."""
        return any(isinstance(node, Contact) for _, node in leaves(self.root))

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All values that come from one column."""
        return tuple(node for _, node in leaves(self.root) if isinstance(node, Cell))

    @property
    def contact_column(self) -> str:
        """The first column of a contact value, "" where there is none."""
        return next((node.places[0] for _, node in leaves(self.root) if isinstance(node, Contact)), "")


def alike(cell: str) -> str:
    """A cell as it is compared: without space around it, and one width."""
    return normalize("NFKC", cell).strip()


def leaves(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """Yields what feeds or is a value, each with the path of its field."""
    if isinstance(node, dict | list):
        inner = node.items() if isinstance(node, dict) else enumerate(node)
        for key, each in inner:
            yield from leaves(each, f"{path}.{key}" if path else str(key))
    else:
        yield path, node
