"""The parts that vLLM runs: drafters, scheduler and worker extension, and what they replace of vLLM's own.

Every module here imports vLLM. ``internals`` alone uses its private names.
"""
