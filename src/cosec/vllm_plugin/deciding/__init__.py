"""What is drafted and what stands: the plugin's tensor code, which knows nothing of vLLM and is tested without it."""

from __future__ import annotations

from cosec.vllm_plugin.deciding.drafting import Drafting
from cosec.vllm_plugin.deciding.verification import Step, Verified, verify

__all__ = ["Drafting", "Step", "Verified", "verify"]
