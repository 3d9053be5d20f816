"""Where the time of an alignment step goes: `benchmarks/training_step.py OUT STUDENT [STEPS]`.

`cosec align --recipe smollm2-135m` on the sources of a few packages, with clocks around the pieces of a step. STUDENT
is a model as `cosec models prune smollm2-135m --layers 20 --out STUDENT` makes it. The models' share is their
forwards, the backward, and the products with their heads; the rest of the loss, clipping and AdamW are counted apart.
Writes one JSON file with the versions. Run it on an idle machine; it takes about two minutes on two cores.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from cosec.cli.main import main
from cosec.evaluation.environment import environment
from cosec.training.alignment import objective as alignment_objective
from cosec.training.loop.loop import TrainingLoop
from cosec.training.losses import fused_distillation

WARM_UP = 2
PIECES: dict[str, tuple[Any, str]] = {
    "step": (TrainingLoop, "_step"),
    "forward": (alignment_objective.Predictor, "project"),
    "loss": (alignment_objective, "distillation_losses"),
    "head products": (fused_distillation, "product"),
    "head gradient": (torch.Tensor, "addmm_"),
    "backward": (torch.Tensor, "backward"),
    "scaling": (fused_distillation._Distillation, "backward"),
    "clipping": (TrainingLoop, "_share_gradients"),
    "AdamW": (torch.optim.AdamW, "step"),
}


class Clock:
    """Seconds inside each piece, step by step."""

    def __init__(self) -> None:
        self.now = dict.fromkeys(PIECES, 0.0)
        self.steps: list[dict[str, float]] = []

    def around(self, name: str, inner: Callable[..., Any]) -> Callable[..., Any]:
        """``inner`` with its seconds counted."""

        def outer(*values: Any, **named: Any) -> Any:
            if name == "step":
                self.now = dict.fromkeys(PIECES, 0.0)
            started = time.perf_counter()
            found = inner(*values, **named)
            self.now[name] += time.perf_counter() - started
            if name == "step":
                self.steps.append(self.now)
            return found

        return outer


def shares(mean: dict[str, float]) -> dict[str, float]:
    """Each part's share of a step."""
    heads = mean["head products"] + mean["head gradient"]
    parts = {
        "the models' forwards": mean["forward"],
        "the models' heads": heads,
        "the models' backward": mean["backward"] - mean["scaling"],
        "the rest of the loss": mean["loss"] - heads + mean["scaling"],
        "clipping": mean["clipping"],
        "AdamW": mean["AdamW"],
    }
    found = {name: value / mean["step"] for name, value in parts.items()}
    return {**found, "anything else": 1 - sum(found.values())}


def measured(student: str, steps: int) -> dict[str, Any]:
    """Mean seconds of a step and the shares of its parts."""
    clock = Clock()
    for name, (owner, attribute) in PIECES.items():
        wrapped = clock.around(name, getattr(owner, attribute))
        setattr(owner, attribute, staticmethod(wrapped) if name == "scaling" else wrapped)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "aligned"
        asked = ["align", "--recipe", "smollm2-135m", "--student", student, "--data", "package:json"]
        asked += ["--data", "package:http", "--max-steps", str(steps + WARM_UP), "--validation-share", "0.02"]
        if main([*asked, "--out", str(out)]) != 0:
            raise SystemExit("cosec align failed")
        points = [json.loads(line) for line in (out / "curves.jsonl").read_text(encoding="utf-8").splitlines()]
        tokens = [point["tokens"] for point in points if point["kind"] == "training"]
    kept = clock.steps[WARM_UP:]
    mean = {name: sum(step[name] for step in kept) / len(kept) for name in PIECES}
    fractions = shares(mean)
    return {
        "seconds_per_step": mean["step"],
        "tokens_per_second": (tokens[-1] - tokens[WARM_UP - 1]) / sum(step["step"] for step in kept),
        "models": sum(value for name, value in fractions.items() if name.startswith("the models")),
        "shares": fractions,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    found = measured(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 20)
    record = {"command": "python benchmarks/training_step.py", **found, "environment": environment()}
    Path(sys.argv[1]).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found))  # noqa: T201
