"""Clauses of reasons that came after the text of a pack was released, by reason and pack.

A released text keeps its bytes, because audit records name their hash. So a later reason has its clause here, until the
next version of the pack has a row for it. Nobody has verified these citations.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_EVERY = ("jp-pmark", "jp-appi", "strictest")

CLAUSES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "EXTERNAL_PREFERENCE_LISTED": {
            "jp-pmark": "APPI 35(5)(6); J.10",
            "jp-appi": "APPI 35(5)(6)",
            "strictest": "APPI 35(5)(6); J.10",
        },
        "NO_DATED_BACK": dict.fromkeys(("jp-pmark", "jp-appi", "strictest"), "APPI 22"),
        "SOURCE_NOT_YET": dict.fromkeys(
            ("jp-pmark", "jp-appi", "strictest"), "policy: nothing is cleared by an absence"
        ),
        "RETENTION_OVER": dict.fromkeys(("jp-pmark", "jp-appi", "strictest"), "APPI 22"),
        "CONSENT_AS_CHILD": dict.fromkeys(("jp-pmark", "jp-appi", "strictest"), "PPC Q&A 1-62; Civil Code 5"),
        "NAME_NEAR_STOP": dict.fromkeys(("jp-pmark", "jp-appi", "strictest"), "APPI 22"),
        "PRINT_UNACCOUNTED": dict.fromkeys(("jp-pmark", "jp-appi", "strictest"), "APPI 22"),
    }
)
