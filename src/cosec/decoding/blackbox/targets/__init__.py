"""Targets that give text.

- `text_target`: the interface of such a target, and its failures.
- `openai_server`: a target behind the OpenAI API.
- `local_target`: a model in this process.
- `proposal_stream`: a target's text, received while what it wrote before is checked.
"""
