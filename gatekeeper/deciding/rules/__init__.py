"""The rules, one file a group; each function looks at a case and yields the reasons it finds."""
