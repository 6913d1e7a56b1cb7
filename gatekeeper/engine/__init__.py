"""Turns one record into everything it leads to; the pure half of the worker."""
