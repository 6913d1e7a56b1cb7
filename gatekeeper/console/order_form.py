"""The form that confirms an act on facts: the act that it asks for, or its fault."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from pydantic import TypeAdapter, ValidationError

from gatekeeper.console.reference_view import Registered
from gatekeeper.console.typed import UNFIT, Wrong
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.texts import Language, text
from gatekeeper.ground.words import narrow
from gatekeeper.staff.act_kinds import ACT_KINDS, Field
from schemas.events import PairedAct
from schemas.values import Time
from streams.client import fact_with_act

FIELDS = (*get_args(Field), "typed")
"""Every field; an act has those of its row, and `typed`, which confirms its subject."""
DATES: tuple[Field, ...] = ("since", "until")
"""Fields with a date or a time; a preview has already read them."""
_TIME = TypeAdapter[str | None](Time | None)


def read(
    kind: str, values: Mapping[str, str], registered: Registered, *, by: str, subject: str, run: str, lang: Language
) -> PairedAct | Wrong:
    """The act that a form asks for, or the fault of the form.

    `values`: the text in each field of FIELDS. `subject`: an id. `run`: the act's id. The subject is confirmed by its
    id or its registered name.
    """
    row, confirmed = ACT_KINDS[kind], narrow(values["typed"])
    what = row.about
    if confirmed != subject and subject not in registered.called(what, confirmed):
        name = registered.names(lang).get(f"{what}/{subject}", subject)
        return Wrong(text("page.manage_type", lang, subject=name), "typed")
    if row.needs_reason and not values["reason"]:
        return Wrong(text("page.needs_reason", lang), "reason")
    for date in [name for name in DATES if name in row.fields and not row.preview]:
        try:
            _TIME.validate_python(values[date] or None)
        except ValidationError:
            return Wrong(text("page.unfit_date", lang), date)
    about = {"recipient_id": subject} if what == "person" else {"subject": f"{what}/{subject.partition('@')[0]}"}
    fields = {"reason": values["reason"], "evidence_ref": values["evidence"] or None}
    try:
        return fact_with_act.act(kind, by=by, act_id=run, **fields, **about)
    except UsageError as error:
        key, field = UNFIT.get(str(error.values.get("option")), ("page.manage_unfit", ""))
        return Wrong(text(key, lang), field)
