"""Programs that print how long things take, and assert nothing; each is run from the folder above, with `python -m`."""
