"""`gatekeeper serve`: the gate over HTTP, for programs that publish, state facts, and ask."""
