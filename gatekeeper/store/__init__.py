"""Keeps on a disk of this machine what can be read from Kafka again."""
