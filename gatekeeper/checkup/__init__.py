"""The check of an installation: each verdict is a pure function of what was found (docs/adr/0064-doctor.md)."""
