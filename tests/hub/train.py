"""Trains a model of transformers on given batches with PyTorch's AdamW, and writes the losses.

    python train.py MODEL BATCHES LOSSES

Matrices decay, vectors do not; gradients are clipped at 1; the rate is constant behind four steps of warm-up.
"""

import json
import sys

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

torch.set_num_threads(1)

model = AutoModelForCausalLM.from_pretrained(sys.argv[1], attn_implementation="eager").train()
for module in model.modules():
    if isinstance(module, torch.nn.Dropout):
        module.p = 0.0
matrices = [p for p in model.parameters() if p.dim() > 1]
vectors = [p for p in model.parameters() if p.dim() <= 1]
groups = [{"params": matrices, "weight_decay": 0.1}] + ([{"params": vectors, "weight_decay": 0.0}] if vectors else [])
optimizer = torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.95), eps=1e-8)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 4))
with open(sys.argv[3], "w") as out:
    for step, rows in enumerate(load_file(sys.argv[2])["batches"].long(), start=1):
        logits = model(input_ids=rows[:, :-1], use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), rows[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        out.write(json.dumps({"step": step, "loss": loss.item()}) + "\n")
