from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

import pytest

from cosec.decoding.completer import Completer, Completion
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.rules.schema import AnyRule, GateSettings, SpeculativeSettings, SteerSettings, ThresholdSettings
from cosec.decoding.settings import DecodingSettings, SamplingSettings
from cosec.errors import PromptError, SettingsError
from cosec.models.loading.load import ModelPair
from cosec.runtime import TorchPairModels
from tests.decoding.pairs import shared_pair
from tests.tiny import CONTEXT_LENGTH

PROMPTS = ["def read(path):\n", "int main(", "x = é", "for name in os"]


def settings(*, preset: str = "paper", threshold: float = 0.3, **sampling: object) -> DecodingSettings:
    return DecodingSettings(
        rule=ThresholdSettings(preset=preset, threshold=threshold),
        sampling=SamplingSettings(**{"temperature": 0.8, "max_new_tokens": 12, **sampling}),
    )


def texts(completions: list[Completion]) -> list[str]:
    return [completion.text for completion in completions]


def tokens(completion: Completion) -> list[int]:
    return [record.token_id for record in completion.records]


def test_completions_come_by_prompt_and_sample_and_do_not_depend_on_the_batch(pair: PreparedPair) -> None:
    done = Completer(pair, settings(max_new_tokens=10)).complete(PROMPTS, n=2)
    assert [(one.prompt_index, one.sample_index) for one in done] == [(p, s) for p in range(4) for s in range(2)]
    for rows, draft_length in ((1, "auto"), (5, 1), (32, 4)):
        completer = Completer(pair, settings(max_new_tokens=10, draft_length=draft_length), rows=rows)
        assert texts(completer.complete(PROMPTS, n=2)) == texts(done)


def test_a_printed_completion_shows_its_text_and_not_every_token(pair: PreparedPair) -> None:
    (completion,) = Completer(pair, settings()).complete(PROMPTS[:1])
    assert repr(completion.text) in repr(completion)
    assert "TokenRecord" not in repr(completion)


def test_pieces_add_up_to_the_completion(pair: PreparedPair) -> None:
    shown: dict[tuple[int, int], str] = {}
    records: dict[tuple[int, int], list[object]] = {}
    finished = {}
    for piece in Completer(pair, settings(draft_length=3)).stream(PROMPTS, n=2):
        key = (piece.prompt_index, piece.sample_index)
        assert key not in finished, "a piece after the last one"
        shown[key] = shown.get(key, "") + piece.text
        records.setdefault(key, []).extend(piece.records)
        if piece.completion is not None:
            finished[key] = piece.completion
    assert len(finished) == 8
    for key, completion in finished.items():
        assert shown[key] == completion.text
        assert records[key] == list(completion.records)
        assert completion.totals.tokens == len(completion.records)


@pytest.mark.parametrize("draft_length", [4, "auto", pytest.param(1, marks=pytest.mark.slow)])
def test_the_target_alone_is_sampled_with_the_settings_whatever_the_preset(
    separate: PreparedPair, draft_length: int | str
) -> None:
    # The release preset's raw fallback belongs to its hardened arm: the arm it is compared with samples as asked.
    alone = {
        preset: texts(
            Completer(
                separate, settings(preset=preset, temperature=0.3, draft_length=draft_length), alone="target"
            ).complete(PROMPTS, n=2)
        )
        for preset in ("paper", "release", "cosec", "warped")
    }
    assert alone["release"] == alone["cosec"] == alone["warped"] == alone["paper"]
    hardened = Completer(separate, settings(threshold=1.0, temperature=0.3, draft_length=draft_length))
    assert texts(hardened.complete(PROMPTS, n=2)) == alone["paper"]


@pytest.mark.parametrize("draft_length", [1, 5, *(pytest.param(length, marks=pytest.mark.slow) for length in (2, 8))])
def test_a_stop_text_ends_text_and_records_alike_for_every_draft_length(
    separate: PreparedPair, draft_length: int
) -> None:
    # At threshold 0 every proposal stands, so that drafts reach far beyond the stop text.
    sampling = {"threshold": 0.0, "max_new_tokens": 24}
    whole = Completer(separate, settings(**sampling)).complete(PROMPTS, n=2)
    stop = next(char for one in whole for char in one.text[4:] if char.isascii() and char.isprintable())
    chosen = settings(**sampling, draft_length=draft_length, stop=(stop,))
    stopped = Completer(separate, chosen).complete(PROMPTS, n=2)
    reasons = set()
    for one, cut in zip(whole, stopped, strict=True):
        assert cut.text == one.text.split(stop)[0]
        assert tokens(cut) == tokens(one)[: len(cut.records)]
        if stop in one.text:
            assert cut.finish_reason == "stop"
            before = separate.tokenizer.decode(tokens(cut)[:-1])
            assert stop not in before, "records go on after the token that completed the stop text"
        reasons.add(cut.finish_reason)
    assert "stop" in reasons


