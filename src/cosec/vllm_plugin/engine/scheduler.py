"""The scheduler: vLLM's own, except that no token is ever sampled without a draft of the security model.

vLLM samples the first token of a request, and the first after a preemption, from the target alone, because the drafter
runs after the target has read the prompt. Here the target reads a prompt only up to its last token. The drafter, which
runs in the same step, is then fed that last token, as it is fed the last token of any unfinished prompt, and drafts.
The last token of the prompt is scheduled together with that draft, as the latest token of a running request is.
"""

from __future__ import annotations

from typing import Any

from vllm.v1.core.sched.scheduler import Scheduler

from cosec.errors import SettingsError
from cosec.vllm_plugin.deciding.decision import accepted_count
from cosec.vllm_plugin.deciding.drafts import UnscreenedTokenError
from cosec.vllm_plugin.installation import install
from cosec.vllm_plugin.requirements import longest_sequence, required_settings

install()


class DraftedScheduler(Scheduler):  # type: ignore[misc] # vLLM is not installed where types are checked
    """Schedules a request's next token only together with a draft."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        required_settings(self.vllm_config)
        if self.has_mamba_layers:
            raise SettingsError("CoSec's rules do not run inside vLLM for models with Mamba layers.")
        self.longest_sequence = longest_sequence(self.vllm_config)
        # The hook that vLLM calls before it schedules tokens of any request; it was made for Mamba models.
        self.need_mamba_block_aligned_split = True
        self._unable: set[str] = set()
        self._accepted: dict[str, int] = {}

    def add_request(self, request: Any) -> None:
        """Accept a request; one that cannot be drafted for from its first token on ends with an error."""
        room = self.longest_sequence - request.num_prompt_tokens
        super().add_request(request)
        if room < 1 or request.num_prompt_tokens < 2 or request.resumable:
            self._fail(request)
        else:
            request.max_tokens = min(request.max_tokens, room)

    def _fail(self, request: Any) -> None:
        """End a request with an error; vLLM tells its client so."""
        self._unable.add(request.request_id)
        self.grammar_compile_error_reqs.add(request.request_id)

    def _handle_blocked_waiting_request(self, request: Any) -> bool:
        if request.request_id in self._unable:
            return False
        ready: bool = super()._handle_blocked_waiting_request(request)
        return ready

    def _get_local_prefix_cache_hit(self, request: Any) -> Any:
        """The cached beginning of a request, which leaves at least one token for the drafter's step before the last."""
        blocks, count, boundary, diverged = super()._get_local_prefix_cache_hit(request)
        if count and request.num_tokens - count < 2:
            count = (count - 1) // self.block_size * self.block_size
            blocks = self.kv_cache_manager.truncate_computed_blocks(blocks, count)
        return blocks, count, boundary, diverged

    def _mamba_block_aligned_split(
        self,
        request: Any,
        num_new_tokens: int,
        num_new_local_computed_tokens: int = 0,
        num_external_computed_tokens: int = 0,
    ) -> int:
        """How many tokens of a request to schedule: all, or those before its last token if there is no draft for it."""
        start = request.num_computed_tokens + num_new_local_computed_tokens + num_external_computed_tokens
        end = start + num_new_tokens
        if end < request.num_tokens or (request.spec_token_ids and end > request.num_tokens):
            return num_new_tokens
        before_last: int = request.num_tokens - 1 - start
        if before_last <= 0 and not request.spec_token_ids and not request.num_in_flight_tokens:
            self._fail(request)
        return max(0, before_last)

    def update_draft_token_ids(self, draft_token_ids: Any) -> None:
        """Take over the drafts of a step, those after a prompt without its last token included."""
        super().update_draft_token_ids(draft_token_ids)
        for request_id, tokens in zip(draft_token_ids.req_ids, draft_token_ids.draft_token_ids, strict=True):
            request = self.requests.get(request_id)
            if request is None or request.is_finished() or not request.is_prefill_chunk:
                continue
            if request.num_computed_tokens == request.num_tokens - 1:
                request.spec_token_ids = tokens

    def update_from_output(self, scheduler_output: Any, model_runner_output: Any) -> Any:
        """Take over the tokens of a step, after checking that each request with tokens had a draft.

        Raises:
            UnscreenedTokenError: If one had not.
        """
        drafted = scheduler_output.scheduled_spec_decode_tokens
        self._accepted = {}
        for request_id, row in model_runner_output.req_id_to_index.items():
            tokens = model_runner_output.sampled_token_ids[row] if model_runner_output.sampled_token_ids else []
            draft = drafted.get(request_id, [])
            if len(tokens) > len(draft):
                raise UnscreenedTokenError(
                    f"Request {request_id} got {len(tokens)} tokens for a draft of {len(draft)}. The plugin and this "
                    "vLLM do not fit; please report it."
                )
            self._accepted[request_id] = accepted_count(tokens, draft)
        outputs = super().update_from_output(scheduler_output, model_runner_output)
        self._unable.intersection_update(self.requests)
        return outputs

    def make_spec_decoding_stats(
        self,
        spec_decoding_stats: Any,
        num_draft_tokens: int,
        num_accepted_tokens: int,
        num_invalid_spec_tokens: dict[str, int] | None,
        request_id: str,
    ) -> Any:
        """Count accepted tokens as they are without a bonus token."""
        accepted = self._accepted.get(request_id, num_accepted_tokens)
        return super().make_spec_decoding_stats(
            spec_decoding_stats, num_draft_tokens, accepted, num_invalid_spec_tokens, request_id
        )
