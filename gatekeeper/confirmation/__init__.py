"""The question whether we may write: its text and lint, its answer code, and what comes back (J.8.7)."""
