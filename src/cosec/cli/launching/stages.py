"""The stages of ``cosec pipeline``: the commands that a recipe stands for, and which of them have finished.

A stage is one ``cosec`` command. Its inputs are identified by a hash over its command line and over the contents of the
files and folders that the command line names. Each embedded or hub model has a hash of its weights. A stage's record
holds these hashes and one of its output. Knows nothing about how commands are run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from cosec.errors import ModelError, SettingsError
from cosec.files import why_unreadable
from cosec.version import __version__

StageState = Literal["new", "begun", "done"]
"""Whether a stage has not begun, was interrupted, or is done."""

WEIGHTS = ("config.json", "tokenizer.json", "adapter_config.json", "*.safetensors")
"""Files that identify a model or an adapter; curves, manifests and checkpoints in its folder do not."""

MODEL_FLAGS = frozenset({"--teacher", "--student", "--base", "--start-from", "--target", "--security", "--anti-expert"})
"""Flags that name a model or an adapter: a folder, a file, an embedded name or a hub id."""

READ_FLAGS = MODEL_FLAGS | {"--data", "--pairs", "--functional-texts", "--recipe", "--scenarios", "--problems"}
"""Flags that may name a file or folder to read."""

RESUMABLE = ("align", "tune")
"""Stages that continue with --resume; the others continue, or start again, with the same command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One command and its output folder."""

    name: str
    """Name such as ``align`` or ``evaluate-joint``, unique in the pipeline."""

    command: tuple[str, ...]
    """Verb and flags, including --out."""

    out: Path
    """Output folder."""

    record: Path
    """File with the hashes of the stage's inputs and output, and its state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Identity of a stage's inputs."""

    command: str
    """Hash of the command, the files that it names, and the version of cosec."""

    models: Mapping[str, str | None]
    """Hash of the weights of each embedded or hub model; None if it is not on this machine yet."""

    def agree_with(self, other: Inputs) -> bool:
        """Whether the inputs are equal as far as both are known; a stage may begin before its model is fetched."""
        names = {*self.models, *other.models}
        pairs = [(self.models.get(name), other.models.get(name)) for name in names]
        return self.command == other.command and all(None in pair or pair[0] == pair[1] for pair in pairs)


def plan_stages(recipe: Mapping[str, Any], out: Path) -> list[Stage]:
    """Turn a recipe into commands; each takes the output of the one before.

    Args:
        recipe: Tables ``prune``, ``align``, ``tune`` and any number of ``evaluate``, each optional; their entries are
            the command's flags, and ``evaluate`` has ``measure`` for the command after the verb.
        out: Folder of the pipeline.

    Raises:
        SettingsError: If a table is unknown, malformed, or names a folder that the pipeline decides itself, or two
            evaluations have one name.
    """
    unknown = recipe.keys() - {"prune", "align", "tune", "evaluate"}
    if unknown or not recipe:
        found = ", ".join(sorted(unknown)) or "nothing"
        raise SettingsError(f"A pipeline has the tables prune, align, tune and evaluate; found {found}.")
    tables = {name: _table(recipe[name], name) for name in ("prune", "align", "tune") if name in recipe}
    evaluations = recipe.get("evaluate", [])
    if not isinstance(evaluations, list):
        raise SettingsError("Write [[evaluate]], with two brackets: there may be several.")
    stages = []
    made: dict[str, str] = {}
    if "prune" in tables:
        prune = dict(tables["prune"])
        model = str(prune.pop("model", "smollm2-135m"))
        made |= {"student": str(out / "student")}
        stages.append(_stage("prune", ["models", "prune", model], prune, out / "student", out))
    if "align" in tables:
        given = {key: made[key] for key in ("student",) if key in made}
        stages.append(_stage("align", ["align"], given | tables["align"], out / "aligned", out))
        made |= {"base": str(out / "aligned")}
    if "tune" in tables:
        given = {key: made[key] for key in ("base",) if key in made}
        stages.append(_stage("tune", ["tune"], given | tables["tune"], out / "adapter", out))
        made |= {"security": str(out / "adapter")}
    elif "base" in made:
        made |= {"security": made["base"]}
    for number, table in enumerate(evaluations, start=1):
        flags = _table(table, "evaluate")
        measure = str(flags.pop("measure", "joint"))
        name = str(flags.pop("name", f"{measure}-{number}"))
        if any(stage.name == f"evaluate-{name}" for stage in stages):
            raise SettingsError(f"Two [[evaluate]] tables have the name {name!r}; give each a name of its own.")
        given = {key: made[key] for key in ("security",) if key in made and "endpoint" not in flags}
        stages.append(_stage(f"evaluate-{name}", ["evaluate", measure], given | flags, out / f"evaluation-{name}", out))
    return stages


def _table(found: Any, name: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise SettingsError(f"{name} must be a table of flags.")
    for decided in ("out", "resume", "dry_run"):
        if decided in found:
            raise SettingsError(f"{name}.{decided} is decided by the pipeline; leave it out.")
    return dict(found)


def _stage(name: str, verb: Sequence[str], flags: Mapping[str, Any], folder: Path, out: Path) -> Stage:
    words = [*verb]
    for key, value in flags.items():
        flag = f"--{key.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        else:
            words += [word for each in (value if isinstance(value, list) else [value]) for word in (flag, str(each))]
    return Stage(
        name=name,
        command=(*words, "--out", str(folder)),
        out=folder,
        record=out / "stages" / f"{name}.json",
    )


def state_of(stage: Stage) -> StageState:
    """Compare a stage's record with its present inputs and output.

    Raises:
        SettingsError: If the stage was begun with other inputs, or its output was changed since.
    """
    if not stage.record.is_file():
        return "new"
    try:
        found = _record_of(stage)
        state, inputs, output = found["state"], Inputs(**found["inputs"]), found["output"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SettingsError(
            f"Cannot read {stage.record} ({why_unreadable(error)}); delete it and {stage.out}."
        ) from error
    if not stage.out.exists():
        return "new"
    if not inputs.agree_with(digest_inputs(stage)):
        _refuse(stage, "was made from other inputs")
    if state == "done" and output != _digest_weights(stage.out):
        _refuse(stage, "was changed after it was made")
    return "done" if state == "done" else "begun"


def _record_of(stage: Stage) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stage.record.read_text(encoding="utf-8"))
    return found


def _refuse(stage: Stage, why: str) -> None:
    raise SettingsError(f"{stage.out} {why}: delete it to make it again, or choose another --out.")


def record_stage(stage: Stage, state: StageState) -> None:
    """Record that a stage has begun or finished.

    Raises:
        SettingsError: If its inputs were changed while it ran.
    """
    from cosec.files import write_atomically

    inputs = digest_inputs(stage)
    begun = state == "done" and stage.record.is_file()
    if begun and not Inputs(**_record_of(stage)["inputs"]).agree_with(inputs):
        raise SettingsError(
            f"The inputs of {stage.name} were changed while it ran. {stage.out} was made from what they were: restore "
            "them and run the same command, or delete it to make it again."
        )
    record = {
        "state": state,
        "command": list(stage.command),
        "inputs": asdict(inputs),
        "output": _digest_weights(stage.out) if state == "done" else None,
    }
    write_atomically(stage.record, json.dumps(record, indent=2) + "\n")


def resumed(stage: Stage) -> tuple[str, ...]:
    """Return the command that continues a stage."""
    checkpoints = any((stage.out / "checkpoints").glob("step-*"))
    return (*stage.command, "--resume") if stage.command[0] in RESUMABLE and checkpoints else stage.command


def digest_inputs(stage: Stage) -> Inputs:
    """Hash the version of cosec and the command, with the contents of its input files in place of their names."""
    digest = hashlib.sha256(__version__.encode())
    models = dict.fromkeys(_models_of_recipe(stage))
    before = ""
    for word in stage.command:
        shown = word
        if word == str(stage.out):
            shown = "out"
        elif before in READ_FLAGS or before == "prune":
            # A benchmark's file may follow its kind, as in mbpp:FILE.
            path = next((path for path in (Path(word), Path(word.partition(":")[2] or word)) if path.exists()), None)
            shown = digest_path(path) if path else word
            if path is None and (before in MODEL_FLAGS or before == "prune"):
                models[word] = None
        digest.update(f"\0{shown}".encode())
        before = word
    return Inputs(command=digest.hexdigest(), models={name: _digest_model(name) for name in sorted(models)})


def _models_of_recipe(stage: Stage) -> list[str]:
    """The models that the stage's own recipe names, except those that its flags replace."""
    from cosec.training.settings import read_recipe

    verb, words = stage.command[0], stage.command
    if verb != "align" or "--recipe" not in words:
        return []
    entries = read_recipe(words[words.index("--recipe") + 1], verb)
    return [str(entries[role]) for role in ("teacher", "student") if role in entries and f"--{role}" not in words]


