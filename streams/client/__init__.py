"""Kafka for commands: reading, writing, topics, rights."""
