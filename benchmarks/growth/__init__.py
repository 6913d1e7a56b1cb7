"""Measures the gate's growth, size by size."""
