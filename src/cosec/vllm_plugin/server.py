"""vLLM's OpenAI server with the plugin: ``python -m cosec.vllm_plugin.server`` takes the flags of vLLM's own.

The configuration is checked before the engine starts, and the engine before the server listens; on any failure the
server ends with an error.
"""

from __future__ import annotations

import logging
import os
import sys
import uuid
from collections.abc import Sequence
from typing import Any

from cosec.errors import CosecError
from cosec.vllm_plugin.installation import install
from cosec.vllm_plugin.requirements import required_settings
from cosec.vllm_plugin.self_check import check_law

_logger = logging.getLogger("vllm.cosec")
_PROMPTS = (
    "def read_file(path):\n",
    "import sqlite3\n\ndef find_user(name):\n",
    "def parse(text):\n    return",
    "import subprocess\n\ndef run(command):\n",
    "#include <stdio.h>\n\nint main(void) {\n",
    "import hashlib\n\ndef digest(data):\n    return hashlib.",
)
"""Beginnings of programs, of which the check takes the one that tells most."""


class ServedEngine:
    """The engine behind vLLM's server, as the check sees it."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.prompts: Sequence[Sequence[int]] = [client.get_tokenizer().encode(text) for text in _PROMPTS]
        """What the check may draw after."""

    async def call_workers(self, method: str) -> list[list[Any]]:
        """Call a method of every worker of every engine."""
        from cosec.vllm_plugin.engine.internals import call_all_workers

        return await call_all_workers(self._client, method)

    async def first_tokens(self, prompt: Sequence[int], rule: dict[str, Any], count: int) -> list[list[int]]:
        """Draw samples of two tokens at temperature 1 after a prompt."""
        from vllm import SamplingParams

        params = SamplingParams(n=count, temperature=1.0, max_tokens=2, seed=0, ignore_eos=True, extra_args=rule)
        output = await self._last(prompt, params)
        return [list(sample.token_ids) for sample in output.outputs]

    async def logprob_after(self, prompt: Sequence[int], token: int) -> float:
        """The target's log-probability of a token after a prompt."""
        from vllm import SamplingParams

        output = await self._last([*prompt, token], SamplingParams(max_tokens=1, prompt_logprobs=0))
        return float(output.prompt_logprobs[-1][token].logprob)

    async def _last(self, prompt: Sequence[int], params: Any) -> Any:
        """The last output of a request, which holds all of its tokens."""
        from vllm.inputs import tokens_input
        from vllm.sampling_params import RequestOutputKind

        params.output_kind = RequestOutputKind.FINAL_ONLY
        asked = tokens_input(prompt_token_ids=list(prompt))
        outputs = [one async for one in self._client.generate(asked, params, f"cosec-check-{uuid.uuid4().hex}")]
        return outputs[-1]


async def check_engine(client: Any) -> None:
    """Check a started engine.

    Raises:
        SettingsError: If it is not configured for the plugin.
        LawBroken: If it does not follow our rules.
    """
    settings = required_settings(client.vllm_config)
    _logger.info("CoSec: %s", await check_law(ServedEngine(client), with_base=settings.base is not None))


def main() -> int:
    """Run vLLM's server, which begins to listen after the checks.

    Returns:
        The exit status: 2 if the plugin cannot keep the rules' law in this engine.
    """
    os.environ.setdefault("VLLM_USE_V2_MODEL_RUNNER", "0")
    try:
        install()
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.entrypoints.launchers.api_server import entry

        configure, serve = AsyncEngineArgs.create_engine_config, entry.build_and_serve

        def checked_config(self: Any, *args: Any, **kwargs: Any) -> Any:
            config = configure(self, *args, **kwargs)
            required_settings(config)
            return config

        async def checked(engine_client: Any, *args: Any, **kwargs: Any) -> Any:
            await check_engine(engine_client)
            return await serve(engine_client, *args, **kwargs)

        AsyncEngineArgs.create_engine_config = checked_config
        entry.build_and_serve = checked
        entry.main()
    except CosecError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
