"""Checking: find weaknesses in source files. Needs no model and knows nothing about evaluation."""
