"""What transformers makes of a model that ablate has trained and exported.

    python trained.py MODEL TOKENS RESULT

TOKENS has `input_ids` [batch, seq] and `prompt` [n]; RESULT gets the `loss` of the first and `greedy`, the prompt with 64 tokens that
transformers adds to it. The tokenizer must load, too, and give the ids of `prompt` for the text in TOKENS' metadata.
"""

import sys

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

torch.set_num_threads(1)

model = AutoModelForCausalLM.from_pretrained(sys.argv[1], attn_implementation="eager").eval()
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
with safe_open(sys.argv[2], "pt") as file:
    ids, prompt = file.get_tensor("input_ids").long(), file.get_tensor("prompt").long()
with torch.no_grad():
    loss = model(input_ids=ids, labels=ids).loss
    # Until the end: a token that opens the next document ends nothing here.
    greedy = model.generate(prompt[None], max_new_tokens=64, do_sample=False, eos_token_id=-1, pad_token_id=0)[0]
text = tokenizer.decode(prompt, skip_special_tokens=True)
again = torch.tensor(tokenizer(text)["input_ids"])
assert torch.equal(again, prompt), f"{text!r}: {again.tolist()} is not {prompt.tolist()}"
save_file({"loss": loss.double().reshape(1), "greedy": greedy.to(torch.int64)}, sys.argv[3])
