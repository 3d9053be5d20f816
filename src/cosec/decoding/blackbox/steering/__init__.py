"""Steering a target in this process over text, so that its security model may have another tokenizer.

- `beginnings`: the tokens of a vocabulary that begin with given bytes.
- `adapter_change`: how much an adapter changes the probability of a text, as the text grows.
- `steered_text`: one completion, token by token of the target.
"""
