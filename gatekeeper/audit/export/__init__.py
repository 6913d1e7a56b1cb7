"""Exports and single proofs."""
