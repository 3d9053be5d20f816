"""Train several adapters and generate a study's completions within a time budget, side by side on one GPU.

    python stages.py --base qwen2.5-coder-0.5b --pairs DIR --work DIR --out DIR --seconds 500

Every run is a process of its own, so the card is shared. All state lies in ``--work``: the same command again goes on
where the last one stopped. ``--out`` gets archives after each stage. Judging needs no GPU and is done elsewhere, by the
command that ``cosec study`` prints.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
COMMAND = [sys.executable, "-c", "import sys; from cosec.cli.main import main; sys.exit(main(sys.argv[1:]))"]
WEIGHTS = "adapter_model.safetensors"
CONTRAST = ("contrast8", "wide8", "anti8")
"""An adapter made of two: the first's update minus the second's."""

PART_BYTES = 15 * 2**20
"""Largest file in ``--out``."""


class Clock:
    """The seconds that are left, and a log with times."""

    def __init__(self, seconds: float, log: Path) -> None:
        self._began, self._seconds, self._log = time.monotonic(), seconds, log

    @property
    def left(self) -> float:
        """Seconds."""
        return self._seconds - (time.monotonic() - self._began)

    def say(self, text: str) -> None:
        """Print and log a line."""
        line = f"[{time.monotonic() - self._began:6.1f}s] {text}"
        print(line, flush=True)  # noqa: T201 - the log
        with self._log.open("a") as opened:
            opened.write(line + "\n")


def start(arguments: Sequence[str], log: Path, **environment: str) -> subprocess.Popen[bytes]:
    """Start a cosec command with its output in a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as opened:
        return subprocess.Popen(
            [*COMMAND, *arguments], stdout=opened, stderr=subprocess.STDOUT, env={**os.environ, **environment}
        )


def wait(running: dict[str, subprocess.Popen[bytes]], clock: Clock, reserve: float, grace: float) -> None:
    """Wait until all have ended or only ``reserve`` seconds are left; those still running are asked to stop."""
    told: set[str] = set()
    while len(told) < len(running) and clock.left > reserve:
        for name, process in running.items():
            if name not in told and process.poll() is not None:
                clock.say(f"{name} ended with {process.returncode}")
                told.add(name)
        time.sleep(0.5)
    for name in running.keys() - told:
        clock.say(f"{name} is asked to stop")
        running[name].send_signal(signal.SIGINT)
    for name in running.keys() - told:
        try:
            running[name].wait(grace)
        except subprocess.TimeoutExpired:
            running[name].kill()
            running[name].wait()


def train(options: argparse.Namespace, clock: Clock) -> None:
    """Train what is not trained yet, all at once."""
    running = {}
    for recipe in sorted(options.recipes.glob("*.toml")):
        folder = options.work / "train" / recipe.stem
        manifest = folder / "manifest.json"
        if manifest.is_file() and (json.loads(manifest.read_text())["finished"] or not options.finish_training):
            continue
        arguments = ["tune", "--base", options.base, "--recipe", str(recipe), "--out", str(folder), *options.tune]
        for pairs in options.pairs:
            arguments += ["--pairs", str(pairs)]
        if manifest.is_file():
            arguments.append("--resume")
        running[f"train {recipe.stem}"] = start(arguments, options.work / "logs" / f"train-{recipe.stem}.log")
    if running:
        reserve = max(options.seconds - options.train_seconds, 30)
        wait(running, clock, reserve, grace=20)


def finish(options: argparse.Namespace, clock: Clock) -> None:
    """Copy each best adapter, its weights as float16, to ``adapters/``, and make the contrast of two of them."""
    import torch
    from safetensors.torch import load_file, save_file

    for folder in sorted((options.work / "train").iterdir()):
        out = options.work / "adapters" / folder.name
        if out.is_dir() or not (folder / WEIGHTS).is_file():
            continue
        weights = {name: value.half() for name, value in load_file(folder / WEIGHTS).items()}
        if not any(value.any() for name, value in weights.items() if "lora_B" in name):
            clock.say(f"{folder.name} is untrained")
            continue
        out.mkdir(parents=True)
        save_file(weights, out / WEIGHTS)
        for name in ("adapter_config.json", "manifest.json", "curves.jsonl"):
            shutil.copy(folder / name, out / name)
    contrast, expert, anti = (options.work / "adapters" / name for name in CONTRAST)
    if contrast.is_dir() or not (expert.is_dir() and anti.is_dir()):
        return
    contrast.mkdir()
    one, other = load_file(expert / WEIGHTS), load_file(anti / WEIGHTS)
    joined = {
        name: torch.cat([value, other[name]]) if "lora_A" in name else torch.cat([value, -other[name]], dim=1)
        for name, value in one.items()
    }
    save_file(joined, contrast / WEIGHTS)
    config = json.loads((expert / "adapter_config.json").read_text())
    config.update(r=2 * config["r"], lora_alpha=2 * config["lora_alpha"])
    (contrast / "adapter_config.json").write_text(json.dumps(config, indent=2))
    manifest = json.loads((expert / "manifest.json").read_text())
    about = {"made_of": {"plus": CONTRAST[1], "minus": CONTRAST[2]}, "base_model": manifest["base_model"]}
    (contrast / "manifest.json").write_text(json.dumps(about, indent=2))


