"""The text that people type into forms: one spelling for it, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

UNFIT = {"--reason": ("page.unfit_reason", "reason"), "--evidence": ("page.unfit_evidence_ref", "evidence")}
"""Options of an act, each with the text on a wrong value, and the id of the form's field."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A fault of a form. `says`: the sentence. `field`: id of the field at fault, '' if it is no single one."""

    says: str
    field: str = ""
