"""People who act: their roles and keys, and the signatures that count."""
