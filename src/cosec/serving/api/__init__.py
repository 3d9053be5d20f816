"""The HTTP API: request and response shapes, and the endpoints."""
