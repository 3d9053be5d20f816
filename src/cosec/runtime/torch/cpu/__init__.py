"""Fast paths of the PyTorch runtime on a CPU: packed weights, and the memory of weights that packing replaces."""
