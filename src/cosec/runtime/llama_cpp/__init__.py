"""Models in GGUF files, run in their quantised form by llama.cpp on a CPU.

Needs the package ``llama-cpp-python`` (the extra ``llama``), which is imported when the first file is opened.
"""
