"""What lm-evaluation-harness makes of a model that ablate has trained and exported, on task files of one's own.

    python scores.py MODEL RESULT FILE...

A FILE is named after its task: hellaswag.jsonl, piqa.jsonl, … RESULT gets, as JSON, for each the metrics of the whole and for every
question the log-likelihoods of its alternatives, in the order of the rows.
"""

import json
import logging
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parents[1] / "reference"))
from harness import local

import torch
from lm_eval import evaluator
from lm_eval.models.huggingface import HFLM

TASKS = {
    "hellaswag": "hellaswag/hellaswag.yaml",
    "piqa": "piqa/piqa.yaml",
    "arc": "arc/arc_easy.yaml",
    "openbookqa": "openbookqa/openbookqa.yaml",
    "winogrande": "winogrande/default.yaml",
    "copa": "super_glue/copa/default.yaml",
    "lambada": "lambada/lambada_openai.yaml",
}

torch.set_num_threads(1)
model, result, *files = sys.argv[1:]
logging.disable(logging.WARNING)
asked = {}
for path in map(pathlib.Path, files):
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    asked[path.stem] = local(TASKS[path.stem], rows, task=path.stem)
lm = HFLM(pretrained=model, dtype="float32", device="cpu", batch_size=8)
found = evaluator.evaluate(lm, asked, log_samples=True, bootstrap_iters=0)
scores = {}
for task, metrics in found["results"].items():
    samples = sorted(found["samples"][task], key=lambda sample: sample["doc_id"])
    likelihoods = [[float(answer[0][0]) for answer in sample["resps"]] for sample in samples]
    scores[task] = {"metrics": {key.split(",")[0]: value for key, value in metrics.items() if isinstance(value, float)}, "likelihoods": likelihoods}
pathlib.Path(result).write_text(json.dumps(scores))
