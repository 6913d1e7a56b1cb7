"""The gate: its decisions, their proofs, and the commands around them."""
