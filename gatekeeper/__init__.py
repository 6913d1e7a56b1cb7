"""The gate: its decisions, their proofs, and the commands around them."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The folder of our packages: the source tree, or the one package that the wheel installs (ADR 34)."""
