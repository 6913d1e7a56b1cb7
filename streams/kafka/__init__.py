"""A real Kafka from packages."""
