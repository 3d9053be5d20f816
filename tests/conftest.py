"""Shapes in jaxtyping annotations are checked in every test, in its first calls.

The engine and the trace are left out: a check per emitted token would make the statistical tests ten times slower.
"""

import gc
import os

# Tiny models gain nothing from threads, and threads that wait for each other crawl on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from typing import TYPE_CHECKING, Any

import pytest
from jaxtyping import install_import_hook

from tests.devices import DEVICES
from tests.shape_checks import BUDGET

if TYPE_CHECKING:
    from torch import Tensor

    from cosec.decoding.pairing import PreparedPair

CHECKED = [
    "cosec.decoding.engine.lanes",
    "cosec.decoding.rules.draft",
    "cosec.decoding.rules.verification",
    "cosec.decoding.sampling.distributions",
    "cosec.decoding.sampling.randomness",
    "cosec.runtime.torch.token_model",
]

install_import_hook(CHECKED, "tests.shape_checks.checked")

# With the default thresholds, collections walk over all of torch and transformers: half the time of a law test.
gc.set_threshold(50_000, 20, 20)


def pytest_configure(config: pytest.Config) -> None:
    """Without ``-m gpu`` every test runs on the processor, also where there is a CUDA device."""
    if "not gpu" in config.option.markexpr:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    from cosec.sandbox import BACKENDS, SANDBOX_VARIABLE

    if BACKENDS["bubblewrap"].problem() is not None:  # what the tests run, these tests wrote
        os.environ.setdefault(SANDBOX_VARIABLE, "limits")


def pytest_collection_finish() -> None:
    """Leave what exists before the first test out of later garbage collections."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Check shapes anew; tests that need a CUDA device say so where there is none."""
    BUDGET.renew(whole=item.get_closest_marker("slow") is not None)
    if item.get_closest_marker("gpu") is None:
        return
    import torch

    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")


@pytest.fixture(scope="module", params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    """Where a test runs; tests that ask for it run on each."""
    name: str = request.param
    return name


@pytest.fixture(scope="module", params=["separate", "shared"])
def pair(request: pytest.FixtureRequest, device: str, tmp_path_factory: pytest.TempPathFactory) -> "PreparedPair":
    """Two tiny models with weights of their own, and a tiny target with an adapter."""
    from tests.decoding.pairs import separate_pair, shared_pair

    folder = tmp_path_factory.mktemp("pair")
    return {"separate": separate_pair, "shared": shared_pair}[request.param](folder, device=device)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of tokens of each forward pass."""
    from cosec.runtime import TorchTokenModel

    seen: list[int] = []
    forward = TorchTokenModel._forward

    def noted(self: TorchTokenModel, module: object, tokens: "Tensor", *args: Any, **kwargs: Any) -> Any:
        seen.append(tokens.shape[1])
        return forward(self, module, tokens, *args, **kwargs)

    monkeypatch.setattr(TorchTokenModel, "_forward", noted)
    return seen
