"""Backups: an image of all logs as a signed folder, and its way back. docs/adr/0065-backup.md."""
