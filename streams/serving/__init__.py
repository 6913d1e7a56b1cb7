"""Kafka for `gatekeeper serve`: facts, ledger and decisions as they are now, and a writer."""
