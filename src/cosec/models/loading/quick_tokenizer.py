"""Tokenizers that are read without transformers, whose import and tokenizer classes take more than a second.

transformers builds a tokenizer once. What it built is kept in the cache, under a name that depends on the contents of
the model's folder and on the releases of transformers and tokenizers. Later, ``tokenizers`` reads it from there.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakValueDictionary

from cosec.errors import SettingsError
from cosec.models.loading.reading import read_tokenizer
from cosec.models.loading.store import cache_root, new_folder

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

_TOKENIZER, _FACTS = "tokenizer.json", "facts.json"
_LAYOUT = 1
"""Version of what is kept; part of its name."""


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class _Shared:
    """A tokenizer in memory, which models with equal tokenizers share."""

    tokenizer: Tokenizer


_shared: WeakValueDictionary[str, _Shared] = WeakValueDictionary()
"""Tokenizers in use, by the hash of the file that they were read from."""


class QuickTokenizer:
    """A ``PreTrainedTokenizerFast`` that is made when it is needed.

    Token ids of a text, their number, the vocabulary and the backend need no transformers. For everything else,
    transformers reads the tokenizer, which then stands for this one in every respect, changes included.

    Args:
        name: What messages call the model.
        folder: The model's folder, from which transformers reads the tokenizer.
        kept: The folder with what transformers built.

    Raises:
        Exception: Of some kind, if a file in ``kept`` is damaged.
    """

    kept: Path
    """The folder with what transformers built; its ``tokenizer.json`` is complete."""
    _name: str
    _folder: Path
    _eos_token_id: int | None
    _shared: _Shared

    def __init__(self, name: str, folder: Path, kept: Path) -> None:
        facts = json.loads((kept / _FACTS).read_text(encoding="utf-8"))
        backend = _read_backend(kept / _TOKENIZER)
        self.__dict__.update(
            kept=kept, _name=name, _folder=folder, _eos_token_id=facts["eos_token_id"], _shared=backend
        )

    @property
    def backend_tokenizer(self) -> Tokenizer:
        """The tokenizer of the package ``tokenizers``. Models with equal tokenizers share it, so it stays as it is."""
        whole = self._whole_if_read
        return self._shared.tokenizer if whole is None else whole.backend_tokenizer

    @property
    def eos_token_id(self) -> int | None:
        """Id of the token that ends a text; None if there is none."""
        whole = self._whole_if_read
        return self._eos_token_id if whole is None else whole.eos_token_id

    @property
    def _whole_if_read(self) -> PreTrainedTokenizerFast | None:
        return self.__dict__.get("_whole")

    def get_vocab(self) -> dict[str, int]:
        """Every token with its id."""
        return self.backend_tokenizer.get_vocab(with_added_tokens=True)

    def __len__(self) -> int:
        return self.backend_tokenizer.get_vocab_size(with_added_tokens=True)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Tokenize as transformers does."""
        return self._whole(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        # Copying and pickling ask for special methods of an object that has no attributes yet.
        if name.startswith("__") or name == "_whole":
            raise AttributeError(name)
        return getattr(self._whole, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._whole, name, value)

    @cached_property
    def _whole(self) -> PreTrainedTokenizerFast:
        return read_tokenizer(self._name, self._folder)


def token_ids(tokenizer: PreTrainedTokenizerFast, text: str) -> tuple[int, ...]:
    """The ids of a text's tokens, with the special tokens that the tokenizer adds."""
    if isinstance(tokenizer, QuickTokenizer):
        return tuple(tokenizer.backend_tokenizer.encode(text).ids)
    return tuple(tokenizer(text).input_ids)


def read_quick_tokenizer(name: str, folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer in a folder: a ``QuickTokenizer`` that stands for it, where the cache can be written.

    Args:
        name: What messages call the model.
        folder: A folder with a tokenizer.

    Raises:
        ModelError: If it cannot be read, or is not a fast tokenizer.
    """
    with suppress(OSError, SettingsError):
        kept = cache_root() / "tokenizers" / _key(folder)
        found = _quick(name, folder, kept)
        if found is None:
            shutil.rmtree(kept, ignore_errors=True)
            _keep(read_tokenizer(name, folder), kept)
            found = _quick(name, folder, kept)
        if found is not None:
            return found
    return read_tokenizer(name, folder)


def _quick(name: str, folder: Path, kept: Path) -> PreTrainedTokenizerFast | None:
    """The kept tokenizer; None if there is none, or it is damaged."""
    try:
        return cast("PreTrainedTokenizerFast", QuickTokenizer(name, folder, kept))
    # The tokenizers library raises bare Exception for a malformed file.
    except Exception:
        return None


def _keep(tokenizer: PreTrainedTokenizerFast, kept: Path) -> None:
    tokenizer.backend_tokenizer.no_truncation()  # as transformers does at each call that asks for none
    tokenizer.backend_tokenizer.no_padding()
    with new_folder(kept) as unfinished:
        tokenizer.backend_tokenizer.save(str(unfinished / _TOKENIZER), pretty=False)
        (unfinished / _FACTS).write_text(json.dumps({"eos_token_id": tokenizer.eos_token_id}), encoding="utf-8")


def _key(folder: Path) -> str:
    """A name for what transformers makes of a folder's configuration and tokenizer files."""
    digest = hashlib.sha256(f"{_LAYOUT} {version('transformers')} {version('tokenizers')}".encode())
    for file in sorted(folder.glob("*.json")):
        digest.update(f"\0{file.name}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:32]


def _read_backend(file: Path) -> _Shared:
    from tokenizers import Tokenizer

    content = file.read_bytes()
    key = hashlib.sha256(content).hexdigest()
    found = _shared.get(key)
    if found is None:
        found = _shared[key] = _Shared(Tokenizer.from_buffer(content))
    return found
