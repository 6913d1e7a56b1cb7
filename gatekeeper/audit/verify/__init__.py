"""The offline check of an export, or of one decision's proof; `gatekeeper.audit.export.bundle` makes one file of it.

It imports only the standard library, `cryptography` and `gatekeeper.audit.tlog`, and nothing that writes.
"""
