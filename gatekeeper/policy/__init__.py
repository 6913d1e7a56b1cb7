"""Policies: the rules in force, from when, in which country, under which clause."""
