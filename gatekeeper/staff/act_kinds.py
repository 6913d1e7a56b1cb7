"""The kinds of acts, one row each. Worker, commands and console read permission, signers, fields and preview here.

To add a kind, add it to `schemas.events.acts`, and add its row here. Add its handler to `gatekeeper.engine.acts`, and
its texts `do_KIND` and `name_KIND` to `texts/act_kind.toml`. An act of the page `/manage` also has a plan in
`gatekeeper.console.orders`, and a text `form_KIND`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.texts import Language, catalogue, text
from gatekeeper.staff.roles import VIEWS
from schemas.values import Model

AnyAct = TypeVar("AnyAct", bound=Model)

About = Literal["item", "person", "controller", "batch", "policy", "clearance", "campaign", "topic", "partition"]
State = Literal["open", "proposed", "upheld", "asked", "released", "redecided", "undone"]
"""State of an item. `proposed`: one of two required people released it. `undone`: its release was taken back."""
Field = Literal["reason", "evidence", "since", "until", "suspends", "and_by"]
Preview = Literal["items", "reach", "erasure", "proposal", "clearances", "losses", "skips"]
"""The view before an act. It shows items of a filter, the reach of a list, stops of a person, or a changed policy.

Commands alone show the clearances of a campaign, the lost pieces, and the records that a partition skips.
"""

DESK = frozenset(("reviewer", "approver", "manager"))
SECOND = frozenset(("approver", "manager"))
MANAGER = frozenset(("manager",))
OPTIONS = {"act_id": "--run", "by": "--by", "reason": "--reason", "evidence_ref": "--evidence"}
"""Options of commands, by the field of the act."""
NO_PROPOSAL, NOT_DONE = "nothing_to_approve", "nothing_to_undo"
WHY: tuple[Field, ...] = ("reason", "evidence")


@dataclass(frozen=True, slots=True)
class ActKind:
    """A kind of act.

    `about`: its subject. `roles`: one of them is needed. `signers`: number of people who sign, at most. `vouched`: the
    console's word is enough where one person signs. `command`: the words after `gatekeeper`, '' without a command.

    `fields`: those that its form and its command take. `needs_reason`: its reason must not be empty. `preview`: the
    view before it, None without one. `key`: its key on pages, '' without one. `erasure`: it makes or ends an erasure,
    so its person is kept nowhere.

    Of an act about an item, `states`: those in which it is allowed, None if it is only recorded. `closed`: code of its
    refusal in another state. `late`: it is possible after the mail date. `lets_out`: it can let mail out.
    `undoable`: an undo takes it back.
    """

    about: About
    roles: frozenset[str]
    command: str = ""
    fields: tuple[Field, ...] = WHY
    _: KW_ONLY
    signers: int = 1
    vouched: bool = True
    needs_reason: bool = False
    preview: Preview | None = None
    key: str = ""
    erasure: bool = False
    states: frozenset[State] | None = None
    closed: str = "closed"
    late: bool = False
    lets_out: bool = False
    undoable: bool = False


def _on_item(verb: str, key: str, *states: State, roles: frozenset[str] = DESK, **more: Any) -> ActKind:
    """The row of an act of `gatekeeper review`, which is done on one item or on all of a filter."""
    return ActKind("item", roles, f"review {verb}", key=key, preview="items", states=frozenset(states) or None, **more)


ACT_KINDS: Mapping[str, ActKind] = {
    "uphold": _on_item("uphold", "u", "open", "asked", "proposed", needs_reason=True, late=True, undoable=True),
    "ask": _on_item("ask", "a", "open"),
    "redecide": _on_item("redecide", "d", "open", "asked", "proposed", "undone"),
    "undo": _on_item("undo", "z", "proposed", "upheld", "released", needs_reason=True, closed=NOT_DONE, late=True),
    "note": _on_item("note", "n", needs_reason=True, late=True),
    "claim": ActKind("item", DESK, key="c", late=True),
    "reveal": ActKind("item", DESK, fields=(), late=True),
    "release": _on_item("release", "r", "open", "asked", signers=2, needs_reason=True, lets_out=True, undoable=True),
    "approve": _on_item(
        "approve", "p", "proposed", roles=SECOND, vouched=False, closed=NO_PROPOSAL, lets_out=True, undoable=True
    ),
    "withdraw": ActKind("person", DESK, "withdraw"),
    "erase": ActKind("person", SECOND, "erase", needs_reason=True, preview="erasure", erasure=True),
    "readmit": ActKind("person", MANAGER, "readmit", vouched=False, needs_reason=True, erasure=True),
    "suspend": ActKind("controller", MANAGER, "suspend", (*WHY, "since", "until", "suspends"), needs_reason=True),
    "resume": ActKind("controller", MANAGER, "resume", needs_reason=True),
    "quarantine": ActKind("batch", MANAGER, "source quarantine", needs_reason=True, preview="reach"),
    "activate": ActKind(
        "policy", MANAGER, "policy activate", (*WHY, "since", "and_by"), signers=2, vouched=False, preview="proposal"
    ),
    "handoff": ActKind("campaign", SECOND, "handoff", ()),
    "cancel": ActKind("campaign", SECOND, "campaign cancel", needs_reason=True, preview="clearances"),
    "reemit": ActKind("clearance", MANAGER, "audit reemit", ("reason",), preview="losses"),
    "reveal_topic": ActKind("topic", SECOND, "tail", ()),
    "resume_partition": ActKind(
        "partition",
        MANAGER,
        "partition resume",
        ("reason",),
        signers=2,
        vouched=False,
        needs_reason=True,
        preview="skips",
    ),
}
"""Every kind of act, in the order of buttons. Where two people sign, each also needs a signature of their own."""

ERASURES = frozenset(kind for kind, row in ACT_KINDS.items() if row.erasure)
"""Kinds of acts whose person is kept nowhere."""


def having(right: str) -> frozenset[str]:
    """The roles that have a right: an act, or a view of VIEWS; raises LookupError for anything else."""
    return VIEWS[right] if right in VIEWS else ACT_KINDS[right].roles


def valid(model: type[AnyAct], fields: Mapping[str, Any]) -> AnyAct:
    """The act with these fields; raises UsageError (2) with the option or the argument at fault, never its value."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False)[0]
        field = str(first["loc"][0]) if first["loc"] else "subject"
    if field == "recipient_id":
        raise UsageError("error.recipient_invalid")
    options = {**OPTIONS, "subject": ACT_KINDS[fields["kind"]].about.upper()}
    raise UsageError("error.option_invalid", option=options.get(field, field))


def act_name(kind: str, lang: Language | None = None) -> str:
    """A kind of act in words; the kind itself if this version does not know it."""
    return text(f"act_kind.name_{kind}", lang) if f"act_kind.name_{kind}" in catalogue() else kind
