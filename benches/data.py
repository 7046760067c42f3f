"""The steps of `ablate data build`, and its tokenizers, beside the libraries that do the same, round by round in turn, on one core.

    python benches/data.py --ablate target/release/ablate --mb 10 --rounds 5
    python benches/data.py --only c4,minhash --python datatrove=.venv/bin/python --input sample.jsonl
    python benches/data.py --linear --ablate target/release/ablate

Documents are generated (`text.py`) or given. `ablate` reads them all; a peer reads as many of the first ones as it can in about
`--seconds`, in a process that stays, after a run that warms it up. Seconds are of the work alone, by the clock:

    peers     the call of the library, over documents in memory; importing it and loading models is not counted
    ablate    what the build says of the step (`times.json`): over each document, and where a step compares documents, also reading
              them from the disk, packed, and sorting; not the program's start, nor models
    encoding  `ablate tokenizer encode` over all documents, less the same over one letter; printing the ids counts

"said the same" is the share of the peer's documents for which both have the same result: text that is left, language, perplexity,
or, of tokenizers, whether the ids of one long text are the same. Models are trained here: fastText, BPE and SentencePiece by the
peers, the n-gram model by `ablate` (an ARPA file, which KenLM reads), all from the documents that are read; `--model` gives others.

With `--linear`, the same recipe (C4's rules, MinHash) over more and more text: seconds, speed and peak memory of the whole build.
"""

import argparse
import hashlib
import json
import math
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

# No folder of compiled modules is left in the repository.
sys.dont_write_bytecode = True

import compare
import text
from compare import Failed, ROOT, last_line, processor

