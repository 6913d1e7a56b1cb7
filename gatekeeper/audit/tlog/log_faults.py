"""The faults of manifests and of the audit records that they name: one word for one fault, whoever finds it."""

from __future__ import annotations

from typing import Literal

Fault = Literal[
    # a manifest by itself
    "unreadable_manifest", "moved_manifest", "unsigned_manifest", "unknown_key", "forged_manifest", "miscounted_range",
    # a manifest behind those before it
    "begins_late", "broken_chain", "missing_manifest", "repeated_manifest", "reordered_manifest", "forked_manifest",
    "skipped_offset", "repeated_offset",
    # a manifest in the log
    "unsealed", "not_sealed", "wrong_leaf",
    # its audit records
    "torn_transaction", "stray_record", "unreadable_record", "foreign_record", "omitted_record", "doubled_record",
    "reordered_record", "unsaid_skip", "unrecorded_skip",
    # inputs and outputs on the broker
    "false_gap", "claimed_nothing", "missing_output", "output_without_record", "replaced",
    # branches, as the sealer treats them
    "held", "branched", "unjoined",
]  # fmt: skip
"""The sealer, coverage and the check of an export each find some of them (`docs/reference/findings.md`)."""
