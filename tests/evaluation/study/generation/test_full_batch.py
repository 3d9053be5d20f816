from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from cosec.decoding.completer import Completer, Completion
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.prompt_cache import PromptCache
from cosec.decoding.settings import SamplingSettings
from cosec.errors import PromptError, SettingsError
from cosec.evaluation.study.arms import parse_arm
from cosec.evaluation.study.generation.full_batch import FullBatch
from cosec.evaluation.tasks.chat_prompts import prompt_text
from cosec.evaluation.tasks.tasks import Task
from tests.decoding.pairs import separate_pair
from tests.tiny import CONTEXT_LENGTH

PROMPTS = ["def read(path):\n", "int main(", "x = é", "while (", "a"]
SAMPLES = 3

Said = dict[tuple[str, int], tuple[str, str, list[int]]]
"""By task and sample: text, finish reason and token ids."""


def tasks() -> list[Task]:
    return [Task(id=str(index), prompt=prompt, stop=("\n\n",)) for index, prompt in enumerate(PROMPTS)]


def sampling(**changes: object) -> SamplingSettings:
    return SamplingSettings(**{"temperature": 0.8, "max_new_tokens": 16, "stop": ("\n\n",), **changes})


def told(done: Completion) -> tuple[str, str, list[int]]:
    return done.text, done.finish_reason, [record.token_id for record in done.records]


@pytest.fixture(scope="module")
def separately(pair: PreparedPair) -> Callable[[str], Said]:
    """What an arm says in one batch without a prompt cache."""

    @cache
    def said(arm: str) -> Said:
        chosen = parse_arm(arm)
        found = Completer(pair, chosen.settings(sampling()), alone=chosen.alone).complete(PROMPTS, n=SAMPLES)
        return {(str(one.prompt_index), one.sample_index): told(one) for one in found}

    return said


def said_by(batch: FullBatch) -> Said:
    found = batch.complete(tasks(), samples=SAMPLES)
    return {(task.id, sample): told(one) for task, done in found for sample, one in enumerate(done)}


@pytest.mark.parametrize("arm", ["origin", "lora", "cosec-plus", "speculative"])
@pytest.mark.parametrize("rows", [2, 7, 64])
def test_a_batch_that_is_refilled_says_what_separate_batches_say(
    pair: PreparedPair, separately: Callable[[str], Said], arm: str, rows: int
) -> None:
    assert said_by(FullBatch(pair, parse_arm(arm), sampling(), rows=rows)) == separately(arm)


def test_arms_that_share_a_prompt_cache_say_what_they_say_alone(
    pair: PreparedPair, separately: Callable[[str], Said]
) -> None:
    kept = PromptCache.for_study(pair)
    for arm in ["origin", "lora", "cosec-plus", "speculative", "cosec-plus:threshold=0.7", "origin"]:
        assert said_by(FullBatch(pair, parse_arm(arm), sampling(), rows=7, cache=kept)) == separately(arm)


def test_drafts_of_any_length_end_alike(tmp_path: Path) -> None:
    pair = separate_pair(tmp_path)

    def texts(draft_length: int) -> list[str]:
        batch = FullBatch(pair, parse_arm("cosec-plus"), sampling(draft_length=draft_length), rows=8)
        found = {task.id: [one.text for one in done] for task, done in batch.complete(tasks(), samples=2)}
        return [text for name in sorted(found) for text in found[name]]

    assert texts(1) == texts(4)


def test_tasks_are_taken_only_when_there_is_room(pair: PreparedPair) -> None:
    taken: list[str] = []

    def one_by_one() -> Iterator[Task]:
        for task in tasks():
            taken.append(task.id)
            yield task

    results = FullBatch(pair, parse_arm("origin"), sampling(), rows=4).complete(one_by_one(), samples=2)
    next(results)
    assert len(taken) < len(PROMPTS)
    assert len(list(results)) == len(PROMPTS) - 1


def test_the_time_of_all_samples_is_the_time_that_passed(pair: PreparedPair) -> None:
    started = time.perf_counter()
    found = list(FullBatch(pair, parse_arm("origin"), sampling(), rows=4).complete(tasks(), samples=2))
    passed = time.perf_counter() - started
    assert 0 < sum(one.seconds for _, done in found for one in done) <= passed


def test_a_prompt_that_leaves_no_room_is_refused_by_name(pair: PreparedPair) -> None:
    task = Task(id="long", prompt="x " * CONTEXT_LENGTH, stop=())
    with pytest.raises(PromptError, match="prompt of long has"):
        list(FullBatch(pair, parse_arm("origin"), sampling(), rows=4).complete([task], samples=1))


def test_nothing_to_do_gives_nothing(pair: PreparedPair) -> None:
    assert list(FullBatch(pair, parse_arm("origin"), sampling(), rows=4).complete([], samples=1)) == []


TEMPLATE = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}a:{% endif %}"
)


def test_the_cue_is_read_before_the_prompt_and_no_other_arm_has_it(
    pair: PreparedPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cosec.evaluation.tasks.chat_prompts.CUE", "Be safe.")  # the tiny context is short
    task = Task(id="one", prompt="x =", stop=())
    cued, plain, origin = (
        next(FullBatch(pair, parse_arm(arm), sampling(stop=()), rows=4).complete([one], samples=2))[1]
        for arm, one in (
            ("cue", task),
            ("origin", Task(id="two", prompt=prompt_text(task, cue=True), stop=())),
            ("origin", task),
        )
    )
    assert [[record.token_id for record in one.records] for one in cued] == [
        [record.token_id for record in one.records] for one in plain
    ]
    assert [one.text for one in cued] != [one.text for one in origin]


def test_a_chat_is_a_completion_of_its_template(pair: PreparedPair, monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task(id="one", prompt="x =", stop=(), format="chat")
    with pytest.raises(SettingsError, match="no chat template, so it cannot be asked one"):
        list(FullBatch(pair, parse_arm("origin"), sampling(), rows=4).complete([task], samples=1))
    monkeypatch.setattr(pair.tokenizer, "chat_template", TEMPLATE)
    monkeypatch.setattr("cosec.evaluation.study.generation.full_batch.chat_messages", _short_messages)
    text = "user: x =\na:"
    settings = sampling(stop=(), max_new_tokens=8)
    ((_, chat),) = FullBatch(pair, parse_arm("origin"), settings, rows=4).complete([task], samples=2)
    plain = Completer(pair, parse_arm("origin").settings(settings), alone="target").complete([text], n=2)
    assert [one.text for one in chat] == [one.text for one in plain]


def _short_messages(task: Task, *, cue: bool) -> list[dict[str, str]]:
    return [{"role": "user", "content": task.prompt}]
