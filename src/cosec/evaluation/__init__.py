"""Evaluation: what is completed, how completions become verdicts, and what a study of them shows.

- `tasks`: scenarios and function problems, read from files.
- `extraction`: from a model's text to a program.
- `judging`: from a program to a verdict on its security and its function.
- `study`: arms, seeds and benchmarks, completed and judged, with records that survive interruptions.
- `report`: numbers with intervals, tables, pages and figures.
- `speed`: what hardening costs in time.
"""
