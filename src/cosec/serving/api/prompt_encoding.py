"""Encode text from clients as text: what a client writes never becomes a control token.

A tokenizer turns the spelling of a control token, such as ``<|im_end|>``, into that token wherever it occurs. A client
could thereby end its own turn of a chat, or the gap of an infill. Here only the chat template and the assembly of an
infill add control tokens. As in llguidance, control tokens carry a marker that text cannot contain.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from cosec.errors import ModelError, PromptError

Encode = Callable[[str], list[int]]
"""Encodes a text, or the beginning of one, into token ids."""

Ending = Literal["prompt", "closed", "open"]
"""How a rendered conversation ends: with the beginning of the assistant's next message, with the end of the last
message, or inside the last message, which is then continued.
"""

_TAG = re.compile(r"<.+>|\[.+\]", re.DOTALL)


class PromptEncoder:
    """Encodes prompts for one tokenizer.

    Text without the spelling of a control token is encoded by the tokenizer itself. Other text goes to a copy of the
    tokenizer that spells its control tokens with a random marker, so that white space and merges are the same.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._tokenizer = tokenizer
        self.control_tokens = control_tokens(tokenizer)
        """Spellings of the control tokens."""
        longest_first = sorted(self.control_tokens, key=len, reverse=True)
        self._spelled = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self._marker = secrets.token_hex(16)

    def text(self, text: str) -> list[int]:
        """Encode a text; no token of it is a control token.

        Raises:
            PromptError: If the text spells a control token and this tokenizer cannot encode that as text.
        """
        return self._text_only(text) if self._spelled.search(text) else self.plain(text)

    def chat(self, messages: Sequence[Mapping[str, object]], ending: Ending = "prompt") -> tuple[str, Encode]:
        """Render a conversation with the model's template.

        Args:
            messages: Dictionaries with ``role``, ``content`` and what else templates read.
            ending: How the rendered text ends.

        Returns:
            The rendered text, and the function that encodes it: control tokens of the template are control tokens,
            those in a message are text.
        """
        spelled: list[str] = []

        def hide(found: re.Match[str]) -> str:
            spelled.append(found[0])
            return f"{self._marker}-{len(spelled) - 1};"

        hidden = [_with_texts(message, lambda text: self._spelled.sub(hide, text)) for message in messages]
        rendered = self._render(hidden, ending)
        if not spelled:
            return rendered, self.plain
        marked = self._spelled.sub(lambda found: self._marked(found[0]), rendered)
        restored = re.sub(rf"{self._marker}-(\d+);", lambda found: spelled[int(found[1])], marked)
        return restored, self._text_only

    def _render(self, messages: Sequence[Mapping[str, object]], ending: Ending) -> str:
        given: list[Any] = [dict(message) for message in messages]
        end = f"{self._marker}-end;"
        if ending == "open":  # the template may add white space and tokens after the text
            given[-1]["content"] = f"{given[-1]['content']}{end}"
        rendered = str(
            self._tokenizer.apply_chat_template(given, tokenize=False, add_generation_prompt=ending == "prompt")
        )
        if ending != "open":
            return rendered
        if end not in rendered:
            raise PromptError("it leaves out the last message, which is to be continued.")
        return rendered[: rendered.rindex(end)]

    def plain(self, text: str) -> list[int]:
        """Encode a text in which spelled control tokens are control tokens, and add no others."""
        return list(self._tokenizer(text, add_special_tokens=False).input_ids)

    def _text_only(self, text: str) -> list[int]:
        """Encode text in which only marked spellings are control tokens."""
        tokenizer = self._marking_tokenizer
        if tokenizer is None:
            found = self._spelled.search(text)
            raise PromptError(
                f"This model's tokenizer cannot encode {'' if found is None else found[0]!r} as text; leave it out."
            )
        return list(tokenizer.encode(text, add_special_tokens=False).ids)

    def _marked(self, spelling: str) -> str:
        return f"<{self._marker}:{spelling}>"

    @cached_property
    def _marking_tokenizer(self) -> Tokenizer | None:
        """A copy of the tokenizer with marked spellings; None if its format does not allow that."""
        try:
            return marking_tokenizer(self._tokenizer, self.control_tokens, self._marked)
        except ModelError:
            return None


def _with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with every text in it changed; names of fields stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {name: _with_texts(one, change) for name, one in value.items()}
    return [_with_texts(one, change) for one in value] if isinstance(value, list) else value


def control_tokens(tokenizer: PreTrainedTokenizerFast) -> frozenset[str]:
    """Spellings of a tokenizer's control tokens.

    These are its special tokens and other added tokens that are written like a tag, ``<...>`` or ``[...]``. Some
    tokenizers do not call those special, Qwen2.5's ``<|fim_prefix|>`` among them. Runs of white space are text.
    """
    added = tokenizer.added_tokens_decoder.values()
    spellings = {token.content for token in added if token.special or _TAG.fullmatch(token.content)}
    return frozenset(spellings | set(tokenizer.all_special_tokens))


def marking_tokenizer(
    tokenizer: PreTrainedTokenizerFast, tokens: frozenset[str], marked: Callable[[str], str]
) -> Tokenizer:
    """Copy a tokenizer so that some of its tokens are spelled in another way; ids stay the same.

    Args:
        tokenizer: The tokenizer to copy.
        tokens: Spellings of the tokens.
        marked: Makes the new spelling of one.

    Returns:
        The copy, without transformers' wrapper.

    Raises:
        ModelError: If the copy does not give the tokens their ids.
    """
    known = {token: tokenizer.convert_tokens_to_ids(token) for token in tokens}
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    try:
        copy = Tokenizer.from_str(json.dumps(_respelled(content, tokens, marked)))
    except Exception as error:  # the library raises nothing more specific
        raise ModelError(f"The tokenizer cannot be copied: {error}.") from error
    if any(copy.token_to_id(marked(token)) != known[token] for token in tokens):
        raise ModelError("The copy of the tokenizer gives its control tokens other ids.")
    return copy


def _respelled(content: dict[str, Any], tokens: frozenset[str], marked: Callable[[str], str]) -> dict[str, Any]:
    """The tokenizer's JSON with new spellings, in the added tokens and in the vocabulary of the model."""
    for token in content["added_tokens"]:
        if token["content"] in tokens:
            token["content"] = marked(token["content"])
    model = content["model"]
    if isinstance(model["vocab"], dict):
        model["vocab"] = {marked(word) if word in tokens else word: index for word, index in model["vocab"].items()}
    else:  # a unigram model: pairs of word and score
        model["vocab"] = [[marked(word) if word in tokens else word, score] for word, score in model["vocab"]]
    if model.get("unk_token") in tokens:
        model["unk_token"] = marked(model["unk_token"])
    return content
