"""Tasks: scenarios and function problems, read from files."""
