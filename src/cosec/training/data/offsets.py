"""What training asks a tokenizer: which characters each token covers, and the token that begins every text."""

from transformers import PreTrainedTokenizerBase

from cosec.errors import ModelError


def beginning(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return the beginning-of-text token that a tokenizer adds by itself, in a list; empty if it adds none."""
    return [token for token in tokenizer("")["input_ids"] if token == tokenizer.bos_token_id]


def without_beginning(prompt: str, tokenizer: PreTrainedTokenizerBase, start: list[int]) -> str:
    """Return a prompt without the beginning-of-text token that a chat template spelled, so that there are not two.

    Args:
        prompt: The prompt.
        tokenizer: The tokenizer.
        start: What ``beginning`` gave for it; if it is empty, the prompt keeps the token.
    """
    return prompt.removeprefix(tokenizer.bos_token) if start else prompt


def require_offsets(tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a tokenizer that cannot tell which characters a token covers.

    Raises:
        ModelError: If it is not a fast one.
    """
    if not tokenizer.is_fast:
        raise ModelError(
            f"{type(tokenizer).__name__} has no offsets; training needs a fast tokenizer (tokenizer.json)."
        )
