"""What the demo tells of decisions: one of each verdict, with its person's story."""

from __future__ import annotations

from collections.abc import Iterator

from gatekeeper.texts import Language, text
from schemas.audit import AuditRecord, Decision, Verdict

LANGUAGES: tuple[Language, Language] = ("ja", "en")


def primary(record: AuditRecord) -> str:
    """Returns the code of the first reason; '' if clear."""
    return record.reasons[0].code if record.reasons else ""


def explained(verdict: Verdict, record: AuditRecord, decision: Decision | None) -> Iterator[tuple[Language, str]]:
    """Yields sentences with their language: who the person is, why the send got its verdict, and by which clause.

    `decision`: as the review record's header tells it; None for a cleared send, which tells its basis instead.
    """
    for language in LANGUAGES:
        yield language, text(f"demo.story_{verdict}", language)
        if decision is None:
            yield language, _basis(record, language)
        for reason in decision.reasons if decision else ():
            sentence = reason.ja if language == "ja" else reason.en
            yield language, text("demo.reason", language, code=reason.code, sentence=sentence, clause=reason.clause)


def _basis(record: AuditRecord, language: Language) -> str:
    """Returns the sentence that tells on what a cleared send stands; all of it is in the audit record."""
    facts = record.facts
    source = next((one for one in facts.sources if one["source_id"] == record.basis), {}) if facts else {}
    yes = next((one for one in facts.consents if one["state"] == "Given"), {}) if facts else {}
    return text(
        "demo.basis",
        language,
        method=text(f"word.method.{source.get('method', 'unknown.legacy')}", language),
        acquired=source.get("acquired_at", "?"),
        source=record.basis,
        agreed=yes.get("event_time", "?"),
        consent=yes.get("record_id", "?"),
        obligations=", ".join(record.obligations),
    )
