"""The models of a study: the target with each security model that some arm takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosec.errors import SettingsError
from cosec.evaluation.tasks.tasks import expand

if TYPE_CHECKING:
    from cosec.decoding.pairing import PreparedPair
    from cosec.decoding.prompt_cache import PromptCache
    from cosec.evaluation.study.arms import DecodingArm
    from cosec.evaluation.study.generation import LocalGenerator
    from cosec.evaluation.study.settings import StudySettings
    from cosec.models.loading.load import ModelPair


class StudyModels:
    """Every pair a study needs, each loaded whole, so that no pair's adapter is in another's weights."""

    def __init__(self, settings: StudySettings, *, dtype: str, device_map: str | None, rows: int) -> None:
        """Load the study's own pair, and one for each security model that arms call by name.

        Args:
            settings: What the study computes.
            dtype: As for ``load_pair``.
            device_map: As for ``load_pair``.
            rows: Completions decoded at once.

        Raises:
            DataError: If a name stands for an environment variable that is not set.
            ModelError: If a model cannot be found, read or trusted.
            SettingsError: If an arm's rule does not suit its security model; names the arm.
        """
        from cosec import load_pair
        from cosec.decoding.prompt_cache import DEFAULT_MEMORY, PromptCache

        arms = settings.decoding_arms()
        called = dict.fromkeys(arm.security for arm in arms if arm.security is not None)
        needs_security = any(arm.alone != "target" and arm.security is None for arm in arms)
        own = expand(settings.security) if needs_security else "none"
        target = expand(settings.target)
        self._rows = rows
        self._pairs: dict[str | None, tuple[PreparedPair, PromptCache]] = {}
        wanted = [(None, own), *((name, expand(settings.security_models[name])) for name in called)]
        for name, security in wanted:
            pair = load_pair(target, security, dtype=dtype, device_map=device_map)
            self._pairs[name] = pair, PromptCache.for_study(pair, DEFAULT_MEMORY // len(wanted))
        own_pair, _ = self._pairs[None]
        self.hashes = _hashes(own_pair.pair)
        """Of the study's own pair, and the type it is computed in where it is not float32."""
        self.named_hashes = {
            name: "+".join(_security_hashes(pair.pair).values()) for name, (pair, _) in self._pairs.items() if name
        }
        """Of the security models that arms call by name."""
        for arm in arms:  # nothing is generated for a study that could not be finished
            self._check(arm)

    def _check(self, arm: DecodingArm) -> None:
        from cosec.decoding.batch import batch_setup
        from cosec.decoding.settings import SamplingSettings

        try:
            batch_setup(self._pairs[arm.security][0], arm.settings(SamplingSettings()), arm.alone)
        except SettingsError as error:
            raise SettingsError(f"The arm {arm.name!r}: {error}") from error

    def generator(self, arm: DecodingArm) -> LocalGenerator:
        """What completes an arm's tasks."""
        from cosec.evaluation.study.generation import LocalGenerator

        pair, cache = self._pairs[arm.security]
        return LocalGenerator(pair, arm, rows=self._rows, cache=cache)


def _hashes(pair: ModelPair) -> dict[str, str]:
    from cosec.models.identity import model_fingerprint

    dtype = str(pair.target.model.dtype).removeprefix("torch.")
    # First, as a refusal shows the beginning of what differs.
    found = {} if dtype == "float32" else {"dtype": dtype}
    return {**found, "target": model_fingerprint(pair.target.path), **_security_hashes(pair)}


def _security_hashes(pair: ModelPair) -> dict[str, str]:
    """Of a model of its own, or of an adapter and its base where that is not the target."""
    from cosec.models.identity import file_sha256, model_fingerprint

    found = {}
    if pair.security is not None:
        found["security"] = model_fingerprint(pair.security.path)
    if pair.adapter is not None:
        found["adapter"] = file_sha256(pair.adapter.path / "adapter_model.safetensors")
    return found
