"""Run untrusted programs in isolation, within limits of time, memory and output."""
