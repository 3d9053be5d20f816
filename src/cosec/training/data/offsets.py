"""Whether a tokenizer tells which characters each token covers."""

from transformers import PreTrainedTokenizerBase

from cosec.errors import ModelError


def require_offsets(tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a tokenizer that cannot tell which characters a token covers.

    Raises:
        ModelError: If it is not a fast one.
    """
    if not tokenizer.is_fast:
        raise ModelError(
            f"{type(tokenizer).__name__} has no offsets; training needs a fast tokenizer (tokenizer.json)."
        )
