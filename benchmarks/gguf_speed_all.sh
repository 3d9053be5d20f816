#!/bin/bash
# Every measurement of docs/gguf.md, on an idle machine: `benchmarks/gguf_speed_all.sh [FOLDER]`, about 22 minutes on 2 cores.
# The most telling come first. FOLDER keeps quantised copies between calls. Records go to docs/results/gguf-speed; the table
# is printed at the end, also after an interruption. Needs the pulled models qwen2.5-coder-1.5b, -0.5b and smollm2-135m,
# converted for torch, and leaves copies and measurements in the cache, which `--runtime auto` then uses.
set -u
cd "$(dirname "$0")/.." || exit 1
COPIES=${1:-$(mktemp -d)} OUT=docs/results/gguf-speed LARGE=qwen2.5-coder-1.5b SMALL=qwen2.5-coder-0.5b
export PYTHONPATH=$PWD/src PYTHONWARNINGS=ignore GOMP_SPINCOUNT=1000
unset OMP_NUM_THREADS
mkdir -p "$COPIES" "$OUT"
[ -f "$COPIES/q4_0.gguf" ] || cosec models quantise $SMALL --out "$COPIES/q4_0.gguf"
cosec generate --target $SMALL --security-copy --prompt x --max-new-tokens 1 >/dev/null || exit 1

measure() { # NAME LIMIT TARGET SECURITY [flags]
  echo "== $1 $(date -u +%T)"
  timeout "$2" python benchmarks/gguf_speed.py "$3" "$4" "$OUT/$1.json" "${@:5}" 2>&1 | grep -E "batch|rror"
}
started() { # LABEL [flags of generate]
  /usr/bin/time -f "$1: %e s, %U s user, peak %M KiB" cosec generate --prompt 'def add(a, b):' "${@:2}" 2>&1 >/dev/null | tail -1
}
runtimes() { # TARGET LIMIT
  echo "== runtimes of $1 $(date -u +%T)"
  timeout "$2" cosec bench runtime "$1" --format json 2>/dev/null | tee "$OUT/runtimes-$1.jsonl"
}
trap 'python benchmarks/gguf_speed_table.py "$OUT"' EXIT

for security in $SMALL "$COPIES/q4_0.gguf"; do started "unmeasured" --target $LARGE --security "$security" --max-new-tokens 4 >/dev/null; done
{
  for _ in 1 2 3 4 5; do started "first token of $SMALL" --target $SMALL --security none --max-new-tokens 1; done
  started "32 tokens of $LARGE beside $SMALL" --target $LARGE --security $SMALL --rule threshold --max-new-tokens 32
  started "32 tokens of $LARGE beside its Q4_0 copy" --target $LARGE --security "$COPIES/q4_0.gguf" --rule threshold --max-new-tokens 32
} | tee "$OUT/start.txt"
measure merged-1 100 $SMALL default --security-copy --batch 1 --rule steer threshold --draft-length auto --target-records --rounds 3 --tokens 48
measure shared-1 110 $SMALL default --batch 1 --rule steer threshold --draft-length auto --rounds 3 --tokens 48
measure shared-strong-1 110 $SMALL default --batch 1 --rule steer-1.5 --draft-length auto --rounds 3 --tokens 48
measure shared-4 100 $SMALL default --batch 4 --rule steer --draft-length auto --rounds 3 --tokens 24
measure shared-records-1 80 $SMALL default --batch 1 --rule steer --draft-length auto --target-records --rounds 3 --tokens 48
runtimes $SMALL 150
measure beside-q4_0-1 90 $LARGE "$COPIES/q4_0.gguf" --batch 1 --rule threshold --draft-length auto --rounds 3 --tokens 36
measure beside-q4_0-16 180 $LARGE "$COPIES/q4_0.gguf" --batch 16 --rule threshold --draft-length auto --rounds 2 --tokens 12
measure torch-1 240 $LARGE $SMALL --batch 1 --rule threshold --draft-length auto --rounds 2 --tokens 16 --runtime torch
measure beside-steer-1 100 $LARGE default --batch 1 --rule steer --draft-length auto --rounds 2 --tokens 32
measure beside-strong-1 120 $LARGE default --batch 1 --rule steer-1.5 steer --draft-length auto --rounds 3 --tokens 32
measure speculative-1 120 $LARGE $SMALL --batch 1 --rule speculative --draft-length auto --rounds 3 --tokens 32
measure speculative-q4_0-1 120 $LARGE "$COPIES/q4_0.gguf" --batch 1 --rule speculative --draft-length auto --rounds 3 --tokens 32
measure speculative-q4_0-16 180 $LARGE "$COPIES/q4_0.gguf" --batch 16 --rule speculative --draft-length auto --rounds 2 --tokens 12
measure beside-1 80 $LARGE $SMALL --batch 1 --rule threshold --draft-length auto --rounds 3 --tokens 24
measure beside-16 180 $LARGE $SMALL --batch 16 --rule threshold --draft-length auto --rounds 2 --tokens 12
measure beside-q4_0-4 110 $LARGE "$COPIES/q4_0.gguf" --batch 4 --rule threshold --draft-length auto --rounds 2 --tokens 20
runtimes smollm2-135m 120
runtimes $LARGE 300
