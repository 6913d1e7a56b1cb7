"""`gatekeeper webhooks`: posts events of the gate to endpoints, at least once, each from its own queue."""
