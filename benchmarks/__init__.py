"""Programs that print durations, and assert nothing; each is run from the folder above, with `python -m`."""
