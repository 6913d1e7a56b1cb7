"""Folds facts from events, by person."""
