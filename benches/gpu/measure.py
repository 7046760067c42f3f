"""Measures `ablate` beside PyTorch on one GPU and prints a table in Markdown; called by `run.sh`."""

import argparse
import concurrent.futures
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PEERS = ROOT / "benches/peers"
# The doctor compiles every variant of every kernel, so it comes last, with the time that is left.
SECTIONS = ("attention", "variants", "step", "parallel", "doctor")
LENGTHS = (1024, 2048, 4096, 8192, 16384)
# name: options of both sides; those that only the peer has; floor and target of PyTorch's time over ablate's
VARIANTS = {
    "ALiBi": ["--bias", "alibi"],
    "T5 bias": ["--bias", "t5"],
    "soft cap": ["--soft-cap", "50"],
    "window of 1024": ["--window", "1024"],
    "documents": ["--documents", "8"],
}
FORMULA = "MFU = tokens/s · (6·weights of products + 12·layers·heads·head_dim·visible keys per query) / rate of an 8192³ bf16 product"


class Session:
    """Runs commands within the time of the call and records what they print."""

    def __init__(self, options):
        self.options, self.end = options, time.monotonic() + 60 * options.minutes
        options.out.mkdir(parents=True, exist_ok=True)
        self.file = options.out / "records.jsonl"
        self.device = [] if options.tiny else ["--device", options.device]
        self.failed = False

    def record(self, section, case, side, values):
        self.failed |= side == "ablate" and "failed" in values
        line = {"section": section, "case": case, "side": side, **values}
        with open(self.file, "a") as file:
            file.write(json.dumps(line) + "\n")
        print(f"{section}: {case}: {side}: {values.get('failed') or 'measured'}", file=sys.stderr, flush=True)

    def run(self, command):
        """Lines of JSON that the command printed, and why it failed if it did."""
        left = self.end - time.monotonic()
        if left < 5:
            return [], f"the {self.options.minutes:g} minutes are over"
        try:
            done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=left, cwd=ROOT)
            out, errors, code = done.stdout, done.stderr, done.returncode
        except subprocess.TimeoutExpired as expired:
            out = expired.stdout.decode() if isinstance(expired.stdout, bytes) else expired.stdout or ""
            errors, code = f"not done after {left:.0f} s", 124
        except OSError as error:
            return [], str(error)
        lines = []
        # Lines of JSON, or one object over many lines.
        for text in (out, *out.splitlines()):
            try:
                lines.append(json.loads(text))
            except json.JSONDecodeError:
                continue
            if text is out:
                break
        text = " ".join((errors.strip() or out.strip()).split())
        return [line for line in lines if isinstance(line, dict)], None if code == 0 else (reason(text) or f"exit code {code}")

    def ablate(self, *arguments):
        return self.run([self.options.ablate, *arguments])

    def peer(self, script, *arguments):
        return self.run([sys.executable, PEERS / script, *arguments])

    def lengths(self, section, case, side, answer, lengths):
        """Records a line per length; a length without a line failed for the command's reason."""
        lines, failed = answer
        found = {line.get("seq"): line for line in lines}
        for seq in lengths:
            self.record(section, f"{case}, {seq}", side, found.get(seq) or {"failed": failed or "it printed nothing"})


def reason(text):
    """The part of a message that says most."""
    for mark in ("OutOfMemoryError", "out of memory", "panicked at", "error:", "Error:"):
        if mark in text:
            return text[text.index(mark) :][:160]
    return text[-160:]


def doctor(session):
    """An operator and element type per process, side by side: compiling the variants of the kernels takes longest."""
    # An operator that there is not is answered with those that there are.
    listed = subprocess.run([session.options.ablate, "doctor", "--op", "?"], capture_output=True, text=True).stderr
    operators = listed.partition("there are ")[2].split("For more")[0].replace(",", " ").split()
    parts = [(operator, dtype) for dtype in ("bf16", "f32", "bf16-products", "f16") for operator in operators]
    # The longest first.
    parts.sort(key=lambda part: "attention" not in part[0])

    def one(part):
        return part, session.ablate("doctor", *session.device, "--json", "--op", part[0], "--dtype", part[1])

    with concurrent.futures.ThreadPoolExecutor(max(1, len(os.sched_getaffinity(0)) - 1)) as pool:
        for (operator, dtype), (lines, failed) in pool.map(one, parts):
            # What an operator does not have is no failure.
            if not lines and "not on " in (failed or ""):
                continue
            found = {"failed": failed} if failed else {"passed": True}
            session.record("doctor", f"{operator}, {dtype}", "ablate", found | {"answer": lines[-1] if lines else None})
    if not parts:
        session.record("doctor", "all operators", "ablate", {"failed": listed or "no operator is listed"})


def rate(session):
    lines, failed = session.peer("torch_attention.py", "--kind", "product", *session.device, *session.precision, *session.tiny)
    session.record("rate", "bf16 product", "peer", lines[0] if lines else {"failed": failed})