def losses(folder: Path) -> dict[str, float]:
    """The validation losses of an adapter's best epoch; empty where it has none of its own."""
    manifest = json.loads((folder / "manifest.json").read_text())
    points = manifest.get("validation", [])
    return next((point for point in points if point["epoch"] == manifest["best_epoch"]), {})


def ranked(options: argparse.Namespace) -> list[str]:
    """The adapters, the one with the lowest validation loss (security + functional) first, the contrast second."""
    found = {}
    for folder in (options.work / "adapters").glob("*/"):
        loss = losses(folder)
        if loss and not folder.name.startswith("anti"):
            found[folder.name] = loss["security"] + loss["functional"]
    order = sorted(found, key=found.__getitem__)
    if (options.work / "adapters" / CONTRAST[0]).is_dir():
        order.insert(1, CONTRAST[0])
    return order


def generate(options: argparse.Namespace, clock: Clock) -> None:
    """Complete the studies of all adapters side by side, the best one's by most processes."""
    chosen = options.work / "best"
    if not chosen.is_file():
        chosen.write_text("\n".join(ranked(options)))
    order = chosen.read_text().split()
    if not order:
        chosen.unlink()
        clock.say("no adapter has lowered its validation loss; nothing to generate with")
        return
    clock.say(f"adapters, the best first: {', '.join(order)}")
    processes = {order[0]: max(1, options.slots - len(order) + 1), **dict.fromkeys(order[1:], 1)}
    running = {}
    for name, count in processes.items():
        recipe = options.studies / ("study-main.toml" if name == order[0] else "study-further.toml")
        for number in range(count):
            arguments = ["study", str(recipe), "--out", str(options.work / "study" / name), "--generate-only"]
            arguments += ["--batch-rows", str(options.rows), "--dtype", "float32"]
            if options.device_map:
                arguments += ["--device-map", options.device_map]
            log = options.work / "logs" / f"study-{name}-{number}.log"
            security = str(options.work / "adapters" / name)
            running[f"study {name} {number}"] = start(arguments, log, SECURITY=security, TARGET=options.base)
    wait(running, clock, reserve=25, grace=3)


def pack(options: argparse.Namespace, clock: Clock) -> None:
    """Write archives of everything so far to ``--out``, none larger than ``PART_BYTES``."""
    options.out.mkdir(parents=True, exist_ok=True)
    for old in options.out.glob("results.tar.gz.*"):
        old.unlink()
    whole = options.work / "results.tar.gz"
    with tarfile.open(whole, "w:gz", compresslevel=1) as archive:
        for name in ("logs", "log", "best", "study", "adapters"):  # what matters most first, if the end is lost
            if (options.work / name).exists():
                archive.add(options.work / name, name)
    with whole.open("rb") as opened:
        number = 0
        while chunk := opened.read(PART_BYTES):
            (options.out / f"results.tar.gz.{number}").write_bytes(chunk)
            number += 1
    clock.say(f"packed {whole.stat().st_size / 1e6:.1f} MB in {number} files")


def main() -> None:
    """Run the stages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True)
    parser.add_argument("--pairs", type=Path, action="append", default=[])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipes", type=Path, default=HERE / "recipes")
    parser.add_argument("--studies", type=Path, default=HERE)
    parser.add_argument("--seconds", type=float, default=500)
    parser.add_argument("--train-seconds", type=float, default=260)
    parser.add_argument("--finish-training", action="store_true", help="resume runs that were stopped")
    parser.add_argument("--slots", type=int, default=8, help="processes that generate")
    parser.add_argument("--rows", type=int, default=320)
    parser.add_argument("--device-map", default=None)
    parser.add_argument("--tune", nargs=argparse.REMAINDER, default=[], help="further flags of cosec tune")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    clock = Clock(options.seconds, options.work / "log")
    clock.say(f"{options.seconds:.0f} s for {options.base}")
    train(options, clock)
    finish(options, clock)
    clock.say("adapters are ready")
    pack(options, clock)
    generate(options, clock)
    pack(options, clock)


if __name__ == "__main__":
    main()
