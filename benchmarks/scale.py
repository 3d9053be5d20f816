"""Work out memory and throughput of a target with its security model on several GPUs, from the models' shapes.

    python benchmarks/scale.py                         the tables of docs/scale.md
    python benchmarks/scale.py --gpu l40s --gpus 1 2 4

Nothing is measured here. Memory is counted exactly, apart from what --reserve sets aside. Times are those of the
roofline: a forward pass takes as long as reading its weights and caches from memory, or as its arithmetic, whichever is
longer. Real passes take longer, and tensor parallelism also waits for the network, so rates are upper bounds. Ratios of
two rates on one machine depend on that less.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

SHAPES = Path(__file__).with_name("model_shapes.json")
"""The shapes of published models, and the pairs of the tables."""

GB = 1e9
"""Bytes of a gigabyte, as in data sheets."""


ALPHA = "\N{GREEK SMALL LETTER ALPHA}"
"""The acceptance rate's letter in tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """What a data sheet says of a GPU."""

    name: str
    memory: float
    """Bytes."""

    bandwidth: float
    """Bytes a second from its memory."""

    arithmetic: float
    """Operations a second in 16-bit floating point, without sparsity."""


GPUS = {
    "a100": Gpu(name="A100 80 GB (SXM)", memory=80 * GB, bandwidth=2039 * GB, arithmetic=312e12),
    "h100": Gpu(name="H100 80 GB (SXM)", memory=80 * GB, bandwidth=3350 * GB, arithmetic=989e12),
    "h200": Gpu(name="H200 141 GB", memory=141 * GB, bandwidth=4800 * GB, arithmetic=989e12),
    "l40s": Gpu(name="L40S 48 GB", memory=48 * GB, bandwidth=864 * GB, arithmetic=362e12),
}
"""GPUs by the name that ``--gpu`` takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The shape of a decoder."""

    architecture: str
    """``codegen``, ``gpt_bigcode``, ``llama`` or ``qwen2``."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    """Heads of keys and values."""

    inner: int
    """Width of the feed-forward block."""

    vocabulary: int
    """Number of logits."""

    tied: bool
    """Whether the head is the embedding."""

    positions: int = 0
    """Learned positions; 0 for rotary ones."""

    @property
    def parameters(self) -> int:
        """Number of weights."""
        hidden, wide = self.hidden, 2 * self.kv_heads * self.hidden // self.heads
        ends = self.vocabulary * hidden * (1 if self.tied else 2) + self.positions * hidden
        if self.architecture == "codegen":
            # No biases in attention; one norm with bias a layer; the head has a bias.
            layer = 4 * hidden**2 + 2 * hidden * self.inner + self.inner + hidden + 2 * hidden
            return ends + self.layers * layer + 2 * hidden + self.vocabulary
        if self.architecture == "gpt_bigcode":
            attention = (hidden + 1) * (hidden + wide) + (hidden + 1) * hidden
            layer = attention + (hidden + 1) * self.inner + (self.inner + 1) * hidden + 4 * hidden
            return ends + self.layers * layer + 2 * hidden
        biases = hidden + wide if self.architecture == "qwen2" else 0
        layer = 2 * hidden**2 + hidden * wide + biases + 3 * hidden * self.inner + 2 * hidden
        return ends + self.layers * layer + hidden

    @property
    def multiplied(self) -> int:
        """Weights that a token is multiplied with: all but the looked-up embeddings."""
        looked_up = self.positions * self.hidden + (0 if self.tied else self.vocabulary * self.hidden)
        return self.parameters - looked_up

    def cache_bytes(self, width: int, parts: int = 1) -> float:
        """Bytes of keys and values of one token on each of ``parts`` GPUs; a head is not divided but copied."""
        heads = max(1, math.ceil(self.kv_heads / parts))
        return 2 * self.layers * heads * (self.hidden // self.heads) * width


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is served."""

    sequences: int
    """Sequences that decode at once."""

    tokens: int
    """Tokens of a sequence, prompt included."""

    acceptance: float
    """Share of proposals that the rule accepts (alpha)."""

    width: int = 2
    """Bytes of a number: 2 for bfloat16."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A target and its security model on several GPUs, all with tensor parallelism."""

    target: Shape
    security: Shape
    gpu: Gpu
    gpus: int
    with_base: bool = False
    """Whether the security model's base runs too, as gate and steer need."""

    @property
    def drafters(self) -> int:
        """Small models that run for each drafted token."""
        return 2 if self.with_base else 1

    @property
    def is_divisible(self) -> bool:
        """Whether the attention heads of both models can be divided among the GPUs, as vLLM asks."""
        return self.target.heads % self.gpus == 0 and self.security.heads % self.gpus == 0

    def weight_bytes(self, width: int) -> float:
        """Bytes of weights on each GPU."""
        return (self.target.parameters + self.drafters * self.security.parameters) * width / self.gpus

    def cache_bytes(self, width: int) -> float:
        """Bytes of keys and values of one token on each GPU, over all models."""
        small = self.security.cache_bytes(width, self.gpus)
        return self.target.cache_bytes(width, self.gpus) + self.drafters * small

    def room(self, load: Load, reserve: float) -> int:
        """Number of sequences of this length whose caches fit beside the weights; negative if the weights do not.

        Args:
            load: What is served; its number of sequences does not matter.
            reserve: Share of a GPU's memory that is kept for activations, CUDA graphs and fragmentation.
        """
        free = self.gpu.memory * (1 - reserve) - self.weight_bytes(load.width)
        return math.floor(free / (load.tokens * self.cache_bytes(load.width)))

    def pass_seconds(self, shape: Shape, load: Load, tokens: int) -> float:
        """Seconds of one forward pass of a model over ``tokens`` tokens of each sequence."""
        weights = shape.parameters * load.width / self.gpus
        caches = load.sequences * load.tokens * shape.cache_bytes(load.width, self.gpus)
        attention = 2 * 2 * shape.layers * shape.hidden * load.tokens
        arithmetic = load.sequences * tokens * (2 * shape.multiplied + attention) / self.gpus
        return max((weights + caches) / self.gpu.bandwidth, arithmetic / self.gpu.arithmetic)

    def target_rate(self, load: Load) -> float:
        """Tokens a second of the target alone, over all sequences."""
        return load.sequences / self.pass_seconds(self.target, load, 1)

    def rate(self, load: Load, drafted: int) -> float:
        """Tokens a second with ``drafted`` tokens a round, over all sequences."""
        # vLLM scores one position more than was drafted. Each of the drafter's models runs once for each drafted token.
        verify = self.pass_seconds(self.target, load, drafted + 1)
        draft = drafted * self.drafters * self.pass_seconds(self.security, load, 1)
        return load.sequences * tokens_a_round(load.acceptance, drafted) / (draft + verify)

    def cost(self, load: Load) -> float:
        """Seconds of a drafting step for one of the target (c)."""
        return self.drafters * self.pass_seconds(self.security, load, 1) / self.pass_seconds(self.target, load, 1)

    def verification(self, load: Load, drafted: int) -> float:
        """Seconds to verify ``drafted`` tokens for one step of the target (v)."""
        return self.pass_seconds(self.target, load, drafted + 1) / self.pass_seconds(self.target, load, 1)

    def best(self, load: Load, longest: int = 8) -> int:
        """The number of drafted tokens with the highest rate."""
        return max(range(1, longest + 1), key=lambda drafted: self.rate(load, drafted))


