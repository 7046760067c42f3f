"""What `transformers` draws from, to hold `ablate::eval::Sampling` against.

    python sampling.py        writes sampling.json
    python sampling.py check  compares with the committed sampling.json

Needs torch and transformers. Logits are rounded to six digits, so that both sides read the same numbers, and no two are
equal: ties are ordered differently.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

PATH = pathlib.Path(__file__).with_suffix(".json")
PLAIN = {"repetition_penalty": 1.0, "temperature": 1.0, "top_k": None, "top_p": 1.0, "min_p": 0.0}


def manners():
    yield {}
    for key, values in {
        "repetition_penalty": [0.7, 1.3],
        "temperature": [0.3, 2.5],
        "top_k": [1, 4, 1000],
        "top_p": [0.1, 0.5, 0.93],
        "min_p": [0.02, 0.4, 1.0],
    }.items():
        for value in values:
            yield {key: value}
    yield {"temperature": 0.7, "top_k": 9, "top_p": 0.9}
    yield {"repetition_penalty": 1.2, "temperature": 1.5, "top_p": 0.95, "min_p": 0.1}
    yield {"repetition_penalty": 2.0, "temperature": 0.5, "top_k": 6, "top_p": 0.6, "min_p": 0.3}


def processors(manner):
    """In the order in which `generate` has them."""
    found = LogitsProcessorList()
    if manner["repetition_penalty"] != 1.0:
        found.append(RepetitionPenaltyLogitsProcessor(manner["repetition_penalty"]))
    found.append(TemperatureLogitsWarper(manner["temperature"]))
    if manner["top_k"] is not None:
        found.append(TopKLogitsWarper(manner["top_k"]))
    if manner["top_p"] < 1.0:
        found.append(TopPLogitsWarper(manner["top_p"]))
    if manner["min_p"] > 0.0:
        found.append(MinPLogitsWarper(manner["min_p"]))
    return found


def cases():
    rng = np.random.default_rng(20260103)
    for vocab, spread in [(12, 1.0), (40, 3.0)]:
        for manner in manners():
            manner = PLAIN | manner
            logits = np.round(rng.normal(0.0, spread, vocab), 6)
            assert len(set(logits)) == vocab
            before = [int(token) for token in rng.integers(0, vocab, 7)]
            scores = processors(manner)(torch.tensor([before]), torch.tensor(logits[None]))
            expected = torch.softmax(scores, -1)[0].tolist()
            yield {"manner": manner, "before": before, "logits": logits.tolist(), "expected": expected}


def main():
    found = list(cases())
    if sys.argv[1:] == ["check"]:
        committed = json.loads(PATH.read_text())
        assert len(found) == len(committed)
        for new, old in zip(found, committed):
            assert [new[key] for key in ("manner", "before", "logits")] == [old[key] for key in ("manner", "before", "logits")]
            assert np.abs(np.subtract(new["expected"], old["expected"])).max() < 1e-12, new["manner"]
        print(f"{len(found)} cases as committed")
    else:
        lines = ",\n".join(json.dumps(case) for case in found)
        PATH.write_text(f"[\n{lines}\n]\n")


main()
