"""HTTP for console, service and metrics: server, connections, the provider's keys."""
