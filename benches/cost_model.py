"""The cost model of `ablate plan --cluster` beside measured steps on this machine.

    python benches/cost_model.py --ablate target/release/ablate --rounds 3

A device is a share of the processor: its peak by `ablate bench peak`, its memory's bandwidth by copies on as many threads, its link
the same memory, through which numbers pass four times (copied out, received, added, put back). Nothing is fitted. Every round runs
all layouts once, random batches on `configs/bench-*.toml`; tokens a second by the median step, and of these the median.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import numpy
from safetensors.numpy import save_file

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHAPES = {"tiny": (16, 128), "small": (8, 256), "base": (8, 256)}
LAYOUTS = [(1, 1), (2, 1), (2, 2)]
PASSES = 4


def bandwidth(threads):
    """Bytes a second that all threads read and write at once."""
    count, size = 8, 1 << 25
    arrays = [(numpy.ones(size), numpy.zeros(size)) for _ in range(threads)]
    barrier = threading.Barrier(threads + 1)

    def copies(source, target):
        numpy.copyto(target, source)
        barrier.wait()
        for _ in range(count):
            numpy.copyto(target, source)
        barrier.wait()

    for pair in arrays:
        threading.Thread(target=copies, args=pair).start()
    barrier.wait()
    started = time.perf_counter()
    barrier.wait()
    return 2 * 8 * size * count * threads / (time.perf_counter() - started)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ablate", default="target/release/ablate")
    parser.add_argument("--configs", nargs="+", choices=SHAPES, default=["tiny", "small", "base"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=12)
    options = parser.parse_args()
    binary = pathlib.Path(options.ablate).resolve()
    threads = os.cpu_count()

    def told(command):
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr or done.stdout)
        return json.loads(done.stdout)

    peak, memory = told([binary, "bench", "peak", "--json"])["all_threads_flops"], bandwidth(threads)
    print(f"{threads} threads: {peak / 1e9:.0f} GFLOP/s, {memory / 1e9:.1f} GB/s")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        turn, measured, expected = iter(range(1 << 30)), {}, {}
        for name in options.configs:
            rows, context = SHAPES[name]
            numbers = numpy.random.default_rng(1).integers(0, 512, (options.steps, rows, context + 1), dtype=numpy.int32)
            save_file({"batches": numbers}, folder / f"{name}.safetensors")
        for _ in range(options.rounds):
            for name in options.configs:
                for devices, tensor in LAYOUTS:
                    command = [binary, "train", ROOT / f"configs/bench-{name}.toml", "--batches", folder / f"{name}.safetensors"]
                    command += ["--out", folder / f"run-{next(turn)}", "--devices", devices, "--tensor", tensor, "--json"]
                    speed = told(command)["tokens_per_second"]
                    measured.setdefault((name, devices, tensor), []).append(speed)
        for name, devices, tensor in measured:
            share = {"flops": peak / devices, "memory": 64e9, "bandwidth": memory / devices, "node": devices}
            share |= {"inside": memory / devices / PASSES, "between": memory / devices / PASSES, "element": 4}
            kind = folder / "device.toml"
            kind.write_text("".join(f"{key} = {value}\n" for key, value in share.items()))
            rows, _ = SHAPES[name]
            command = [binary, "plan", ROOT / f"configs/bench-{name}.toml", "--cluster", f"{kind}:{devices}", "--tensor", tensor]
            command += ["--micro", rows * tensor // devices, "--sharded", "nothing", "--set", f"train.batch={rows}", "--set", 'data.tokenizer.kind="bytes"', "--json"]
            plan = next(plan for plan in told(command) if plan["layout"]["activations"] == "all")
            expected[name, devices, tensor] = plan["tokens_per_second"] * devices
    print("| model | devices | divide layers | tokens/s, measured | by the model | |\n|---|--:|--:|--:|--:|--:|")
    for (name, devices, tensor), speeds in measured.items():
        speed, model = statistics.median(speeds), expected[name, devices, tensor]
        print(f"| {name} | {devices} | {tensor} | {speed:,.0f} | {model:,.0f} | {100 * (model / speed - 1):+.0f} % |")


if __name__ == "__main__":
    main()
