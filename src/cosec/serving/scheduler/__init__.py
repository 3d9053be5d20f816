"""Scheduling: the running batches and the requests that wait for them."""
