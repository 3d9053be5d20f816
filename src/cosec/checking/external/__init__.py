"""Checking with external tools: semgrep and CodeQL."""
