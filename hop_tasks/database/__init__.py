"""The service that other services use: servers, databases, connections, locks, client programs."""
