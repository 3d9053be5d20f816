"""The playground in a real browser."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from cosec.decoding.blackbox.text_rule import text_rule_schemas
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.rules.schema import RULES
from cosec.serving.access.keys import add_key, read_keys
from tests.serving.browser import Page, open_page
from tests.serving.conftest import Served, serving


@pytest.fixture(scope="module")
def page(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_page(tmp_path_factory.mktemp("browser")) as one:
        yield one


@pytest.fixture
def fresh(page: Page, served: Served) -> Page:
    page.size(1280, 900)
    page.open(served.url + "/playground/")
    page.until("byId('model').textContent.includes('tiny')")
    page.run("byId('prompt').value = 'def read(path):\\n    '; byId('max-tokens').value = 24")
    del page.complaints[:]
    return page


def run(page: Page) -> str:
    page.run("byId('run').click()")
    page.until("byId('status').textContent === 'Done.'")
    return str(page.run("byId('hardened').textContent"))


def test_both_arms_stream_and_every_token_is_shaded_by_its_origin(fresh: Page) -> None:
    run(fresh)
    for pane in ("origin", "hardened"):
        assert fresh.run(f"byId('{pane}').querySelectorAll('.token').length") > 20
        assert "tokens" in fresh.run(f"byId('{pane}-totals').textContent")
    assert fresh.run("byId('origin').querySelectorAll('.token.security').length") == 0
    assert fresh.run("byId('hardened').querySelectorAll('.token.security').length") > 0
    assert fresh.run("byId('hardened').querySelectorAll('.token.target').length") > 0
    assert fresh.complaints == []


def test_the_strength_changes_the_result_and_the_seed_repeats_it(fresh: Page) -> None:
    first = run(fresh)
    assert run(fresh) == first
    fresh.run("byId('strength').value = 0.95")
    assert run(fresh) != first
    fresh.run("byId('rule').value = 'gate'; byId('rule').dispatchEvent(new Event('change'))")
    assert fresh.run("byId('strength-name').textContent").startswith("Gate")
    fresh.run("byId('strength').value = 0")
    run(fresh)
    assert fresh.run("byId('hardened').querySelectorAll('.token.gated').length") > 0
    assert "security decisions" in fresh.run("byId('hardened-totals').textContent")


def test_the_legend_says_what_a_change_of_a_target_that_gives_text_is(fresh: Page) -> None:
    assert fresh.run("byId('changed').textContent") == "not the target's most likely token"
    rules = text_rule_schemas(in_process=False)
    fresh.run(f"state.rules = {json.dumps(rules)}; byId('rule').value = 'gate'; showRule()")
    assert fresh.run("byId('changed').textContent") == "put by the security model in place of the target's text"


def test_the_controls_are_those_of_the_published_schema(fresh: Page) -> None:
    assert fresh.run("[...byId('rule').options].map((one) => one.value)") == list(RULES)
    for name, kind in RULES.items():
        fresh.run(f"byId('rule').value = '{name}'; byId('rule').dispatchEvent(new Event('change'))")
        shown = fresh.run("[...byId('settings').querySelectorAll('[data-setting]')].map((one) => one.dataset.setting)")
        assert shown == [setting for setting in kind.settings() if setting != kind.strength_setting]
        assert fresh.run("byId('strength').disabled") == (kind.strength_setting is None)
        assert fresh.run("Object.keys(hardening())") == ["rule", "audit", *filter(None, [kind.strength_setting])]


def test_a_changed_setting_is_sent_and_a_preset_clears_what_it_stands_for(fresh: Page) -> None:
    fresh.run("byId('rule').value = 'gate'; byId('rule').dispatchEvent(new Event('change'))")
    fresh.run("settingElement('divergence').value = 'js'; settingElement('plausibility_floor').value = 0.5")
    chosen = fresh.run("hardening()")
    assert (chosen["divergence"], chosen["plausibility_floor"]) == ("js", 0.5)
    assert "decision" not in chosen
    fresh.run("byId('rule').value = 'threshold'; byId('rule').dispatchEvent(new Event('change'))")
    fresh.run("settingElement('fallback').value = 'raw'; settingElement('preset').value = 'warped'")
    fresh.run("settingElement('preset').dispatchEvent(new Event('change'))")
    chosen = fresh.run("hardening()")
    assert chosen["preset"] == "warped"
    assert "fallback" not in chosen
    run(fresh)


def test_each_side_gets_its_verdict(tiny_pair: PreparedPair, page: Page) -> None:
    judge = [sys.executable, "-m", "cosec.evaluation.judging.text_worker"]
    with serving(tiny_pair, checks_with=judge) as running:
        page.size(1280, 900)
        page.open(running.url + "/playground/")
        page.until("state.checks")
        page.run("byId('prompt').value = 'import os\\n\\n\\nos.system(input())\\n'; byId('max-tokens').value = 9")
        run(page)
        page.until("byId('origin-verdict').children.length && byId('hardened-verdict').children.length")
        assert page.run("byId('origin-verdict').textContent")


def test_hover_and_arrow_keys_show_the_numbers(fresh: Page) -> None:
    run(fresh)
    fresh.hover("#hardened .token:nth-of-type(4)")
    fresh.until("!byId('details').hidden")
    shown = fresh.run("byId('details').textContent")
    assert "acceptance ratio" in shown
    assert "probability, target" in shown
    assert "probability, security" in shown
    fresh.run("byId('hardened').focus()")
    fresh.key("End")
    last = fresh.run("document.activeElement === [...document.querySelectorAll('#hardened .token')].at(-1)")
    assert last
    fresh.until("!byId('details').hidden")
    fresh.key("ArrowLeft")
    assert fresh.run("document.activeElement === [...document.querySelectorAll('#hardened .token')].at(-2)")
    fresh.key("Escape")
    fresh.until("byId('details').hidden")


def test_an_error_is_shown_in_the_servers_words(fresh: Page) -> None:
    fresh.run("byId('max-tokens').value = 5000; byId('run').click()")
    fresh.until("!byId('error').hidden")
    assert "max_tokens" in fresh.run("byId('error').textContent")
    fresh.run("byId('max-tokens').value = 5")
    run(fresh)
    assert fresh.run("byId('error').hidden")


def test_the_keyboard_runs_and_the_theme_switches(fresh: Page) -> None:
    fresh.run("byId('prompt').focus()")
    fresh.key("Enter", modifiers=2)
    fresh.until("byId('status').textContent === 'Done.'")
    before = fresh.run("getComputedStyle(document.body).backgroundColor")
    fresh.run("byId('theme').click()")
    assert fresh.run("getComputedStyle(document.body).backgroundColor") != before


def test_nothing_is_cut_off_on_a_phone(fresh: Page) -> None:
    fresh.size(360, 740, mobile=True)
    run(fresh)
    assert fresh.run("document.documentElement.scrollWidth") <= 360
    boxes = fresh.run("[...document.querySelectorAll('.panes section')].map((one) => one.getBoundingClientRect().top)")
    assert boxes[1] > boxes[0] + 50, "the panes stand below each other"


def test_a_server_with_keys_tells_the_page_to_give_one(tiny_pair: PreparedPair, page: Page, tmp_path: Path) -> None:
    key = add_key(tmp_path / "keys", "anna")
    with serving(tiny_pair, keys=read_keys(tmp_path / "keys")) as running:
        page.size(1280, 900)
        page.open(running.url + "/playground/")
        page.run("byId('max-tokens').value = 5; byId('prompt').value = 'def'; byId('run').click()")
        page.until("byId('error').textContent.includes('API key')")
        page.run(f"byId('key').value = '{key}'")
        run(page)


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_browser_fails_in_ci_and_is_a_skip_elsewhere(
    ci: str, outcome: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(outcome, match="no Chromium"), open_page(tmp_path):
        pass


def test_the_page_needs_nothing_from_elsewhere() -> None:
    folder = files("cosec.serving") / "playground"
    for name in ("index.html", "playground.css", "playground.js"):
        text = (folder / name).read_text(encoding="utf-8")
        assert not re.search(r"(?:https?:)?//[\w-]+\.", text), name
