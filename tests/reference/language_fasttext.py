"""References of linear classifiers: models that the original fastText trains, and what it predicts with them.

Needs the Python package `fasttext-wheel` 0.9.2:

    python language_fasttext.py [MODEL …]

With models it checks that fastText predicts with them what stands in MODEL.json, which a test has written
(`write_models_for_the_original` in src/data/pipeline/language/fasttext/tests.rs); the exit code is 1 if it does not.
"""

import json
import pathlib
import sys
import tempfile

import fasttext

folder = pathlib.Path(__file__).parent.parent / "data/fixtures/language"
probes = (folder / "probes.txt").read_text().split("\n")[:-1]


def predict(path):
    model = fasttext.load_model(str(path))
    # What `model.predict` calls; the line break ends the line, as it does there.
    found = [model.f.predict(line + "\n", -1, 0.0, "strict") for line in probes]
    return [{label.removeprefix("__label__"): probability for probability, label in labels} for labels in found]


if len(sys.argv) > 1:
    failed = False
    for path in sys.argv[1:]:
        ours = json.loads(pathlib.Path(path + ".json").read_text())
        theirs = predict(path)
        worst = max(abs(a[label] - b[label]) for a, b in zip(ours, theirs, strict=True) for label in b)
        same = all(not b or max(a, key=a.get) == max(b, key=b.get) for a, b in zip(ours, theirs))
        print(path, "same labels" if same else "OTHER LABELS", "largest difference", worst)
        failed |= not same or worst > 1e-5
    sys.exit(failed)

with tempfile.NamedTemporaryFile("w", suffix=".txt") as text:
    for line in (folder / "sentences.tsv").read_text().splitlines():
        label, sentence = line.split("\t")
        text.write(f"__label__{label} {sentence}\n")
    # Counts that differ make the tree of hierarchical softmax a definite one.
    for extra, label in enumerate(["en", "de", "fr", "es", "pl", "ru", "nl"]):
        for _ in range(7 - extra):
            text.write(f"__label__{label} , .\n")
    text.flush()
    shared = dict(input=text.name, dim=8, lr=0.5, epoch=40, thread=1, minCount=1, verbose=0, bucket=300)
    expected = {}
    for name, options in {
        "softmax.bin": dict(loss="softmax", minn=2, maxn=3),
        "hierarchical.bin": dict(loss="hs", minn=2, maxn=4),
        "one-vs-all.bin": dict(loss="ova", wordNgrams=2),
        "negative.bin": dict(loss="ns", neg=3, wordNgrams=3, minn=3, maxn=3),
        "words.bin": dict(loss="softmax") | dict(bucket=0),
    }.items():
        model = fasttext.train_supervised(**(shared | options))
        model.save_model(str(folder / name))
        expected[name] = predict(folder / name)
        if name in ["softmax.bin", "hierarchical.bin"]:
            pruned = dict(cutoff=450, retrain=False) if name == "hierarchical.bin" else {}
            model.quantize(input=text.name, qnorm=name == "hierarchical.bin", dsub=3, **pruned)
            name = name.replace(".bin", ".ftz")
            model.save_model(str(folder / name))
            expected[name] = predict(folder / name)
(folder / "fasttext.json").write_text(json.dumps(expected, indent=None, ensure_ascii=False) + "\n")
