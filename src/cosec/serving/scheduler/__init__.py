"""The scheduler: the thread that decodes the requests of all clients in one batch.

- `scheduler`: takes requests, and runs one decoding step after the other.
- `batches`: the running batches of a server, and their cached prompts.
- `tickets`: a request's state, and the events that its client gets.
- `request`: a request in the terms of the decoding engine.
- `fair_queue`: takes turns between clients.
- `prompt_scoring`: log-probabilities of a prompt's own tokens.
"""
