"""Entries of the ledger: decisions that still matter."""