def tokens_a_round(acceptance: float, drafted: int) -> float:
    """Expected tokens of a round without a bonus token: 1 + alpha + ... + alpha^(k-1)."""
    return sum(acceptance**place for place in range(drafted))


def shapes() -> dict[str, Shape]:
    """The published shapes by name."""
    return {name: Shape(**entry) for name, entry in json.loads(SHAPES.read_text(encoding="utf-8"))["models"].items()}


def pairs(gpu: Gpu) -> list[tuple[str, Pair]]:
    """The pairs of the tables on one GPU, each with its name."""
    known = shapes()
    names = json.loads(SHAPES.read_text(encoding="utf-8"))["pairs"]
    return [
        (f"{short(target)}, {short(security)}", Pair(target=known[target], security=known[security], gpu=gpu, gpus=1))
        for target, security in names
    ]


def models_table(load: Load) -> list[str]:
    """Weights and caches of each model."""
    rows = ["| model | parameters | weights | cache of a token | cache of a sequence |", "|---|---|---|---|---|"]
    for name, shape in shapes().items():
        cache = shape.cache_bytes(load.width)
        rows.append(
            f"| {short(name)} | {shape.parameters / 1e9:.2f} · 10⁹ | {shape.parameters * load.width / GB:.1f} GB | "
            f"{cache / 1e3:.0f} kB | {cache * load.tokens / GB:.2f} GB |"
        )
    return rows


