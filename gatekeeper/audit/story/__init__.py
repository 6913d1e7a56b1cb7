"""Explains records to people."""