def _digest_model(name: str) -> str | None:
    """Hash the weights of an embedded or hub model; None if it is not on this machine. Nothing is fetched."""
    from cosec.models.identity import model_fingerprint
    from cosec.models.loading.embedded import BUNDLED_MODELS
    from cosec.models.loading.hub import cached

    if name in BUNDLED_MODELS:
        bundled = BUNDLED_MODELS[name]
        return bundled.weights_sha256 if bundled.is_pulled else None
    folder = cached(name)
    if folder is None:
        return None
    try:
        return digest_path(folder) if (folder / "adapter_config.json").is_file() else model_fingerprint(folder)
    except ModelError:  # only a part of it was fetched
        return None


def digest_path(path: Path) -> str:
    """Hash a file, the weights of a model or adapter folder, or all files of any other folder."""
    from cosec.models.identity import hash_file

    if path.is_file():
        return hash_file(path)
    return _digest_weights(path) or _digest_files(path, [file for file in path.rglob("*") if file.is_file()])


def _digest_weights(folder: Path) -> str | None:
    """Hash a model or an adapter; None for any other folder."""
    files = {file for pattern in WEIGHTS for file in folder.glob(pattern)}
    return _digest_files(folder, files) if any(file.suffix == ".safetensors" for file in files) else None


def _digest_files(folder: Path, files: Iterable[Path]) -> str:
    from cosec.models.identity import hash_file

    digest = hashlib.sha256()
    for name, file in sorted((file.relative_to(folder).as_posix(), file) for file in files):
        digest.update(f"{name}\0{hash_file(file)}\0".encode())
    return digest.hexdigest()