def test_a_stop_token_is_recorded_but_not_shown(separate: PreparedPair) -> None:
    whole = Completer(separate, settings()).complete(PROMPTS[:1])[0]
    stop = tokens(whole)[5]
    first = tokens(whole).index(stop)
    before = separate.stop_token_ids
    separate.stop_token_ids = frozenset({stop})  # a token that the tokenizer does not call special
    try:
        cut = Completer(separate, settings()).complete(PROMPTS[:1])[0]
    finally:
        separate.stop_token_ids = before
    assert cut.finish_reason == "stop"
    assert tokens(cut) == tokens(whole)[: first + 1]
    prompt = separate.tokenizer(PROMPTS[0]).input_ids
    assert PROMPTS[0] + cut.text == separate.tokenizer.decode([*prompt, *tokens(whole)[:first]])


def test_a_cancelled_completion_keeps_what_it_has_and_leaves_the_others_alone(pair: PreparedPair) -> None:
    whole = Completer(pair, settings(draft_length=1)).complete(PROMPTS[:2])
    asked = 0

    def cancelled(prompt_index: int, sample_index: int) -> bool:
        nonlocal asked
        asked += prompt_index == 1
        return prompt_index == 1 and asked > 3

    pieces = Completer(pair, settings(draft_length=1)).stream(PROMPTS[:2], cancelled=cancelled)
    first, second = sorted((p.completion for p in pieces if p.completion), key=lambda one: one.prompt_index)
    assert first.text == whole[0].text
    assert second.finish_reason == "cancelled"
    assert tokens(second) == tokens(whole[1])[:3]


def test_completions_of_one_token_never_crash_however_many(pair: PreparedPair) -> None:
    completer = Completer(pair, settings(max_new_tokens=1), rows=1)
    assert [len(one.records) for one in completer.complete(PROMPTS, n=5)] == [1] * 20


def test_threads_that_share_a_pair_get_the_texts_that_each_gets_alone(pair: PreparedPair) -> None:
    completers = [Completer(pair, settings(seed=seed, max_new_tokens=24), rows=4) for seed in range(4)]
    alone = [texts(one.complete(PROMPTS, n=2)) for one in completers]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda one: texts(one.complete(PROMPTS, n=2)), completers))
    assert together == alone


def test_impossible_numbers_are_refused(separate: PreparedPair) -> None:
    with pytest.raises(SettingsError, match="rows must be at least 1"):
        Completer(separate, settings(), rows=0)
    with pytest.raises(SettingsError, match="n must be at least 1"):
        Completer(separate, settings()).complete(PROMPTS, n=0)


def test_an_empty_prompt_is_refused_before_anything_runs(separate: PreparedPair) -> None:
    with pytest.raises(PromptError, match="Prompt 1 is empty"):
        next(Completer(separate, settings()).stream(["fine", ""]))


def test_a_prompt_of_white_space_is_completed(separate: PreparedPair) -> None:
    assert len(Completer(separate, settings(max_new_tokens=2)).complete(["  \n"])) == 1


