"""Hardening a target of which only the text is known: a server behind HTTP, or a model with another tokenizer.

The target proposes text. The security model and its base read it in their own tokenizer, and the rule's decisions
replace what the target wrote there.

- `targets`: what gives text: a server behind the OpenAI API, or a model in this process.
- `text_tokens`: text as tokens of the security model, with the bytes at which they begin.
- `reading`: the security model and its base on one completion, and the rule's verdict on it.
- `interventions`: what the security model writes, under the gate or the paper's rule.
- `common_tokens`: whether a target has the security model's tokens, as the paper's rule needs.
- `gated_text`: one completion: ask, check, intervene, ask again.
- `growing_text`: where a completion ends, and what of it may be shown.
- `completer`: prompts in, completions out.
- `pace`: how much text is checked at once.
- `shared_clock`: shares of the time that passes while several completions are written.
- `steering`: steering over text, for a target in this process.
- `writers`: what writes a completion; the rule decides.
- `text_rule`: the rules that such a target allows.
- `loading`, `examination`: load the security model; examine what would be loaded.
"""
