"""`ablate bench step` beside the same step in PyTorch, round by round in turn, so that all see the same machine.

    python benches/compare.py --config small --rounds 5 --ablate target/release/ablate

Columns of PyTorch: as installed (`eager`, `compiled`), at its best on this processor (`best-eager`, `best-compiled`: an
allocator that keeps its memory, MKL's widest instructions) and in bf16 (`bf16-compiled`, at its best, beside `ablate` with
`train.precision=bf16`). The peers run under the Python that runs this script, and stay in memory between their turns.
Options after `--` go to all peers.
"""

import argparse
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()

# name: options of the peer, whether at its best
COLUMNS = {
    "eager": ([], False),
    "compiled": (["--compile"], False),
    "best-eager": ([], True),
    "best-compiled": (["--compile"], True),
    "bf16-compiled": (["--compile", "--dtype", "bfloat16"], True),
}
# config: timed steps of a turn
STEPS = {"tiny": 30, "small": 6, "base": 4, "gpt2": 3}


class Failed(Exception):
    """An arm that cannot run here, and why."""


def processor():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def has_bf16():
    """Whether the processor has instructions for bf16; without, a step takes PyTorch ten times as long."""
    try:
        words = pathlib.Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(words))


def best(folder):
    """What makes PyTorch faster on this processor: environment variables, and a list of what was found."""
    keep = 1 << 34
    # glibc: large blocks from a heap that never shrinks, so that temporaries find pages that are already there.
    values = {"MALLOC_MMAP_THRESHOLD_": keep, "MALLOC_TRIM_THRESHOLD_": keep, "MALLOC_TOP_PAD_": 1 << 26}
    environment = {name: str(value) for name, value in values.items()}
    found = ["glibc's allocator keeps memory"]
    compiler = shutil.which("cc") or shutil.which("gcc")
    if "AMD" in processor() and compiler:
        library = pathlib.Path(folder) / "mkl.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, ROOT / "benches/peers/mkl.c"], check=True)
        environment["LD_PRELOAD"] = str(library)
        found.append("MKL takes its widest instructions")
    return environment, ", ".join(found)


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it says nothing"


class Ablate:
    """A process per turn."""

    def __init__(self, command, environment):
        self.command, self.environment = command, environment

    def turn(self, steps):
        command = [*self.command, "--steps", str(steps), "--json"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, cwd=ROOT)
        if done.returncode:
            raise Failed(" ".join(done.stderr.split()) or f"exit code {done.returncode}")
        return json.loads(done.stdout.splitlines()[-1])

    def close(self):
        pass


class Peer:
    """A process that stays, so that it is compiled once; it rests between its turns."""

    def __init__(self, command, environment, folder):
        self.errors = tempfile.TemporaryFile("w+", dir=folder)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.errors}
        self.process = subprocess.Popen([*command, "--serve"], env=environment, text=True, cwd=ROOT, **pipes)
        self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            raise Failed(last_line(self.errors.read()))
        return line

    def turn(self, steps):
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        return json.loads(self.read())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def run(arms, rounds, steps):
    """Results of all arms, and why others have none. `arms` are functions that start one."""
    started, results, failed = {}, {}, {}

    def attempt(name, action):
        try:
            return action()
        except (Failed, OSError) as error:
            failed[name] = str(error)
            print(f"{name}: failed: {error}", file=sys.stderr)
            started.pop(name, None)

    for name, start in arms.items():
        print(f"start {name}", file=sys.stderr)
        arm = attempt(name, start)
        if arm:
            started[name] = arm
    for round in range(rounds):
        names = list(started)
        for name in names[round % max(len(names), 1) :] + names[: round % max(len(names), 1)]:
            result = attempt(name, lambda: started[name].turn(steps))
            if result:
                results.setdefault(name, []).append(result)
                ms = result["ms_per_step"]
                print(f"round {round + 1}/{rounds}  {name:14}  {ms['min']:8.1f} min  {ms['median']:8.1f} median", file=sys.stderr)
    for arm in started.values():
        arm.close()
    return {name: runs for name, runs in results.items() if name not in failed}, failed


def summarise(runs):
    """The minimum of minima is what the code can do; the median of medians what it did."""
    row = {
        "min": min(r["ms_per_step"]["min"] for r in runs),
        "median": statistics.median(r["ms_per_step"]["median"] for r in runs),
        **{phase: statistics.median(r["ms_per_step"][phase] for r in runs) for phase in ("forward", "backward", "optimizer")},
        "tokens_per_second": statistics.median(r["tokens_per_second"] for r in runs),
        "peak_mib": max(r["peak_rss_bytes"] for r in runs) / 2**20,
        "path": runs[-1]["path"],
    }
    if all(r.get("peak_share") for r in runs):
        row["peak_share"] = statistics.median(r["peak_share"] for r in runs)
    if all(r.get("peak_device_bytes") for r in runs):
        row["peak_device_mib"] = max(r["peak_device_bytes"] for r in runs) / 2**20
    return row


