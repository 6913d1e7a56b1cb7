"""The check of a provider of personal data: its time and its result (APPI 30; rule 7.5.25)."""

from __future__ import annotations

from collections.abc import Iterator

from gatekeeper.deciding.case import Case
from gatekeeper.deciding.chains import is_company, is_opt_out
from gatekeeper.policy.reasons import Found
from schemas.events import ProviderCheck, Source
from schemas.topics import DAY_MS


def provider(case: Case, source: Source) -> Iterator[Found]:
    """SOURCE_CHECK_MISSING, PROVIDER_BASIS_MISSING, PROVIDER_OPTOUT_CHAIN: gaps in the check of the provider.

    The newest complete check that was made in time is judged; of several at one time all are.
    """
    policy, checks = case.policy, _newest(case, source)
    facts = (source.source_id, f"batch/{source.batch_id}") if source.batch_id else (source.source_id,)
    says = {"provider": source.provided_by or source.route or source.collected_by}
    if not checks and policy.asks_for("SOURCE_CHECK_MISSING"):
        late = {"case": "late", "date": case.day(first)} if (first := _too_late(case, source)) else {}
        yield Found("SOURCE_CHECK_MISSING", facts, {**late, **says})
    chain, known = [word for check in checks for word in check.chain], case.reference.providers
    companies = sorted({word for word in chain if is_company(word)})
    opt_out = any(is_opt_out(word) for word in chain) or any(known[id_].opt_out for id_ in companies if id_ in known)
    unknown = ", ".join(id_ for id_ in companies if id_ not in known)
    if policy.asks_for("PROVIDER_OPTOUT_CHAIN") and opt_out:
        yield Found("PROVIDER_OPTOUT_CHAIN", facts, says)
    elif policy.asks_for("PROVIDER_BASIS_MISSING") and not (checks and all(_lawful(check) for check in checks)):
        yield Found("PROVIDER_BASIS_MISSING", facts, says)
    elif policy.asks_for("PROVIDER_BASIS_MISSING") and unknown:
        yield Found("PROVIDER_BASIS_MISSING", facts, {"case": "unregistered", "company": unknown, **says})


def _newest(case: Case, source: Source) -> list[ProviderCheck]:
    """The newest check that counts; empty without one."""
    shared, now = source.shared_at or source.acquired_at, case.at + case.policy.skew_ms * 1000
    if shared is None or (source.shared_at and case.span(shared).first > now):  # no check is in time for these yet
        return []
    by = min(case.span(shared).last + case.policy.check_within_days * DAY_MS * 1000, now)
    dated = [(case.span(str(check.checked_at)).last, check) for check in _whole(case, source)]
    newest = max((at for at, _ in dated if at <= by), default=None)
    return [check for at, check in dated if at == newest]


def _too_late(case: Case, source: Source) -> str | None:
    """The date of the first complete check, where none came in time. None without one, or for data still to come."""
    shared, now = source.shared_at or source.acquired_at, case.at + case.policy.skew_ms * 1000
    if shared is None or case.span(shared).first > now:
        return None
    dates = (str(check.checked_at) for check in _whole(case, source))
    return min((date for date in dates if case.span(date).last <= now), key=case.span, default=None)


def _whole(case: Case, source: Source) -> list[ProviderCheck]:
    """The complete checks of a source and of its list."""
    listed = case.reference.checks(source.batch_id) if source.batch_id else []
    return [check for check in (source.check, *listed) if check and _complete(check)]


def _complete(check: ProviderCheck) -> bool:
    """True if name, address, representative and history of the provider were checked (APPI 30)."""
    return bool(check.checked_at and check.name and check.address and check.representative and check.how_obtained)


def _lawful(check: ProviderCheck) -> bool:
    by_right = check.basis == "consent" or (check.basis == "opt_out_filing" and bool(check.filing_no))
    return by_right and "other" not in {basis.lower() for basis in check.chain}
