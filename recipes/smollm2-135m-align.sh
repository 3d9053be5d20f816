#!/bin/sh
# Table IX at the embedded scale: one student, three trainings with the same data, order and budget, which differ only in
# what is minimised: 460 steps, about 405 000 tokens each. Run where mbpp.jsonl lies:  sh recipes/smollm2-135m-align.sh DIR [none|forward-kl|reverse-kl ...]
# What was interrupted goes on when the same command is run again.
set -eu
out=$1
shift
[ -d "$out/student" ] || cosec models prune smollm2-135m --layers 20 --out "$out/student"
sources=
for name in argparse collections concurrent configparser contextlib csv dataclasses functools heapq html http json logging \
    pathlib random re shutil sqlite3 statistics string subprocess tempfile textwrap urllib wsgiref; do
    sources="$sources --data package:$name"
done
for divergence in ${*:-none forward-kl reverse-kl}; do
    resume=
    if ls "$out/$divergence"/checkpoints/step-* >/dev/null 2>&1; then resume=--resume; fi
    # shellcheck disable=SC2086 # several words are meant
    cosec align --recipe smollm2-135m --student "$out/student" --data mbpp.jsonl $sources \
        --max-steps 460 --divergence "$divergence" --out "$out/$divergence" $resume
done
