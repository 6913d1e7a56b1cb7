"""The believable retailer, and the scene that `gatekeeper demo` plays with it."""
