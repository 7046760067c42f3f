"""Loads models that were written by `save_pretrained` and read and written again by ablate, and compares.

    python reread.py THEIRS OURS

Every tensor must be equal to the bit, and so must the logits of the tokens in THEIRS/CASE/input.safetensors.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM
from transformers.utils import logging

torch.set_num_threads(1)
logging.set_verbosity_error()
logging.disable_progress_bar()

# Rows of OPT's positions that stand for padding: nobody reads them, and they come back as zeros.
PADDING = {"opt": ("embed_positions.weight", 2)}


def load(folder):
    model, report = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", output_loading_info=True)
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        assert not report[kind], f"{folder}: {kind} {report[kind]}"
    return model.eval()


def main(theirs, ours):
    for case in sorted(Path(theirs).iterdir()):
        first, second = load(case), load(Path(ours) / case.name)
        left, right = first.state_dict(), second.state_dict()
        assert left.keys() == right.keys(), case.name
        ending, rows = PADDING.get(first.config.model_type, ("", 0))
        for key in left:
            a, b = left[key], right[key]
            if ending and key.endswith(ending):
                a, b = a[rows:], b[rows:]
            assert torch.equal(a, b), f"{case.name}: {key}"
        ids = load_file(case / "input.safetensors")["input_ids"]
        with torch.no_grad():
            assert torch.equal(first(ids).logits, second(ids).logits), f"{case.name}: logits"
    print("all the same")


if __name__ == "__main__":
    main(*sys.argv[1:])
