"""The floor that all stand on: texts, errors, times, settings, log, metrics; nothing of mail or consent."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The folder of our packages: the source tree, or the one package that the wheel installs (ADR 34)."""
