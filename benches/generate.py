"""Generation with a cache beside transformers, round by round in turn, on the same weights and the same processor.

    python benches/generate.py --ablate target/release/ablate --model FOLDER --rounds 5

FOLDER is a model in the layout of Hugging Face, such as `ablate export` writes. Greedy, from one prompt, in a batch of one and of
eight. Speeds are of the tokens between a short and a long continuation, so that neither loading nor reading the prompt counts.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import torch
import transformers

parser = argparse.ArgumentParser()
parser.add_argument("--ablate", required=True)
parser.add_argument("--model", required=True)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--short", type=int, default=8)
parser.add_argument("--long", type=int, default=104)
parser.add_argument("--prompt", default="The quick brown fox")
options = parser.parse_args()

transformers.logging.set_verbosity_error()

# Imported once: `ablate generate` reads runs.
run = str(pathlib.Path(tempfile.mkdtemp()) / "run")
subprocess.run([options.ablate, "import", options.model, "--out", run], check=True, stdout=subprocess.DEVNULL)
model = transformers.AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32).eval()
tokenizer = transformers.AutoTokenizer.from_pretrained(options.model)
ids = tokenizer(options.prompt, return_tensors="pt")["input_ids"]


def ours(batch, tokens):
    start = time.perf_counter()
    command = [options.ablate, "generate", run, "--prompt", options.prompt, "--num", str(batch), "--batch", str(batch)]
    said = subprocess.run([*command, "--tokens", str(tokens), "--temperature", "0", "--json"], check=True, capture_output=True, text=True)
    assert said.stdout.count(f'"tokens":{tokens},') == batch, said.stdout[:200]
    return time.perf_counter() - start


def theirs(batch, tokens):
    start = time.perf_counter()
    with torch.inference_mode():
        found = model.generate(ids.repeat(batch, 1), max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False, eos_token_id=-1, pad_token_id=0)
    assert found.shape[1] == ids.shape[1] + tokens
    return time.perf_counter() - start


def speed(arm, batch):
    times = [arm(batch, tokens) for tokens in [options.short, options.long]]
    return batch * (options.long - options.short) / (times[1] - times[0])


print(f"transformers {transformers.__version__}, torch {torch.__version__}, {os.cpu_count()} threads, {model.num_parameters():,} parameters")
for batch in [1, 8]:
    theirs(batch, options.short)
    rounds = [(speed(ours, batch), speed(theirs, batch)) for _ in range(options.rounds)]
    mine, peer = (statistics.median(column) for column in zip(*rounds))
    ratio = statistics.median(a / b for a, b in rounds)
    print(f"batch {batch}: ablate {mine:.0f} tokens/s, transformers {peer:.0f}, ratio {ratio:.2f}")
