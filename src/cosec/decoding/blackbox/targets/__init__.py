"""Targets that give text.

- `text_target`: the interface of such a target, and its failures.
- `openai_server`: a target behind the OpenAI API.
- `server_answers`: reads what such a target sends.
- `local_target`: a model in this process.
- `echoed_scores`, `token_spans`: the log-probabilities that a server gives, and those of parts of its text.
- `proposal_stream`: a target's text, received while what it wrote before is checked.
"""
