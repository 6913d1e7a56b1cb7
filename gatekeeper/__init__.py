"""The gate: what decides, what proves it, and the commands around them."""
