"""CPU paths of the PyTorch runtime: packed weights and the memory of the process."""
