"""The contract: the models of all topics, and the one codec between bytes and models. No I/O."""
