"""The contract: what every topic carries, and the one codec between bytes and models. No I/O."""
