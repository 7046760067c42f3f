"""References of n-gram models: what lmplz estimates from train.txt, and how KenLM scores heldout.txt with it.

Needs the Python package `kenlm` 0.3.0 and the program `lmplz` (https://github.com/kpu/kenlm at 4cb443e60b):

    python language_kenlm.py PATH/TO/lmplz
"""

import json
import pathlib
import subprocess
import sys

import kenlm

folder = pathlib.Path(__file__).parent.parent / "data/fixtures/language"
models = {"whole": ["-o", "5"], "pruned": ["-o", "3", "--prune", "0", "0", "1"], "words": ["-o", "1"]}
lines = (folder / "heldout.txt").read_text().split("\n")[:-1]
scores = {}
for name, options in models.items():
    arpa = folder / f"{name}.arpa"
    command = [sys.argv[1], *options, "--discount_fallback", "-S", "64M", "--text", folder / "train.txt", "--arpa", arpa]
    subprocess.run(command, check=True)
    if name == "words":
        continue  # KenLM scores with two words and more.
    model = kenlm.Model(str(arpa))
    both = [[model.score(line, bos=True, eos=True), model.score(line, bos=False, eos=False)] for line in lines]
    scores[name] = {"scores": both, "perplexities": [model.perplexity(line) for line in lines]}
(folder / "kenlm.json").write_text(json.dumps(scores, indent=1) + "\n")