def table(config, summary, failed, columns):
    """A table of one row, in Markdown."""

    def time(name):
        row = summary.get(name)
        return f"{row['median']:.1f} ({row['min']:.1f})" if row else f"failed: {failed.get(name, '?')[:60]}" if name in failed else "-"

    def ratio(peer, own="ablate"):
        rows = summary.get(peer), summary.get(own)
        return f"**{rows[0]['median'] / rows[1]['median']:.2f}** ({rows[0]['min'] / rows[1]['min']:.2f})" if all(rows) else "-"

    own = summary.get("ablate", {})
    cells = {"shape": config, "ablate": time("ablate"), "of peak": f"{100 * own['peak_share']:.0f} %" if "peak_share" in own else "-"}
    for name in columns:
        cells[name] = time(name)
        if name == "bf16-compiled":
            cells["ablate bf16"] = time("ablate-bf16")
        cells[f"{name} / ablate"] = ratio(name, "ablate-bf16" if name == "bf16-compiled" else "ablate")
    cells["ablate MiB"] = f"{own['peak_mib']:.0f}" if own else "-"
    # Its compiler is in the same process; the eager peer has the memory of the step alone.
    peers = [summary[name]["peak_mib"] for name in columns if name in summary]
    cells["PyTorch MiB, least"] = f"{min(peers):.0f}" if peers else "-"
    return "\n".join(f"| {' | '.join(line)} |" for line in (cells.keys(), ["---"] * len(cells), cells.values()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="small", help="of configs/bench-*.toml: tiny, small, base, gpt2, llama-124m, llama-1b")
    parser.add_argument("--columns", help=f"of PyTorch, with commas: {', '.join(COLUMNS)}; by default all, bf16 where the processor has it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, help="timed in a turn; by default as many as take about a second or two")
    parser.add_argument("--threads", type=int, default=CORES)
    parser.add_argument("--ablate", default=str(ROOT / "target/release/ablate"), help="the binary")
    parser.add_argument("--device", default="flex", help="of ablate; the peer runs on the CPU, or on CUDA with it")
    parser.add_argument("--ops", choices=("fused", "composed"), default="fused", help="operators of ablate")
    parser.add_argument("--json", action="store_true", help="every measurement as one JSON object")
    parser.add_argument("peer", nargs="*", help="options of the peer, after --")
    options = parser.parse_args()
    cuda = options.device.startswith("cuda")
    usual = [name for name in COLUMNS if not (cuda and name.startswith("best")) and (cuda or has_bf16() or name != "bf16-compiled")]
    columns = options.columns.split(",") if options.columns else usual
    if unknown := set(columns) - set(COLUMNS):
        parser.error(f"--columns {', '.join(unknown)}: choose from {', '.join(COLUMNS)}")
    steps = options.steps or STEPS.get(options.config, 10)

    environment = os.environ | {"RAYON_NUM_THREADS": str(options.threads), "OMP_NUM_THREADS": str(options.threads)}
    with tempfile.TemporaryDirectory() as folder:
        tuning, found = best(folder)
        ablate = [options.ablate, "bench", "step", "--config", f"configs/bench-{options.config}.toml", "--device", options.device]
        ablate += ["--ops", options.ops]
        peer = [sys.executable, str(ROOT / "benches/peers/torch_step.py"), "--config", options.config, *options.peer]
        if cuda and "--device" not in options.peer:
            peer += ["--device", options.device]
        arms = {"ablate": lambda: Ablate(ablate, environment)}
        for name in columns:
            flags, tuned = COLUMNS[name]
            extra = tuning if tuned and not cuda else {}
            arms[name] = lambda flags=flags, extra=extra: Peer([*peer, *flags], environment | extra, folder)
        if "bf16-compiled" in columns:
            arms["ablate-bf16"] = lambda: Ablate([*ablate, "--set", "train.precision=bf16"], environment)
        results, failed = run(arms, options.rounds, steps)

    if "ablate" not in results:
        sys.exit(f"ablate failed: {failed['ablate']}")
    summary = {name: summarise(runs) for name, runs in results.items()}
    version = subprocess.run([options.ablate, "--version"], stdout=subprocess.PIPE, text=True).stdout.strip()
    about = {
        "config": options.config,
        "rounds": options.rounds,
        "steps": steps,
        "threads": options.threads,
        "processor": processor(),
        "system": platform.platform(),
        "best": found,
        "ablate": f"{version}, {summary['ablate']['path']}",
        **{name: row["path"] for name, row in summary.items() if name != "ablate"},
    }
    if options.json:
        print(json.dumps({"about": about, "summary": summary, "failed": failed, "runs": results}))
        return
    for key, value in about.items():
        print(f"{key:14} {value}")
    keys = ("min", "median", "forward", "backward", "optimizer")
    print(f"\n{'ms per step':14}" + "".join(f"{key:>12}" for key in keys) + f"{'tokens/s':>12}{'peak MiB':>12}")
    for name, row in summary.items():
        print(f"{name:14}" + "".join(f"{row[key]:12.1f}" for key in keys) + f"{row['tokens_per_second']:12.0f}{row['peak_mib']:12.0f}")
    print("\nMilliseconds per step, median (minimum); ratios of medians (of minima).\n")
    print(table(options.config, summary, failed, columns))


if __name__ == "__main__":
    main()