def memory_table(gpu: Gpu, gpus: Sequence[int], load: Load, reserve: float) -> list[str]:
    """Sequences that fit, for each pair and number of GPUs, without and with the security model's base.

    A cross marks numbers of GPUs among which the heads of both models cannot be divided.
    """
    titles = " | ".join(f"{count} GPU" + "s" * (count > 1) for count in gpus)
    rows = [f"| target, security model | {titles} |", "|---|" + "---|" * len(gpus)]
    for names, pair in pairs(gpu):
        cells = []
        for count in gpus:
            if not replace(pair, gpus=count).is_divisible:
                cells.append("\N{MULTIPLICATION SIGN}")
                continue
            rooms = [replace(pair, gpus=count, with_base=base).room(load, reserve) for base in (False, True)]
            cells.append(" / ".join(str(room) if room > 0 else "-" for room in rooms))
        rows.append(f"| {names} | " + " | ".join(cells) + " |")
    return rows


def fewest(pair: Pair, load: Load, reserve: float) -> Pair | None:
    """The pair with its base on the fewest GPUs that hold a load; None if 8 do not."""
    sized = [replace(pair, gpus=count, with_base=True) for count in (1, 2, 4, 8)]
    return next((one for one in sized if one.is_divisible and one.room(load, reserve) >= load.sequences), None)


def rate_table(gpu: Gpu, load: Load, reserve: float, low: float) -> list[str]:
    """c, v, the best number of drafted tokens and rates, on the fewest GPUs that hold the load and all three models."""
    rows = [
        "| target, security model | GPUs | c | v(4) | k | alone | hardened | ratio | ratio with the base | "
        f"ratio at {ALPHA} = {low} |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    less = replace(load, acceptance=low)
    for names, pair in pairs(gpu):
        both = fewest(pair, load, reserve)
        if both is None:
            rows.append(f"| {names} |" + " - |" * 9)
            continue
        one = replace(both, with_base=False)
        k, alone = one.best(load), one.target_rate(load)
        rows.append(
            f"| {names} | {one.gpus} | {one.cost(load):.2f} | {one.verification(load, 4):.2f} | {k} | {alone:.0f} | "
            f"{one.rate(load, k):.0f} | {one.rate(load, k) / alone:.2f} | "
            f"{both.rate(load, both.best(load)) / alone:.2f} | {one.rate(less, one.best(less)) / alone:.2f} |"
        )
    return rows


def time_table(gpu: Gpu, load: Load, reserve: float) -> list[str]:
    """What a round reads from memory, in percent; the time of passes that memory bounds divides alike."""
    rows = [
        "| target, security model | target's weights | target's caches | drafting: weights | drafting: caches |",
        "|---|---|---|---|---|",
    ]
    for names, pair in pairs(gpu):
        fits = fewest(pair, load, reserve)
        if fits is None:
            rows.append(f"| {names} |" + " - |" * 4)
            continue
        one = replace(fits, with_base=False)
        k, tokens = one.best(load), load.sequences * load.tokens
        read = [
            one.target.parameters * load.width / one.gpus,
            tokens * one.target.cache_bytes(load.width, one.gpus),
            k * one.security.parameters * load.width / one.gpus,
            k * tokens * one.security.cache_bytes(load.width, one.gpus),
        ]
        rows.append(f"| {names} | " + " | ".join(f"{100 * part / sum(read):.0f}" for part in read) + " |")
    return rows


def short(name: str) -> str:
    """A model's name without its organisation."""
    return name.partition("/")[2]


def tables(gpu: Gpu, gpus: Sequence[int], load: Load, reserve: float, low: float) -> str:
    """All tables, as docs/scale.md shows them."""
    parts = [models_table(load), memory_table(gpu, gpus, load, reserve)]
    parts += [rate_table(gpu, replace(load, sequences=count), reserve, low) for count in (1, load.sequences)]
    parts.append(time_table(gpu, load, reserve))
    return "\n\n".join("\n".join(rows) for rows in parts)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpu", choices=GPUS, default="h100")
    parser.add_argument("--gpus", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--sequences", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--acceptance", type=float, default=0.8)
    parser.add_argument("--low-acceptance", type=float, default=0.6)
    parser.add_argument("--reserve", type=float, default=0.1)
    given = parser.parse_args(arguments)
    load = Load(sequences=given.sequences, tokens=given.tokens, acceptance=given.acceptance)
    print(tables(GPUS[given.gpu], given.gpus, load, given.reserve, given.low_acceptance))  # noqa: T201 - the result


if __name__ == "__main__":
    main()
