"""The runtime on PyTorch: transformers models, their key-value caches and LoRA rows."""
