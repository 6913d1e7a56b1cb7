"""Who acts: people with roles and keys, what they sign, and whose signature counts."""