def test_a_prompt_that_fills_the_context_is_refused_and_one_that_nearly_does_gets_the_room_left(
    separate: PreparedPair,
) -> None:
    # "é" is two byte tokens in this vocabulary.
    with pytest.raises(PromptError, match=f"{CONTEXT_LENGTH} tokens.*holds {CONTEXT_LENGTH}"):
        Completer(separate, settings()).complete(["é" * (CONTEXT_LENGTH // 2)])
    nearly = Completer(separate, settings(draft_length=4)).complete(["é" * (CONTEXT_LENGTH // 2 - 1), "x"])
    assert next(len(one.records) for one in nearly if one.finish_reason == "length") == 2


def test_hardening_without_a_security_model_is_refused(separate: PreparedPair) -> None:
    alone = PreparedPair(ModelPair(target=separate.pair.target, security=None, adapter=None))
    assert not alone.has_security
    with pytest.raises(SettingsError, match="no security model"):
        Completer(alone, settings())
    with pytest.raises(SettingsError, match="no security model"):
        Completer(alone, settings(), alone="security")
    origin = Completer(separate, settings(), alone="target").complete(PROMPTS)
    assert texts(Completer(alone, settings(), alone="target").complete(PROMPTS)) == texts(origin)


def test_the_security_model_alone_says_what_it_would_propose(pair: PreparedPair) -> None:
    greedy = settings(threshold=0.0, temperature=0.0)
    alone = Completer(pair, greedy, alone="security").complete(PROMPTS)
    assert texts(alone) == texts(Completer(pair, greedy).complete(PROMPTS)), "at threshold 0 every proposal stands"
    assert texts(alone) != texts(Completer(pair, greedy, alone="target").complete(PROMPTS))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> PreparedPair:
    return shared_pair(tmp_path_factory.mktemp("shared"))


def steered(rule: AnyRule | None = None, **sampling: object) -> DecodingSettings:
    return settings(**sampling).model_copy(update={"rule": rule or SteerSettings(strength=1.0)})


@pytest.fixture
def without_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever runs the target, or the security model's base, fails."""

    def fail(self: TorchPairModels) -> NoReturn:
        raise AssertionError("the target runs")

    for role in ("target", "base", "halves", "opposed"):
        monkeypatch.setattr(TorchPairModels, role, fail)


@pytest.mark.parametrize(
    "sampling",
    [
        {"draft_length": 1, "seed": 1},
        {"draft_length": 3, "seed": 2, "top_p": 0.8},
        {"draft_length": "auto", "seed": 3, "top_k": 5, "temperature": 1.5},
        {"draft_length": 4, "temperature": 0},
    ],
)
def test_texts_are_the_same_without_records_of_the_target(shared: PreparedPair, sampling: dict[str, object]) -> None:
    chosen = steered(**sampling)
    whole = Completer(shared, chosen).complete(PROMPTS, n=2)
    brief = Completer(shared, chosen, target_records=False).complete(PROMPTS, n=2)
    assert texts(brief) == texts(whole)
    assert texts(brief) != texts(Completer(shared, chosen, alone="target").complete(PROMPTS, n=2))
    for one, other in zip(brief, whole, strict=True):
        assert one.finish_reason == other.finish_reason
        for record, full in zip(one.records, other.records, strict=True):
            assert (record.token_id, record.origin, record.proposed_id) == (
                full.token_id,
                full.origin,
                full.proposed_id,
            )
            assert record.security_log_prob == pytest.approx(full.security_log_prob, abs=1e-4)
            assert record.acceptance_ratio == 1.0
            assert full.acceptance_ratio == pytest.approx(1.0)
            assert (record.changed, record.target_log_prob) == (None, None)
            assert full.changed is not None
            assert full.target_log_prob is not None
        assert (one.totals.changed, one.totals.target_asked, other.totals.target_asked) == (0, False, True)
        assert "changed" not in one.records[0].to_json()


@pytest.mark.usefixtures("without_target")
def test_the_target_does_not_run_where_it_changes_no_token(shared: PreparedPair) -> None:
    assert len(Completer(shared, steered(), target_records=False).complete(PROMPTS, n=2)) == 8


@pytest.mark.usefixtures("without_target")
@pytest.mark.parametrize(
    ("rule", "sampling"),
    [
        (SteerSettings(strength=1.0001), {}),
        (SteerSettings(strength=2.0), {}),
        (GateSettings(strength=0.1), {}),
        (ThresholdSettings(threshold=0.0), {}),
        (SpeculativeSettings(), {}),
        (SteerSettings(strength=1.0), {"top_logprobs": 0}),
    ],
)
def test_the_target_runs_for_every_other_rule_and_for_log_probabilities(
    shared: PreparedPair, rule: AnyRule, sampling: dict[str, object]
) -> None:
    with pytest.raises(AssertionError, match="the target runs"):
        Completer(shared, steered(rule, **sampling), target_records=False)


@pytest.mark.usefixtures("without_target")
def test_the_target_runs_unless_its_records_are_declined(shared: PreparedPair) -> None:
    with pytest.raises(AssertionError, match="the target runs"):
        Completer(shared, steered())


def test_records_are_whole_where_the_target_runs_anyway(pair: PreparedPair) -> None:
    done = Completer(pair, settings(), target_records=False).complete(PROMPTS)
    assert texts(done) == texts(Completer(pair, settings()).complete(PROMPTS))
    assert all(one.totals.target_asked for one in done)
