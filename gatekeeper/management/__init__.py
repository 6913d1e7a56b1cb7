"""Questions of managers: campaigns, preflight, reconciliation, blast radius, policy changes."""
