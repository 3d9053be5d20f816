"""Messages about missing packages name an extra that exists, in a way that works without a release."""

import re
import tomllib
from pathlib import Path

from cosec.extras import how_to_install

ROOT = Path(__file__).parents[1]


def test_a_hint_names_the_clone() -> None:
    assert how_to_install("serve") == "install the extra 'serve': pip install '.[serve]' in a clone of the repository"


def test_every_extra_that_a_hint_names_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    sources = "".join(file.read_text() for file in (ROOT / "src" / "cosec").rglob("*.py"))
    named = set(re.findall(r"how_to_install\([\"'](\w+)[\"']\)", sources))
    assert {"serve", "plots", "llama"} <= named <= extras.keys()
