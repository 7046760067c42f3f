#!/usr/bin/env bash
# What the project claims about NVIDIA GPUs, measured beside PyTorch on the same GPU in the same call; prints one table.
#
#   benches/gpu/run.sh BINARY PYTHON [--out DIR] [--minutes 10] [SECTION…]
#
#   BINARY    ablate built with `--features cuda`, stripped; one compressed by xz is taken too
#   PYTHON    a Python with PyTorch 2.11 or later for CUDA
#   SECTION   attention, variants, step, parallel, doctor; all of them by default; parallel takes all GPUs of the machine
#
# Every measurement is a line of JSON in DIR/records.jsonl. What cannot be measured becomes a row that says why. A section
# that did not fit into the time can be measured by another call with the same DIR, whose table has the rows of both.
# Exit code 3 if some measurement of ablate failed. `--tiny` runs small shapes on the CPU, to see that everything works.
set -euo pipefail
if [ $# -lt 2 ]; then
    sed -n '2,13s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
binary=$1 python=$2
shift 2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if [[ $binary == *.xz ]]; then
    xz --decompress --stdout "$binary" >"$scratch/ablate"
    chmod +x "$scratch/ablate"
    binary=$scratch/ablate
fi

# ablate compiles its kernels with NVRTC and the headers of the toolkit. Where no toolkit is installed, those that came
# with PyTorch do, gathered in one folder.
toolkit=${CUDA_PATH:-/usr/local/cuda}
if [ ! -e "$toolkit/include/cuda_runtime.h" ]; then
    toolkit=$scratch/cuda
    mkdir -p "$toolkit/include" "$toolkit/lib"
    packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    for folder in "$packages"/triton/backends/nvidia/include "$packages"/nvidia/*/include; do
        if [ -d "$folder" ]; then cp -rsf "$folder/." "$toolkit/include/"; fi
    done
    for library in "$packages"/nvidia/*/lib/lib*.so*; do
        if [ -e "$library" ]; then
            name=$(basename "$library")
            ln -sf "$library" "$toolkit/lib/$name"
            # Under its plain name as well.
            ln -sf "$library" "$toolkit/lib/${name%%.so*}.so"
        fi
    done
    ln -sfn lib "$toolkit/lib64"
    export CUDA_PATH=$toolkit LD_LIBRARY_PATH=$toolkit/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fi

"$python" "$here/measure.py" --ablate "$binary" "$@"
