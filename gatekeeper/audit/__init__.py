"""Proof of what was decided: records, their tree, and the manifest of each transaction."""
