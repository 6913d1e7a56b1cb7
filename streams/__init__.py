"""Kafka: transport, transactions, fact followers, topics. Imported by the commands and the worker's entry only."""
