"""What transformers takes where a `config.json` says little: for each family such a file, and the same as transformers writes it.

    python defaults.py

prints an object of pairs by `model_type`.
"""

import json
import os

os.environ["USE_TORCH"] = "0"

from transformers import AutoConfig  # noqa: E402
from transformers.utils import logging  # noqa: E402

logging.set_verbosity_error()

# Only what has no default here: sizes. Heads are as many as the heads of keys that some families take, and their channels are nobody's default.
USUAL = dict(vocab_size=101, hidden_size=3072, intermediate_size=72, num_hidden_layers=32, num_attention_heads=32)
OLD = dict(vocab_size=101, n_embd=4096, n_layer=2, n_head=32)
NO_FEED_FORWARD = {key: value for key, value in USUAL.items() if key != "intermediate_size"}
LITTLE = {
    "gpt2": OLD,
    "gptj": OLD,
    "gpt_neo": dict(vocab_size=101, hidden_size=64, num_layers=24, num_heads=4),
    "opt": NO_FEED_FORWARD,
    "phi": NO_FEED_FORWARD,
    "falcon": NO_FEED_FORWARD,
    "bloom": dict(vocab_size=101, hidden_size=64, n_layer=2, n_head=8),
    "mpt": dict(vocab_size=101, d_model=64, n_layers=2, n_heads=4, attn_config={"alibi": True}),
}
# And what only counts beside a switch.
WINDOWS = dict(use_sliding_window=True)
MORE = {"qwen2": WINDOWS, "qwen3": WINDOWS, "smollm3": WINDOWS | dict(sliding_window=64)}
FAMILIES = (
    "llama mistral qwen2 qwen3 smollm3 gemma gemma2 olmo olmo2 phi3 starcoder2 arcee nanochat stablelm cohere gpt2 gpt_neo "
    "gpt_neox gptj phi opt bloom mpt falcon"
)


def pair(kind, more):
    little = LITTLE.get(kind, USUAL) | more
    # Tokens of the defaults lie outside of a vocabulary this small.
    tokens = {"pad_token_id": None, "bos_token_id": 1, "eos_token_id": 2}
    return [little, json.loads(AutoConfig.for_model(kind, **(tokens | little)).to_json_string())]


if __name__ == "__main__":
    pairs = {kind: [pair(kind, {})] for kind in FAMILIES.split()}
    for kind, more in MORE.items():
        pairs[kind].append(pair(kind, more))
    print(json.dumps(pairs))
