"""Loading: from a name to checked weights, tokenizer and configuration in memory."""