PEERS = ROOT / "benches/peers/data.py"
# Name: documents, step of a recipe or none for encoding, peers, what trains the model.
MEASURES = {
    "c4": ("web", '{ kind = "c4", preset = "c4-datatrove" }', ["datatrove"], None),
    "gopher-quality": ("web", '{ kind = "gopher_quality" }', ["datatrove"], None),
    "gopher-repetition": ("web", '{ kind = "gopher_repetition" }', ["datatrove"], None),
    "lines": ("web", '{ kind = "lines", min_chars = 0 }', ["datatrove", "cc_net", "hashlib and dict"], None),
    "minhash": ("web", '{ kind = "minhash" }', ["datatrove", "datatrove, words by white space", "text-dedup"], None),
    "identify": ("languages", '{ kind = "identify", identifier = "fasttext", model = "MODEL", threshold = 0.0 }', ["fasttext"], "fasttext"),
    # The text is normalised before: the peer does not normalise.
    "perplexity": (
        "normalised",
        '{ kind = "perplexity", model = "MODEL", buckets = { keep = ["head", "middle", "tail"] },'
        ' normalise = { case = false, accents = false, numbers = false, punctuation = "keep" } }',
        ["kenlm"],
        "ablate",
    ),
    "bpe": ("web", None, ["tokenizers"], "tokenizers"),
    "sentencepiece": ("web", None, ["sentencepiece"], "sentencepiece"),
    "html-all": ("pages", '{ kind = "html" }', ["resiliparse", "lxml"], None),
    "html-main": ("pages", '{ kind = "html", part = "main" }', ["trafilatura", "resiliparse"], None),
}
MODELS = {"identify": "identify.bin", "perplexity": "perplexity.arpa", "bpe": "bpe.json", "sentencepiece": "sentencepiece.model"}
RECIPE = """
name = "bench"
[[source]]
name = "input"
paths = ['{input}']
[[source.step]]
name = "step"
apply = {apply}
allow = ["nothing", "everything"]
[output]
packing = "none"
"""
LINEAR = """
name = "linear"
[[source]]
name = "input"
paths = ['{input}']
[[source.step]]
apply = {{ kind = "c4" }}
[[step]]
apply = {{ kind = "minhash" }}
"""
# One thread, also of what has its own idea of how many.
ONE = {"env": os.environ | {"RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}}


def called(command, **more):
    done = subprocess.run([str(word) for word in command], stderr=subprocess.PIPE, **ONE, **more)
    if done.returncode:
        raise Failed(" ".join(done.stderr.decode(errors="replace").split()) or f"exit code {done.returncode}")
    return done.stdout


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def wrote(path, documents):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(document, ensure_ascii=False) + "\n" for document in documents)
    return path


def digest(content):
    return hashlib.sha1(content).hexdigest()


class Build:
    """A step, in a build of its own."""

    def __init__(self, name, ablate, apply, model, path, folder):
        self.name, self.ablate, self.apply, self.path, self.folder = name, ablate, apply.replace("MODEL", str(model)), path, folder

    def build(self, path):
        recipe, out = self.folder / "recipe.toml", self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        recipe.write_text(RECIPE.format(input=path, apply=self.apply))
        called([self.ablate, "data", "build", recipe, "--out", out, "--jobs", 1, "--json"], stdout=subprocess.PIPE)
        return out

    def turn(self, _):
        out = self.build(self.path)
        times = [it for it in json.loads((out / "times.json").read_text()) if it["step"] == "step"]
        # Scores are sorted into buckets after; the peer only scores.
        times = times[:1] if self.name == "perplexity" else times
        size = json.loads((out / "report.json").read_text())["steps"][0]["input"]["bytes"]
        return {"seconds": sum(it["seconds"] for it in times), "bytes": size}

    def said(self, documents):
        """As a peer says it."""
        out = self.build(wrote(self.folder / "said.jsonl", documents))
        if self.name == "minhash":
            report = json.loads((out / "report.json").read_text())["steps"][0]
            return f"{report['input']['documents'] - report['output']['documents']} dropped"
        left = {it["id"]: it for path in sorted((out / "documents").iterdir()) for it in read(path)}
        value = {"identify": lambda it: digest(it["meta"]["language"].encode()), "perplexity": lambda it: it["meta"]["perplexity"]}
        of = value.get(self.name, lambda it: digest(it["text"].encode()))
        return [of(left[it["id"]]) if it["id"] in left else None for it in documents]

    def close(self):
        pass


class Encode:
    """A tokenizer over one text."""

    def __init__(self, ablate, model, path, folder):
        self.command, self.folder = [ablate, "tokenizer", "encode", model], folder
        self.text, self.least = folder / "text.txt", folder / "least.txt"
        self.text.write_text("\n".join(document["text"] for document in read(path)), encoding="utf-8")
        self.least.write_text("a")

    def seconds(self, path):
        with open(path, "rb") as file:
            begin = time.perf_counter()
            called(self.command, stdin=file, stdout=subprocess.DEVNULL)
            return time.perf_counter() - begin

    def turn(self, _):
        return {"seconds": self.seconds(self.text) - self.seconds(self.least), "bytes": self.text.stat().st_size}

    def said(self, documents):
        whole = "\n".join(document["text"] for document in documents[:20])
        return [digest(called(self.command, input=whole.encode(), stdout=subprocess.PIPE).strip())]

    def close(self):
        pass


class Peer(compare.Peer):
    """A process that stays."""

    def __init__(self, command, folder):
        self.first = None
        super().__init__(command, ONE["env"] | {"TMPDIR": str(folder)}, folder)
        self.about = json.loads(self.first)

    def read(self):
        line = super().read()
        self.first = self.first or line
        return line


def agreement(own, theirs):
    if theirs is None:
        return "-"
    if isinstance(theirs, str):
        return "yes" if own == theirs else f"{own}; {theirs}"
    # KenLM's module adds logarithms up in 32 bits.
    close = lambda a, b: isinstance(a, float) and isinstance(b, float) and math.isclose(a, b, rel_tol=1e-4, abs_tol=0.11)
    equal = (a == b or close(a, b) for a, b in zip(own, theirs))
    same = 100 * sum(equal) / len(theirs)
    return f"{same:.4g} %" if len(theirs) > 1 else "yes" if same else "no"


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder, self.made = options, folder, {}
        self.pythons, self.models = dict(options.python), dict(options.model)

    def documents(self, kind):
        """Path of the documents of a kind, each with an id."""
        if kind not in self.made:
            path, given = self.folder / f"{kind}.jsonl", self.options.pages if kind == "pages" else self.options.input
            if kind == "normalised":
                changed = str.maketrans("0123456789\n", "0000000000 ")
                documents = read(self.documents("web"))
                wrote(path, ({**it, "text": " ".join(it["text"].lower().translate(changed).split())} for it in documents))
            elif given:
                size, documents = 0, []
                for it in read(given):
                    if size >= self.options.mb * 1e6:
                        break
                    documents.append({"id": str(len(documents)), "text": it["text"]})
                    size += len(it["text"].encode())
                wrote(path, documents)
            else:
                text.write(path, self.options.mb, kind)
            self.made[kind] = path
        return self.made[kind]

    def peer(self, name, peer, *more):
        python = self.pythons.get(peer.split(",")[0], sys.executable)
        return [python, str(PEERS), f"{name}/{peer}", *map(str, more)]

    def model(self, name, kind, trainer):
        if name in self.models or trainer is None:
            return self.models.get(name)
        path, sample = self.folder / MODELS[name], self.folder / "sample.jsonl"
        # Half of the documents, so that half of what is judged was not seen.
        source = self.documents(kind)
        if kind == "languages" and "language" not in read(source)[0]:
            text.write(sample, min(self.options.mb, 4), "languages", seed=2)
        else:
            wrote(sample, read(source)[::2][: int(4e6 / source.stat().st_size * len(read(source))) + 100])
        print(f"{name}: train", file=sys.stderr)
        if trainer == "ablate":
            called([self.options.ablate, "data", "train", "ngram", sample, "--out", path], stdout=subprocess.PIPE)
        else:
            called(self.peer(name, trainer, "--input", sample, "--train", path), stdout=subprocess.PIPE)
        return path

    def measure(self, name):
        """Rows of a measure: of `ablate` and of each peer, seconds by round, or why there are none."""
        kind, apply, peers, trainer = MEASURES[name]
        path, arms, results, failed, about = self.documents(kind), {}, {}, {}, {}

        def attempt(arm, action):
            try:
                return action()
            except (Failed, OSError) as error:
                failed[arm] = str(error)
                print(f"{name}: {arm}: {error}", file=sys.stderr)
                arms.pop(arm, None)

        try:
            model = self.model(name, kind, trainer)
        except Failed as error:
            return {}, {"ablate": "no model", **dict.fromkeys(peers, last_line(str(error)))}, {}
        extra = ["--model", model] if model else []
        make = {"ablate": lambda: Encode(self.options.ablate, model, path, self.folder)}
        if apply:
            make["ablate"] = lambda: Build(name, self.options.ablate, apply, model, path, self.folder)
        for peer in peers:
            command = self.peer(name, peer, "--input", path, "--seconds", self.options.seconds, *extra)
            make[peer] = lambda command=command: Peer(command, self.folder)
        for arm, start in make.items():
            started = attempt(arm, start)
            if started:
                arms[arm] = started
        own = arms.get("ablate")
        for peer in [arm for arm in arms if arm != "ablate"]:
            said = arms[peer].about["said"]
            about[peer] = {"version": arms[peer].about["version"], "same": "-"}
            if own and said is not None:
                mine = attempt("ablate", lambda: own.said(read(path)[: arms[peer].about["documents"]]))
                about[peer]["same"] = agreement(mine, said) if mine else "-"
        for round in range(self.options.rounds):
            names = list(arms)
            for arm in names[round % max(len(names), 1) :] + names[: round % max(len(names), 1)]:
                result = attempt(arm, lambda: arms[arm].turn(1))
                if result:
                    results.setdefault(arm, []).append(result)
                    rate = result["bytes"] / 1e6 / result["seconds"]
                    print(f"round {round + 1}/{self.options.rounds}  {name:18} {arm:32} {rate:10.2f} MB/s", file=sys.stderr)
        for arm in arms.values():
            arm.close()
        return {arm: runs for arm, runs in results.items() if arm not in failed}, failed, about


def rates(runs):
    """MB/s by the median of seconds, and by the least."""
    seconds = [run["seconds"] for run in runs]
    return [runs[0]["bytes"] / 1e6 / of(seconds) for of in (statistics.median, min)]


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def pair(values):
    return f"{number(values[0])} ({number(values[1])})"


def rows(name, results, failed, about):
    own = results.get("ablate")
    for peer in MEASURES[name][2]:
        mine = pair(rates(own)) if own else failed.get("ablate", "?")[:60]
        if peer in results:
            theirs, version = rates(results[peer]), about[peer]["version"]
            ratio = "**{}** ({})".format(*(number(a / b) for a, b in zip(rates(own), theirs))) if own else "-"
            yield [name, f"{peer} {version}".strip(), mine, pair(theirs), ratio, about[peer]["same"]]
        else:
            yield [name, peer, mine, failed.get(peer, "?")[:60], "-", "-"]


def loads():
    return ", ".join(f"{value:.1f}" for value in os.getloadavg())


def line(cells):
    return f"| {' | '.join(cells)} |"


def linear(options, folder):
    """Peak memory is of the process, as the system counts it."""
    print(line(["text", "documents", "left", "seconds", "MB/s", "peak MiB"]) + "\n" + line(["---"] * 6))
    for megabytes in [int(size) for size in options.sizes.split(",")] + [10_000] * options.largest:
        path, recipe, out = folder / "linear.jsonl", folder / "linear.toml", folder / "linear"
        # In a process of its own: memory of this one would count as the least of the build's.
        called([sys.executable, ROOT / "benches/text.py", "--mb", megabytes, "--out", path])
        recipe.write_text(LINEAR.format(input=path))
        command = [options.ablate, "data", "build", recipe, "--out", out, "--jobs", options.jobs, "--memory", options.memory]
        begin = time.perf_counter()
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        if status:
            sys.exit(f"ablate failed over {megabytes} MB")
        report = json.loads((out / "report.json").read_text())
        came, left = report["sources"][0]["read"], report["written"]["documents"]
        rate, peak = came["bytes"] / 1e6 / seconds, usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        print(line([f"{megabytes} MB", f"{came['documents']}", f"{left}", f"{seconds:.1f}", f"{rate:.1f}", f"{peak:.0f}"]), flush=True)
        shutil.rmtree(out)
        path.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])

    def given(word):
        name, _, value = word.partition("=")
        if not value:
            raise argparse.ArgumentTypeError("write NAME=PATH")
        return name, value

    parser.add_argument("--ablate", default=str(ROOT / "target/release/ablate"), help="the binary")
    parser.add_argument("--only", help=f"measures, with commas: {', '.join(MEASURES)}")
    parser.add_argument("--mb", type=float, default=10, help="of text")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3, help="of a peer in a round, about")
    parser.add_argument("--python", type=given, action="append", default=[], metavar="NAME=PATH", help="the Python of a peer; by default this one")
    parser.add_argument("--model", type=given, action="append", default=[], metavar="NAME=PATH", help=f"of a measure: {', '.join(MODELS)}")
    parser.add_argument("--input", help="documents, JSON lines with text")
    parser.add_argument("--pages", help="the same of HTML, for html-all and html-main")
    parser.add_argument("--core", type=int, default=0, help="the first that is used")
    parser.add_argument("--folder", help="for what is written; by default a temporary one")
    parser.add_argument("--linear", action="store_true", help="one recipe over more and more text")
    parser.add_argument("--sizes", default="10,100,1000", help="of --linear, in MB")
    parser.add_argument("--largest", action="store_true", help="and 10 GB; needs about 40 GB of disk")
    parser.add_argument("--jobs", type=int, default=1, help="threads of --linear")
    parser.add_argument("--memory", default="1GB", help="of --linear")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else list(MEASURES)
    if unknown := set(names) - set(MEASURES):
        parser.error(f"--only {', '.join(unknown)}: choose from {', '.join(MEASURES)}")
    cores = range(options.core, options.core + (options.jobs if options.linear else 1))
    if hasattr(os, "sched_setaffinity"):
        # Children have it, too.
        os.sched_setaffinity(0, cores)

    version = subprocess.run([options.ablate, "--version"], stdout=subprocess.PIPE, text=True).stdout.strip()
    about = f"{options.jobs} threads, {options.memory}" if options.linear else options.input or f"generated, {options.mb:g} MB"
    for key, value in {"ablate": version, "processor": processor(), "system": platform.platform(), "load before": loads(), ("build" if options.linear else "input"): about}.items():
        print(f"{key:14} {value}")
    print()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        folder = pathlib.Path(folder)
        if options.linear:
            return linear(options, folder)
        bench, table = Bench(options, folder), []
        for name in names:
            table += rows(name, *bench.measure(name))
    print(f"MB/s of what is read, text or HTML, on one core: median of {options.rounds} rounds (fastest); ratios of medians (of the fastest).\n")
    print("\n".join(map(line, [["measure", "peer", "ablate", "peer's", "ablate / peer", "said the same"], ["---"] * 6, *table])))
    print(f"\nload after {loads()}")


if __name__ == "__main__":
    main()
