"""The runtime on PyTorch: transformers models, their key-value caches, LoRA adapters and fast paths on a CPU."""