def attention(session):
    lengths = (128, 256) if session.options.tiny else LENGTHS
    for head_dim in (64, 128):
        for direction in ("forward", "both"):
            heads = 2 if session.options.tiny else 2048 // head_dim
            shape = ["--heads", heads, "--head-dim", head_dim, "--pass", direction, "--seq", ",".join(map(str, lengths))]
            shape += ["--rounds", 1] if session.options.tiny else ["--tokens", 16384]
            case = f"head size {head_dim}, {'forward' if direction == 'forward' else 'forward and backward'}"
            common = [*session.device, *session.precision, *shape]
            session.lengths("attention", case, "ablate", session.ablate("bench", "attention", *common, "--json"), lengths)
            for backend in ("flash", "cudnn"):
                answer = session.peer("torch_attention.py", "--backend", backend, *common, *session.tiny)
                session.lengths("attention", case, backend, answer, lengths)


def variants(session):
    lengths = (128, 256) if session.options.tiny else (4096,)
    for name, flags in VARIANTS.items():
        if session.options.tiny and "--window" in flags:
            flags = ["--window", "64"]
        for direction in ("forward", "both"):
            case = f"{name}, {'forward' if direction == 'forward' else 'forward and backward'}"
            heads = 2 if session.options.tiny else 16
            shape = ["--heads", heads, "--pass", direction, "--seq", ",".join(map(str, lengths))]
            shape += ["--rounds", 1] if session.options.tiny else ["--batch", 4]
            common = [*session.device, *session.precision, *shape, *flags]
            session.lengths("variants", case, "ablate", session.ablate("bench", "attention", *common, "--json"), lengths)
            answer = session.peer("torch_attention.py", "--kind", "flex", *common, *session.tiny)
            session.lengths("variants", case, "FlexAttention", answer, lengths)


def step(session):
    for config, rounds in (("tiny", 1),) if session.options.tiny else (("llama-124m", 2), ("llama-1b", 1)):
        steps = ["--steps", 2 if session.options.tiny else 10, "--json"]
        precision = [] if session.options.tiny else ["--set", "train.precision=bf16"]
        peer = [] if session.options.tiny else ["--dtype", "bfloat16"]
        for _ in range(rounds):
            for side, answer in (
                ("ablate", lambda: session.ablate("bench", "step", "--config", f"configs/bench-{config}.toml", *session.device, *precision, *steps)),
                ("compiled", lambda: session.peer("torch_step.py", "--config", config, "--compile", *session.device, *peer, *steps)),
            ):
                lines, failed = answer()
                session.record("step", f"training step, {config}", side, lines[-1] if lines and not failed else {"failed": failed or "it printed nothing"})


def parallel(session):
    """Several GPUs of this machine: gradients by NCCL, beside DistributedDataParallel; the other ways to lay a run beside the same."""
    config, dtype, devices = ("tiny", "float32", 2) if session.options.tiny else ("llama-124m", "bfloat16", gpus())
    if devices < 2:
        session.record("parallel", f"{config} on several devices", "ablate", {"failed": "this machine has one GPU"})
        return
    steps = 4 if session.options.tiny else 20
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        batches, rows = random_batches(config, steps, folder / "batches.safetensors")
        turn, peers = iter(range(100)), {}

        def ablate(*more):
            precision = [] if session.options.tiny else ["--set", "train.precision=bf16"]
            command = ["train", f"configs/bench-{config}.toml", "--batches", batches, "--out", folder / f"run-{next(turn)}", "--json"]
            lines, failed = session.ablate(*command, *session.device, *precision, *more)
            done = bool(lines) and lines[-1].get("outcome") == "finished"
            return lines[-1] if done and not failed else {"failed": failed or "it did not finish"}

        layouts = {"one device": [], "gradients": []} | {stage: ["--set", f'parallel.sharded="{stage}"'] for stage in ("moments", "parameters")}
        for name, more in (layouts | {"layers divided by two": ["--tensor", "2"]}).items():
            count = 1 if name == "one device" else devices if rows % devices == 0 else 2
            case = f"{config}, {name}" if count == 1 else f"{config} on {count} devices, {name}"
            found = ablate("--devices", str(count), *more)
            session.record("parallel", case, "ablate", found)
            if count not in peers:
                device = "cpu" if session.options.tiny else "cuda"
                command = ["--config", config, "--processes", count, "--steps", steps, "--device", device, "--dtype", dtype]
                lines, failed = session.peer("torch_ddp.py", *command)
                peers[count] = lines[-1] if lines and not failed else {"failed": failed or "it printed nothing"}
            session.record("parallel", case, "DDP", peers[count])


def gpus():
    try:
        return len(subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True).stdout.splitlines())
    except OSError:
        return 0


def random_batches(config, steps, file):
    """Writes batches of the shape of a configuration; the file, and the rows of a batch."""
    import torch
    from safetensors.torch import save_file

    sys.path.insert(0, str(PEERS))
    from torch_step import SHAPES

    shape = SHAPES[config]
    save_file({"batches": torch.randint(shape.vocab, (steps, shape.batch, shape.context + 1), dtype=torch.int32)}, file)
    return file, shape.batch


def value(lines, key):
    """The median of what was measured for a key, or none."""
    values = [line[key] for line in lines if key in line]
    return statistics.median(values) if values else None


