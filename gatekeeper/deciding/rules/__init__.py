"""The rules, one file per group; each function looks at a case and yields the reasons it finds."""
