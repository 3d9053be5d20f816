#!/usr/bin/env bash
# Run plan.toml for Qwen2.5-Coder on one large GPU:
#
#     SVEN=DIR SVEN_SCENARIOS=DIR MBPP=FILE benchmarks/gpu/run.sh WORK OUT [SECONDS]
#
# SECONDS is 420 if not given: with loading, under eight minutes. See README.md. The same command goes on where it was stopped.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
data="$here/../../src/cosec/data"
: "${SVEN:?}" "${SVEN_SCENARIOS:?}" "${MBPP:?}"
export SVEN SVEN_SCENARIOS MBPP PAIRS="$data/pairs" INSTRUCTION_PAIRS="$data/instruction_pairs"
export SMALL=qwen2.5-coder-0.5b LARGE=qwen2.5-coder-1.5b DEVICE=cuda ADAPTERS="$1/adapters" ALIGNED="$1/aligned-models"
export OMP_NUM_THREADS=2 TOKENIZERS_PARALLELISM=false
export TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1 PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True

cosec models pull "$SMALL" --convert
cosec models pull "$LARGE" --convert
exec python "$here/jobs.py" "$here/plan.toml" --work "$1" --out "$2" --seconds "${3:-420}"
