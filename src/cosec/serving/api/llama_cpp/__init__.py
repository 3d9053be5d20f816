"""llama.cpp's own endpoints, for clients of its server: ``/completion``, ``/infill``, ``/props`` and others.

- `wire`: request bodies.
- `answers`: response bodies of completions.
- `endpoints`: the routes.
"""
