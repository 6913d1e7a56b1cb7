"""Proof of decisions: records, their tree, and the manifest of each transaction."""
