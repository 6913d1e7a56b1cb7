"""The form that confirms an act on facts: the act that it asks for, or its fault."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import TypeAdapter, ValidationError

from gatekeeper.console.orders import KINDS
from gatekeeper.console.typed import UNFIT, Wrong
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.texts import Language, text
from gatekeeper.ground.words import narrow
from gatekeeper.index.reference_view import Registered
from schemas.events import PairedAct
from schemas.values import Time
from streams.client import fact_with_act

UNREASONED = ("activate",)
"""Kinds of acts that need no reason."""
EXTRA = ("since", "until", "and_by")
"""Fields that only some kinds of acts have."""
FIELDS = ("reason", "evidence", *EXTRA, "typed")
DATES: Mapping[str, tuple[str, ...]] = {"suspend": ("since", "until")}
"""Fields with a date or a time, by kind of act."""
_TIME = TypeAdapter[str | None](Time | None)


def read(
    kind: str, values: Mapping[str, str], registered: Registered, *, by: str, subject: str, run: str, lang: Language
) -> PairedAct | Wrong:
    """The act that a form asks for, or the fault of the form.

    `values`: the text in each field of FIELDS. `subject`: an id. `run`: the act's id. The subject is confirmed by its
    id or its registered name.
    """
    what, confirmed = KINDS[kind], narrow(values["typed"])
    if confirmed != subject and subject not in registered.called(what, confirmed):
        name = registered.names(lang).get(f"{what}/{subject}", subject)
        return Wrong(text("page.manage_type", lang, subject=name), "typed")
    if kind not in UNREASONED and not values["reason"]:
        return Wrong(text("page.needs_reason", lang), "reason")
    for date in DATES.get(kind, ()):
        try:
            _TIME.validate_python(values[date] or None)
        except ValidationError:
            return Wrong(text("page.unfit_date", lang), date)
    about = {"recipient_id": subject} if what == "person" else {"subject": f"{what}/{subject.partition('@')[0]}"}
    said = {"reason": values["reason"], "evidence_ref": values["evidence"] or None}
    try:
        return fact_with_act.act(kind, by=by, act_id=run, **said, **about)
    except UsageError as error:
        key, field = UNFIT.get(str(error.values.get("option")), ("page.manage_unfit", ""))
        return Wrong(text(key, lang), field)
