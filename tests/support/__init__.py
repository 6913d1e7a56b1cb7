"""Helpers of the tests: worlds on Kafka, invented people, brokers that can be hurt, and oracles."""
