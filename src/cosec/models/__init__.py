"""Models: families, loading, vocabularies and key-value caches. Knows nothing about text, prompts or tasks."""
