"""The demo: an invented, believable retailer, and the scene that `gatekeeper demo` plays with it."""
