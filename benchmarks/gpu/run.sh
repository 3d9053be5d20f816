#!/usr/bin/env bash
# Train the adapters of recipes/ and generate the completions of both studies on one large GPU, in some ten minutes:
#
#     SVEN=DIR SVEN_SCENARIOS=DIR benchmarks/gpu/run.sh WORK OUT [SECONDS [TRAIN_SECONDS]]
#
# SVEN is the folder with SVEN's train/ and val/, SVEN_SCENARIOS the one with trained/, gen_1/ and gen_2/. The same
# command goes on where it was stopped. Judging needs no GPU; see README.md.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
data="$here/../../src/cosec/data"
: "${SVEN:?}" "${SVEN_SCENARIOS:?}"
export OMP_NUM_THREADS=2 TOKENIZERS_PARALLELISM=false
export TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1 PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True

cosec models pull qwen2.5-coder-0.5b --convert
exec python "$here/stages.py" --base qwen2.5-coder-0.5b \
  --pairs "$SVEN" --pairs "$data/pairs" --pairs "$data/instruction_pairs" \
  --work "$1" --out "$2" --seconds "${3:-400}" --train-seconds "${4:-150}" --slots 10 --rows 320 --device-map cuda
