"""Write the texts that Qwen2.5-Coder-0.5B is aligned on: what it wrote itself for the tasks of MBPP's training part.

    python benchmarks/alignment_texts.py mbpp.jsonl TEXTS

``gpu/functional-texts.jsonl`` has them, beside those for other tasks, which are left out.
"""

import json
import sys
from pathlib import Path

from cosec.training.data.corpus import MBPP_TRAINING

WRITTEN = Path(__file__).parent / "gpu" / "functional-texts.jsonl"


def words(text: str) -> str:
    """The text with single spaces between its words."""
    return " ".join(text.split())


def main(mbpp: Path, folder: Path) -> None:
    """Write one Python file for each text of a training task."""
    tasks = map(json.loads, mbpp.read_text(encoding="utf-8").splitlines())
    training = {words(task["text"]) for task in tasks if task["task_id"] in MBPP_TRAINING}
    written = map(json.loads, WRITTEN.read_text(encoding="utf-8").splitlines())
    kept = [one for one in written if words(one["prompt"].split('"""')[1].split(">>>")[0]) in training]
    folder.mkdir()
    for number, one in enumerate(kept):
        (folder / f"text{number:03}.py").write_text(one["prompt"] + one["completion"], encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
