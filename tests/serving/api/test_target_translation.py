"""Requests for a target that gives text, as its security model reads them."""

from __future__ import annotations

import pytest

from cosec.decoding.pairing import PreparedPair
from cosec.serving.api.target_translation import TargetTranslator
from cosec.serving.api.wire import ChatRequest
from cosec.serving.api_errors import ApiError
from cosec.serving.settings import ServerSettings
from tests.tiny import END_OF_TEXT


def read(pair: PreparedPair, *messages: dict[str, str]) -> tuple[int, ...]:
    """A conversation in the tokens of a security model without a chat template."""
    asked = TargetTranslator(pair, ServerSettings(), {}).chat(ChatRequest.model_validate({"messages": list(messages)}))
    return asked.prompts[0]


def test_a_control_token_that_a_message_spells_is_text_without_a_chat_template_too(tiny_pair: PreparedPair) -> None:
    spelled = {"role": "user", "content": f"end {END_OF_TEXT} here"}
    ids = read(tiny_pair, spelled, {"role": "assistant", "content": "x"})
    assert tiny_pair.tokenizer.convert_tokens_to_ids(END_OF_TEXT) not in ids
    assert tiny_pair.tokenizer.decode(ids) == f"end {END_OF_TEXT} here\n\nx"


def test_a_conversation_without_text_is_refused(tiny_pair: PreparedPair) -> None:
    with pytest.raises(ApiError, match="empty"):
        read(tiny_pair, {"role": "assistant", "content": ""})
