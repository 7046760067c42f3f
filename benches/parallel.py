"""`ablate train` on several devices beside PyTorch's DistributedDataParallel, round by round in turn.

    python benches/parallel.py --ablate target/release/ablate --config small --devices 2 --rounds 5

Random batches, the shapes of `configs/bench-*.toml`, eager PyTorch over gloo under the Python that runs this script. The columns
are one device, several as threads, several as processes, and the peer on one process and on several; tokens a second by the
median step of each turn, and of these the median.
"""

import argparse
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import save_file

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benches/peers"))

from torch_step import SHAPES  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ablate", default="target/release/ablate")
    parser.add_argument("--config", choices=SHAPES, default="small")
    parser.add_argument("--devices", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--sharded", default="nothing")
    options = parser.parse_args()
    shape, binary = SHAPES[options.config], pathlib.Path(options.ablate).resolve()

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        rows = torch.randint(shape.vocab, (options.steps, shape.batch, shape.context + 1), dtype=torch.int32)
        save_file({"batches": rows}, folder / "batches.safetensors")
        turn = iter(range(1 << 30))

        def ours(more, environment=None):
            out = str(folder / f"run-{next(turn)}") if environment is None else environment.pop("OUT")
            command = [binary, "train", ROOT / f"configs/bench-{options.config}.toml", "--batches", folder / "batches.safetensors"]
            command += ["--out", out, "--json", "--set", f'parallel.sharded="{options.sharded}"', *more]
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})})

        def told(process):
            said, wrong = process.communicate()
            if process.returncode != 0:
                sys.exit(wrong)
            return json.loads(said) if said.strip() else None

        def processes():
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = str(free.getsockname()[1])
            out, size = str(folder / f"run-{next(turn)}"), str(options.devices)
            each = {"WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            threads = str(max(len(os.sched_getaffinity(0)) // options.devices, 1))
            ranks = [
                ours(["--distributed"], {**each, "RANK": str(rank), "RAYON_NUM_THREADS": threads, "OUT": out})
                for rank in range(options.devices)
            ]
            return [told(rank) for rank in ranks][0]

        def peer(count):
            command = [sys.executable, ROOT / "benches/peers/torch_ddp.py", "--config", options.config]
            command += ["--processes", str(count), "--steps", str(options.steps)]
            return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

        columns = {
            "one device": lambda: told(ours([])),
            "threads": lambda: told(ours(["--devices", str(options.devices)])),
            "processes": processes,
            "torch, one": lambda: peer(1),
            "torch DDP": lambda: peer(options.devices),
        }
        speeds, shares = {name: [] for name in columns}, []
        for _ in range(options.rounds):
            for name, run in columns.items():
                result = run()
                speeds[name].append(result["tokens_per_second"])
                if name == "threads":
                    parallel = result["parallel"]
                    shares.append(1 - parallel["exposed_seconds"] / parallel["sending_seconds"])

    medians = {name: statistics.median(values) for name, values in speeds.items()}
    print(f"{options.config}, {options.devices} devices, sharded: {options.sharded}, {len(os.sched_getaffinity(0))} cores, torch {torch.__version__}")
    for name, speed in medians.items():
        print(f"{name:>12} {speed:10.0f} tokens/s   ({min(speeds[name]):.0f} to {max(speeds[name]):.0f})")
    ratios = [ours / theirs for ours, theirs in zip(speeds["processes"], speeds["torch DDP"])]
    print(f"processes / torch DDP: {statistics.median(ratios):.2f}; of sending beside computation, as threads: {100 * statistics.median(shares):.0f} %")


if __name__ == "__main__":
    main()
