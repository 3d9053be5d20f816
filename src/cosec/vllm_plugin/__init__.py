"""Our decoding rules inside vLLM: a plugin for its draft-model speculative decoding, without a fork.

The security model is vLLM's draft model. The plugin replaces vLLM's rejection sampling by our rules, and its scheduler
by one that never lets a token be sampled without a draft. What reaches the plugin, and how, is in :mod:`.settings`:

- the server's settings travel in ``additional_config["cosec"]``, which vLLM hands to each of its processes;
- a request's rule travels in ``SamplingParams.extra_args`` (``vllm_xargs`` over HTTP) as ``cosec_rule``,
  ``cosec_strength``, ``cosec_threshold`` and so on.

``engine`` holds the parts that vLLM runs, ``deciding`` the tensor code, which is tested without vLLM.
"""

from __future__ import annotations

from cosec.vllm_plugin.settings import (
    REQUEST_PREFIX,
    VLLM_VERSION,
    PluginSettings,
    command_line,
    engine_options,
)

__all__ = ["REQUEST_PREFIX", "VLLM_VERSION", "PluginSettings", "command_line", "engine_options"]