def rows(records):
    """Rows of the table, from all records of the folder; a case that was measured again counts by its median."""
    cases = {}
    for record in records:
        sides = cases.setdefault((record["section"], record["case"]), {})
        lines = sides.setdefault(record["side"], [])
        # Of failures and measurements, measurements.
        if "failed" not in record:
            sides[record["side"]] = [line for line in lines if "failed" not in line] + [record]
        elif not lines:
            lines.append(record)
    peak = value(cases.get(("rate", "bf16 product"), {}).get("peer", []), "flops_per_second")
    rate = lambda flops: f"{flops / 1e12:.3g}" if flops < 1e14 else f"{flops / 1e12:.0f}"
    share = lambda flops: f"{rate(flops)} ({100 * flops / peak:.0f} %)" if flops and peak else rate(flops) if flops else "-"
    failure = lambda lines: next((f"failed: {line['failed']}" for line in lines if "failed" in line), "not measured")
    goals = {"attention": "0.6 / 1.0", "variants": "1.0 / 1.5", "step": "- / 1.0", "parallel": "- / 1.0"}
    speeds = ("step", "parallel")
    for (section, case), sides in cases.items():
        if section == "rate":
            yield [case, "-", f"{rate(peak)} TFLOP/s" if peak else failure(sides["peer"]), "-", "-", "-", "-", "-"]
            continue
        own = sides.get("ablate", [])
        if section == "doctor":
            yield [f"doctor, {case}", "passed" if any("passed" in line for line in own) else failure(own), "-", "-", "-", "-", "-", "-"]
            continue
        key = "tokens_per_second" if section in speeds else "ms"
        others = {side: value(lines, key) for side, lines in sides.items() if side != "ablate"}
        measured = {side: number for side, number in others.items() if number}
        best = (max if section in speeds else min)(measured, key=measured.get) if measured else None
        mine = value(own, key)
        show = lambda number: f"{number:.0f} tokens/s" if section in speeds else f"{number:.3f} ms"
        ratio = "-"
        if mine and best:
            ratio = f"**{mine / measured[best] if section in speeds else measured[best] / mine:.2f}**"
        reasons = "; ".join(f"{side} {failure(lines)}" for side, lines in sides.items() if side != "ablate" and not others[side])
        memory = [value(lines, name) for lines, name in ((own, "peak_device_bytes"), (sides.get(best, []), "peak_device_bytes" if section in speeds else "peak_bytes"))]
        yield [
            case,
            show(mine) if mine else failure(own),
            f"{show(measured[best])}, {best}" if best else reasons or "-",
            ratio,
            goals[section],
            share(value(own, "flops_per_second")),
            share(value(sides.get(best, []), "flops_per_second")),
            " / ".join(f"{number / 2**20:.0f}" if number else "-" for number in memory),
        ]


def table(file):
    head = ["what", "ablate", "PyTorch", "ablate's speed / PyTorch's", "floor / target", "ablate TFLOP/s (of rate)", "PyTorch TFLOP/s (of rate)", "MiB ablate / PyTorch"]
    records = [json.loads(line) for line in file.read_text().splitlines()]
    for line in (head, ["---"] * len(head), *rows(records)):
        print(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |")
    print(f"\nAttention counts 4·head_dim FLOPs per visible pair forward and 10·head_dim backward. {FORMULA}.")


def about(session):
    code = "import torch; print(torch.__version__, torch.version.cuda, torch.cuda.get_device_name() if torch.cuda.is_available() else 'no GPU')"
    peer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip()
    try:
        own = subprocess.run([session.options.ablate, "--version"], capture_output=True, text=True).stdout.strip()
    except OSError as error:
        own = str(error)
    driver = "?"
    try:
        query = ["nvidia-smi", "--query-gpu=driver_version,clocks.max.sm,power.limit", "--format=csv,noheader"]
        driver = subprocess.run(query, capture_output=True, text=True).stdout.strip()
    except OSError:
        pass
    print(f"{own}; torch, CUDA, GPU: {peer}; driver, clock, power: {driver}; {time.strftime('%Y-%m-%d')}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", help=f"of {', '.join(SECTIONS)}; all by default")
    parser.add_argument("--ablate", required=True, help="the binary")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=pathlib.Path, help="folder of records; a new one by default")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--tiny", action="store_true", help="small shapes on the CPU, to see that all of it runs")
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}: choose from {', '.join(SECTIONS)}")
    options.out = (options.out or pathlib.Path(tempfile.mkdtemp(prefix="ablate-gpu-"))).resolve()
    options.ablate = os.path.abspath(options.ablate)
    session = Session(options)
    session.precision = [] if options.tiny else ["--dtype", "bf16"]
    session.tiny = ["--tiny"] if options.tiny else []
    sections = options.sections or list(SECTIONS)
    if set(sections) - {"doctor"}:
        rate(session)
    for name in sections:
        {"doctor": doctor, "attention": attention, "variants": variants, "step": step, "parallel": parallel}[name](session)
    about(session)
    table(session.file)
    print(f"\nRecords: {session.file}", file=sys.stderr)
    sys.exit(3 if session.failed else 0)


if __name__ == "__main__":
    main()
