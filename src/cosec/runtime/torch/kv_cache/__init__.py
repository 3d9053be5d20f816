"""Key-value caches with rollback, and prompts that several rows share."""
