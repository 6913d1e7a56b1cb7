"""Checks of records: replay, recheck, coverage, what-if."""
