"""Run one study with several workers on a Ray cluster.

    python deploy/ray_workers.py --workers 8 --gpus 1 -- study recipes/smollm2-135m-study.toml --out /shared/study

Each worker is a Ray task that runs ``cosec`` with the arguments after ``--``. The workers share the folder of
``--out``, which every node must see; they agree through its locks. Ray finds the cluster by RAY_ADDRESS, or starts one
here.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Sequence

COSEC = "import sys; from cosec.cli.main import main; sys.exit(main())"
"""What runs the command line of this package."""


def work(arguments: Sequence[str]) -> int:
    """Run ``cosec`` in the worker's Python to its end; its exit status."""
    # -P: modules of the working folder must not be imported.
    return subprocess.run([sys.executable, "-P", "-c", COSEC, *arguments], check=False).returncode


def main() -> int:
    """Start the workers and wait for them; 0 if all of them have succeeded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, required=True, help="number of workers")
    parser.add_argument("--gpus", type=float, default=0.0, help="GPUs of each worker")
    parser.add_argument("--cpus", type=float, default=1.0, help="processors of each worker")
    parser.add_argument("arguments", nargs="+", help="arguments of cosec, with --out")
    asked = parser.parse_args()
    if "--out" not in asked.arguments:
        parser.error("the workers share a folder: name it with --out after the command")

    import ray

    ray.init()
    # A task whose node has died runs again; its worker takes up what is left.
    task = ray.remote(num_cpus=asked.cpus, num_gpus=asked.gpus, max_retries=3, scheduling_strategy="SPREAD")(work)
    statuses = ray.get([task.remote(asked.arguments) for _ in range(asked.workers)])
    failed = [number for number, status in enumerate(statuses) if status]
    if failed:
        sys.stderr.write(f"{len(failed)} of {len(statuses)} workers failed: cosec {shlex.join(asked.arguments)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
