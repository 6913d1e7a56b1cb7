"""What `gatekeeper serve` has of Kafka: facts, ledger and decisions as they are now, and a writer."""
