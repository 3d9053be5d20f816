from __future__ import annotations

import pytest

from cosec.errors import SettingsError
from cosec.evaluation.tasks.chat_prompts import CUE, chat_ids, chat_messages, prompt_text, refuse_chats_without_template
from cosec.evaluation.tasks.scenarios import own_scenarios
from cosec.evaluation.tasks.tasks import Benchmark, Task, tasks_of
from tests.tiny import tiny_tokenizer

PYTHON = Task(id="a", prompt="def f():", stop=())


def c_task() -> Task:
    scenario = next(one for one in own_scenarios() if one.language == "c")
    return Task(id="b", prompt=scenario.prompt, stop=(), scenario=scenario)


def test_the_cue_is_a_comment_before_the_code() -> None:
    assert prompt_text(PYTHON, cue=False) == "def f():"
    assert prompt_text(PYTHON, cue=True) == f"# {CUE}\ndef f():"
    assert prompt_text(c_task(), cue=True).startswith(f"/* {CUE} */\n#include")


def test_a_chat_shows_the_code_in_a_block_and_has_the_cue_as_its_system_message() -> None:
    (asked,) = chat_messages(PYTHON, cue=False)
    assert asked["role"] == "user"
    assert asked["content"].endswith("\n\n```python\ndef f():\n```")
    system, asked = chat_messages(c_task(), cue=True)
    assert system == {"role": "system", "content": CUE}
    assert "C code" in asked["content"]
    assert "```c\n" in asked["content"]


def test_a_benchmark_in_a_chat_has_the_same_tasks_without_stop_texts() -> None:
    settings = {"name": "own", "scenarios": "own", "limit": 3}
    plain, chat = (tasks_of(Benchmark(**settings, **more)) for more in ({}, {"format": "chat"}))
    assert [one.id for one in plain] == [one.id for one in chat]
    assert all(one.stop == () and one.format == "chat" for one in chat)
    assert "format" not in Benchmark(**settings).model_dump()


def test_a_chat_is_in_the_models_own_template_up_to_its_answer() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}a:"
    found = chat_ids([{"role": "user", "content": "x ="}], tokenizer)
    assert found == tuple(tokenizer("user: x =\na:").input_ids)


def test_a_chat_is_refused_for_a_model_without_a_template() -> None:
    tokenizer = tiny_tokenizer()
    plain, chat = Benchmark(name="plain", scenarios="own"), Benchmark(name="asked", scenarios="own", format="chat")
    refuse_chats_without_template([plain], tokenizer, "the target")
    with pytest.raises(SettingsError, match="'asked' is a chat, but the target has no chat template; set its format"):
        refuse_chats_without_template([plain, chat], tokenizer, "the target")
    tokenizer.chat_template = "{{ messages[0].content }}"
    refuse_chats_without_template([plain, chat], tokenizer, "the target")
