"""Builds audit records and the pseudonyms in them."""
