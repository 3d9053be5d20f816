"""Access control: hosts, API keys and the audit log."""
