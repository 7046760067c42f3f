"""`ablate bench step` and the same step in PyTorch, round by round in turn, so that both see the same machine.

    python benches/compare.py --config small --rounds 5 --ablate target/release/ablate

The peer runs under the Python that runs this script. Options after `--` go to the peer, e.g. `-- --compile`.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def processor():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def once(command, threads):
    environment = os.environ | {"RAYON_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    if done.returncode:
        sys.exit(f"failed with {done.returncode}: {' '.join(command)}")
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", choices=("tiny", "small", "base"), default="small")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=CORES)
    parser.add_argument("--ablate", default=str(ROOT / "target/release/ablate"), help="the binary")
    parser.add_argument("--device", default="flex", help="of ablate; the peer runs on the CPU, or on CUDA with it")
    parser.add_argument("--ops", choices=("fused", "composed"), default="fused", help="operators of ablate")
    parser.add_argument("--json", action="store_true", help="every measurement as one JSON object")
    parser.add_argument("peer", nargs="*", help="options of the peer, after --")
    options = parser.parse_args()

    steps = ["--steps", str(options.steps), "--json"]
    ablate = [options.ablate, "bench", "step", "--config", f"configs/bench-{options.config}.toml", "--device", options.device, "--ops", options.ops, *steps]
    peer = [sys.executable, str(ROOT / "benches/peers/torch_step.py"), "--config", options.config, *steps, *options.peer]
    if options.device.startswith("cuda") and "--device" not in options.peer:
        peer += ["--device", options.device]
    arms = {"ablate": ablate, "peer": peer}
    results = {"ablate": [], "peer": []}
    for round in range(options.rounds):
        order = list(arms) if round % 2 == 0 else list(arms)[::-1]
        for name in order:
            results[name].append(once(arms[name], options.threads))
            ms = results[name][-1]["ms_per_step"]
            print(f"round {round + 1}/{options.rounds}  {name:6}  {ms['min']:8.1f} min  {ms['median']:8.1f} median", file=sys.stderr)

    # The minimum of minima is what the code can do; the median of medians what it did.
    summary = {
        name: {
            "min": min(r["ms_per_step"]["min"] for r in runs),
            "median": statistics.median(r["ms_per_step"]["median"] for r in runs),
            **{phase: statistics.median(r["ms_per_step"][phase] for r in runs) for phase in ("forward", "backward", "optimizer")},
            "tokens_per_second": statistics.median(r["tokens_per_second"] for r in runs),
            "peak_mib": max(r["peak_rss_bytes"] for r in runs) / 2**20,
        }
        for name, runs in results.items()
    }
    version = subprocess.run([options.ablate, "--version"], stdout=subprocess.PIPE, text=True).stdout.strip()
    about = {
        "config": options.config,
        "rounds": options.rounds,
        "steps": options.steps,
        "threads": options.threads,
        "processor": processor(),
        "system": platform.platform(),
        "ablate": f"{version}, {results['ablate'][-1]['path']}",
        "peer": results["peer"][-1]["path"],
    }
    ratio = {key: summary["peer"][key] / summary["ablate"][key] for key in ("min", "median", "forward", "backward", "optimizer")}
    if options.json:
        print(json.dumps({"about": about, "summary": summary, "peer_over_ablate": ratio, "runs": results}))
        return
    for key, value in about.items():
        print(f"{key:10} {value}")
    print(f"\n{'ms per step':12}" + "".join(f"{key:>12}" for key in ratio) + f"{'tokens/s':>12}{'peak MiB':>12}")
    for name, row in summary.items():
        print(f"{name:12}" + "".join(f"{row[key]:12.1f}" for key in ratio) + f"{row['tokens_per_second']:12.0f}{row['peak_mib']:12.0f}")
    print(f"{'peer/ablate':12}" + "".join(f"{ratio[key]:12.2f}" for key in ratio))


if __name__ == "__main__":
    main()
