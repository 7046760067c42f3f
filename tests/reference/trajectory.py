"""Twenty steps of training LLaMA's block in float64, with PyTorch's AdamW, clipping and schedule, for each decay rule.

    python trajectory.py           -> trajectory.json
    python trajectory.py compare   recomputes, and compares with the committed trajectory.json

The model is the case `trajectory` of `cases.json`; weights and batches come from the formulas of `reference.py`.
"""

import json
import math
import sys

import torch

from reference import HERE, Parameters, logits, losses, tokens

RECIPE = {"steps": 20, "lr": 1e-2, "beta1": 0.9, "beta2": 0.95, "eps": 1e-8, "weight_decay": 0.1, "clip": 1.6, "warmup": 5, "floor": 0.1}

# Which parameters decay, by path and shape.
RULES = {
    "all": lambda path, shape: True,
    "matrices": lambda path, shape: len(shape) == 2,
    "no_embeddings": lambda path, shape: not path.startswith(("embedding.", "position.")),
}


def share(step):
    """Of the peak: warm-up ends, and the cosine begins, at its top; the last step is at the floor."""
    steps, warmup, floor = RECIPE["steps"], RECIPE["warmup"], RECIPE["floor"]
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - (warmup - 1)) / (steps - 1 - (warmup - 1))
    return floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2


def train(case, decays):
    spec = case["spec"]
    p = Parameters(case["parameters"])
    groups = [
        {"params": [v for k, v in p.values.items() if decays(k, v.shape)], "weight_decay": RECIPE["weight_decay"]},
        {"params": [v for k, v in p.values.items() if not decays(k, v.shape)], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=RECIPE["lr"], betas=(RECIPE["beta1"], RECIPE["beta2"]), eps=RECIPE["eps"])
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
    found = {"losses": [], "gradient_norms": []}
    for step in range(RECIPE["steps"]):
        ids = tokens(f"step {step}", case["batch"], case["sequence"] + 1, spec["vocab"])
        objective, _ = losses(spec, logits(p, spec, ids[:, :-1]), ids[:, 1:])
        optimizer.zero_grad()
        objective.backward()
        norm = torch.nn.utils.clip_grad_norm_(p.values.values(), RECIPE["clip"])
        optimizer.step()
        schedule.step()
        found["losses"].append(objective.item())
        found["gradient_norms"].append(norm.item())
    return found


def main():
    cases = json.loads((HERE / "cases.json").read_text())
    case = next(case for case in cases if case["name"] == "trajectory")
    result = {"recipe": RECIPE, "rules": {rule: train(case, decays) for rule, decays in RULES.items()}}
    path = HERE / "trajectory.json"
    if sys.argv[1:] == ["compare"]:
        committed = json.loads(path.read_text())
        assert committed["recipe"] == RECIPE
        pairs = [(a, b) for rule in RULES for key in ("losses", "gradient_norms") for a, b in zip(committed["rules"][rule][key], result["rules"][rule][key], strict=True)]
        distance = max(abs(a - b) for a, b in pairs)
        print(f"{len(pairs)} numbers, largest difference {distance:.1e}")
        assert distance < 1e-9
    elif not sys.argv[1:]:
        path.write_text(json.dumps(result, indent=1) + "\n")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
