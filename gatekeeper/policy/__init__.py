"""Policies: the rules in force by time and country, with their clauses of law."""
