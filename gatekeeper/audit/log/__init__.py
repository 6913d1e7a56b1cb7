"""The sealed log: tiles, checkpoints, witnesses."""
