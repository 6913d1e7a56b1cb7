"""Clauses of reasons in records of rules 3 to 5, whose catalogue named the law of Japan itself."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

LAST = 5
"""The last version of the rules whose reasons have these clauses. Later ones have those of their policy."""

CLAUSES: Mapping[str, str] = MappingProxyType(
    {
        "SUBJECT_OBJECTED": "APPI 35(5)(6); J.10 (A.3.4.4)",
        "CONSENT_WITHDRAWN": "J.8.7 (JIS Q 15001:2017 A.3.4.2.7)",
        "CONSENT_REFUSED": "J.8.7 (JIS Q 15001:2017 A.3.4.2.7)",
        "CESSATION_REQUESTED": "APPI 35(1)(5); J.10 (A.3.4.4)",
        "SUBJECT_ERASED": "APPI 35; J.10 (A.3.4.4)",
        "POSTAL_REFUSAL_RETURNED": "APPI 35(5); J.10 (A.3.4.4)",
        "SOURCE_UNKNOWN": "J.8.7 (JIS Q 15001:2017 A.3.4.2.7); J.8.4 (A.3.4.2.4)",
        "SOURCE_ILLICIT": "APPI 20(1); J.8.2 (A.3.4.2.2)",
        "SOURCE_BATCH_QUARANTINED": "J.8.2 (A.3.4.2.2); policy: a frozen list",
        "SOURCE_CHECK_MISSING": "APPI 30(1)(3); J.8.8 (A.3.4.2.8)",
        "PROVIDER_BASIS_MISSING": "APPI 27(1)(2)",
        "PROVIDER_OPTOUT_CHAIN": "APPI 27(2) proviso",
        "ENTRUSTED_OWN_USE": "APPI 27(5)(i), 18; J.8.7 b",
        "ENTRUSTED_COMMINGLED": "APPI 27(5)(i); PPC Q&A 7-42",
        "JOINT_USE_TERMS_MISSING": "APPI 27(5)(iii); J.8.7 d",
        "JOINT_USE_PARTY_OUT_OF_RANGE": "APPI 27(5)(iii); J.8.7 d",
        "SENSITIVE_AUDIENCE": "APPI 20(2); J.8.3 (A.3.4.2.3)",
        "IMPROPER_USE_TARGETING": "APPI 19",
        "RECIPIENT_DECEASED": "J.3.1.1; APPI 22",
        "MINOR_NO_GUARDIAN": "PPC Q&A 1-62; Civil Code 5",
        "AGE_UNCERTAIN": "PPC Q&A 1-62",
        "IDENTITY_AMBIGUOUS": "APPI 22",
        "CONTACT_UNDELIVERABLE": "APPI 22",
        "THIRD_PARTY_UNCONFIRMED": "J.8.7 (JIS Q 15001:2017 A.3.4.2.7)",
        "PUBLIC_SOURCE_UNCONFIRMED": "J.8.7 (JIS Q 15001:2017 A.3.4.2.7)",
        "REFERRAL_UNCONFIRMED": "J.8.7 (JIS Q 15001:2017 A.3.4.2.7)",
        "SUCCESSION_NOT_COVERED": "APPI 18(2); J.8.7 c",
        "JOINT_USE_NOT_COVERED": "APPI 27(5)(iii), 27(6); J.8.7 d",
        "NOTICE_ITEMS_MISSING": "J.8.5 (A.3.4.2.5); J.8.7 a",
        "SOURCE_CONFLICT": "J.8.2 (A.3.4.2.2)",
        "SOURCE_STALE": "APPI 22; policy: source_max_age",
        "CONFIRMATION_PENDING": "J.8.7; PPC Q&A 1-60",
        "CONFIRMATION_LAPSED": "J.8.7 (JIS Q 15001:2017 A.3.4.2.7)",
        "CONFIRMATION_UNDELIVERED": "J.8.7 (JIS Q 15001:2017 A.3.4.2.7)",
        "CONFIRMATION_DEFECTIVE": "J.8.7 (JIS Q 15001:2017 A.3.4.2.7)",
        "CONFIRMATION_CHANNEL_UNLAWFUL": "Specified E-mail Act 3(1)",
        "CONFIRMATION_CAP_REACHED": "J.8.7; policy: ask_cap",
        "PURPOSE_NOT_COVERED": "APPI 17, 18; J.8.6 (A.3.4.2.6)",
        "CONTROLLER_MISMATCH": "J.8.7; APPI 27",
        "CHANNEL_NOT_CONSENTED": "J.8.7 (JIS Q 15001:2017 A.3.4.2.7)",
        "CONTACT_POINT_NOT_COVERED": "J.8.7 (JIS Q 15001:2017 A.3.4.2.7)",
        "EMAIL_OPT_IN_MISSING": "Specified E-mail Act 3(1); Specified Commercial Transactions Act 12-3",
        "EMAIL_CONSENT_RECORD_MISSING": "Specified E-mail Act 3(2); Specified Commercial Transactions Act 12-3(3)",
        "DISPLAY_ITEMS_MISSING": "Specified E-mail Act 4; J.8.7",
        "CREATIVE_PERSON_UNRELEASED": "APPI 17, 18; J.8.6 (A.3.4.2.6)",
        "CONSENT_MISSING": "J.8.7 (JIS Q 15001:2017 A.3.4.2.7)",
        "CONSENT_EVIDENCE_MISSING": "J.8.7; J.4.5.5 (A.3.5.3)",
        "CONSENT_UNCONFIRMED": "J.8.7; policy: double opt-in",
        "CONSENT_NOT_YET_VALID": "J.8.7; ISO/IEC TS 27560 validity",
        "CONSENT_EXPIRED": "J.8.7; ISO/IEC TS 27560 validity",
        "CONSENT_INVALIDATED": "J.8.7; APPI 20(1)",
        "CONSENT_BY_OTHER": "J.8.7; Civil Code 99, 113",
        "FACTS_UNAVAILABLE": "J.8.7; policy: nothing is cleared by an absence",
        "FACTS_STALE": "APPI 35(5)(6); policy: max_lag",
        "SENDING_SUSPENDED": "J.4.2",
        "JURISDICTION_UNKNOWN": "policy: strictest",
        "POLICY_UNKNOWN": "policy: a country needs a policy in force",
        "EVENT_INVALID": "J.8.1 (A.3.4.2.1); policy: purposes and controllers",
        "DECISION_FAILED": "policy: a failed decision withholds",
        "RELEASE_SUPERSEDED": "policy: a newer hard fact ends a release",
        "RELEASE_EXPIRED": "policy: release_ttl",
        "ASK_TEMPLATE_MISSING": "J.8.7 (JIS Q 15001:2017 A.3.4.2.7)",
        "DUPLICATE_SEND": "policy: one piece a person, campaign and channel",
    }
)
"""The clause of each reason then. No line changes or goes, because old records are explained by it."""
