"""The offline check of an export, or of one decision's proof; `gatekeeper.audit.export.bundle` makes one file of it.

It imports the standard library, `cryptography` and `gatekeeper.audit.tlog` alone, and nothing that writes.
"""
