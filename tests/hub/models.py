"""Tiny random models of transformers, with what they make of given tokens: the references of tests/hub.rs.

    python models.py OUT [CASE ...]

writes for each case a folder OUT/CASE as `save_pretrained` does, and in it `input.safetensors` (input_ids, labels) and
`expected.safetensors` (logits, loss, and the gradient of every parameter under its name with `grad.` before it).
"""

import sys
import zlib
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

# The models are tiny: threads would only wait for each other.
torch.set_num_threads(1)

# Every family with options that tell right from wrong: windows shorter than the sequence, fewer key heads than query heads,
# odd sizes, heads that are not width / heads, tied and untied heads, each scaling of rotary frequencies.
LLAMA = dict(
    vocab_size=101,
    hidden_size=48,
    intermediate_size=72,
    num_hidden_layers=3,
    num_attention_heads=6,
    num_key_value_heads=2,
    max_position_embeddings=64,
)
OLD = dict(vocab_size=101, n_embd=48, n_layer=2, n_head=4, n_positions=40)
NEOX = dict(
    vocab_size=101,
    hidden_size=64,
    intermediate_size=96,
    num_hidden_layers=2,
    num_attention_heads=4,
    max_position_embeddings=64,
)
OPT = dict(
    vocab_size=101,
    hidden_size=48,
    word_embed_proj_dim=48,
    num_hidden_layers=2,
    ffn_dim=80,
    num_attention_heads=4,
    max_position_embeddings=40,
)
PHI = dict(vocab_size=101, hidden_size=64, intermediate_size=80, num_hidden_layers=2, num_attention_heads=4)
MPT = dict(vocab_size=101, d_model=48, n_layers=2, max_seq_len=64)
FALCON = dict(vocab_size=101, hidden_size=48, num_hidden_layers=2, num_attention_heads=6)
ROPE = {"rope_theta": 10000.0}
CASES = {
    "gpt2": ("gpt2", OLD),
    "gpt2-untied": ("gpt2", OLD | dict(n_inner=80, activation_function="relu", tie_word_embeddings=False)),
    "gpt_neo": (
        "gpt_neo",
        dict(
            vocab_size=101,
            hidden_size=48,
            num_layers=4,
            num_heads=4,
            attention_types=[[["global", "local"], 2]],
            window_size=5,
            max_position_embeddings=40,
        ),
    ),
    "gptj": ("gptj", OLD | dict(n_embd=64, rotary_dim=8)),
    "gpt_neox": ("gpt_neox", NEOX),
    "gpt_neox-serial": (
        "gpt_neox",
        NEOX | dict(use_parallel_residual=False, attention_bias=False, hidden_act="gelu_new", tie_word_embeddings=True),
    ),
    "opt": ("opt", OPT),
    "opt-post": ("opt", OPT | dict(do_layer_norm_before=False)),
    "bloom": ("bloom", dict(vocab_size=101, hidden_size=48, n_layer=2, n_head=4)),
    "bloom-six-heads": ("bloom", dict(vocab_size=101, hidden_size=48, n_layer=2, n_head=6)),
    "mpt": ("mpt", MPT | dict(n_heads=4, attn_config={"alibi": True})),
    "mpt-six-heads": ("mpt", MPT | dict(n_heads=6, attn_config={"alibi": True, "softmax_scale": 0.5})),
    "falcon-7b": ("falcon", FALCON | dict(max_position_embeddings=64)),
    "falcon-40b": (
        "falcon",
        FALCON
        | dict(
            hidden_size=64,
            num_attention_heads=8,
            num_kv_heads=2,
            new_decoder_architecture=True,
            ffn_hidden_size=96,
            tie_word_embeddings=False,
        ),
    ),
    "falcon-11b": (
        "falcon",
        FALCON
        | dict(hidden_size=64, num_attention_heads=8, num_kv_heads=4, new_decoder_architecture=True, num_ln_in_parallel_attn=1),
    ),
    "falcon-rw": ("falcon", FALCON | dict(multi_query=False, parallel_attn=False, bias=True)),
    "phi": ("phi", PHI | dict(max_position_embeddings=64)),
    "phi-qk": ("phi", PHI | dict(num_key_value_heads=2, qk_layernorm=True)),
    "phi3": ("phi3", LLAMA | dict(sliding_window=7, pad_token_id=0)),
    "phi3-partial": ("phi3", LLAMA | dict(partial_rotary_factor=0.5, pad_token_id=0)),
    "llama": ("llama", LLAMA),
    "llama-biases": (
        "llama",
        LLAMA | dict(attention_bias=True, mlp_bias=True, tie_word_embeddings=True, head_dim=12, hidden_act="gelu"),
    ),
    "llama-3": (
        "llama",
        LLAMA
        | dict(
            rope_parameters={
                "rope_type": "llama3",
                "rope_theta": 500.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 16,
            }
        ),
    ),
    "llama-linear": ("llama", LLAMA | dict(rope_parameters=ROPE | {"rope_type": "linear", "factor": 4.0})),
    "llama-yarn": (
        "llama",
        LLAMA
        | dict(
            rope_parameters=ROPE | {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16},
        ),
    ),
    "llama-yarn-factor": (
        "llama",
        LLAMA
        | dict(
            rope_parameters=ROPE
            | {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "truncate": False}
            | {"mscale": 0.7, "mscale_all_dim": 1.1, "beta_fast": 4.0},
        ),
    ),
    "mistral": ("mistral", LLAMA | dict(sliding_window=6, head_dim=10)),
    "mistral-0.3": ("mistral", LLAMA | dict(sliding_window=None)),
    "gemma": ("gemma", LLAMA | dict(head_dim=16, num_key_value_heads=1)),
    "gemma2": (
        "gemma2",
        LLAMA
        | dict(
            head_dim=16,
            num_hidden_layers=4,
            query_pre_attn_scalar=24,
            sliding_window=6,
            attn_logit_softcapping=5.0,
            final_logit_softcapping=3.0,
        ),
    ),
    "gemma2-windows": (
        "gemma2",
        LLAMA | dict(num_hidden_layers=4, head_dim=16, query_pre_attn_scalar=16, sliding_window=6, attn_logit_softcapping=5.0),
    ),
    "olmo": ("olmo", LLAMA),
    "olmo2": ("olmo2", LLAMA),
    "qwen2": ("qwen2", LLAMA),
    "qwen2-windows": (
        "qwen2",
        LLAMA | dict(use_sliding_window=True, sliding_window=5, max_window_layers=1, tie_word_embeddings=True),
    ),
    "qwen3": ("qwen3", LLAMA | dict(head_dim=20)),
    "smollm3": ("smollm3", LLAMA | dict(num_hidden_layers=5, pad_token_id=0)),
    "stablelm": ("stablelm", LLAMA | dict(hidden_size=96)),
    "stablelm-parallel": ("stablelm", LLAMA | dict(hidden_size=96, use_parallel_residual=True, use_qkv_bias=True)),
    "starcoder2": ("starcoder2", LLAMA | dict(sliding_window=6)),
    "nanochat": ("nanochat", LLAMA | dict(final_logit_softcapping=3.0)),
    "arcee": ("arcee", LLAMA | dict(head_dim=12)),
    "cohere": ("cohere", LLAMA | dict(logit_scale=0.25)),
}


def model(name):
    """The model of a case, on its own random numbers."""
    kind, options = CASES[name]
    torch.manual_seed(zlib.crc32(name.encode()))
    # Padding tokens of the defaults lie outside of a vocabulary this small.
    tokens = {"pad_token_id": None, "bos_token_id": 1, "eos_token_id": 2}
    config = AutoConfig.for_model(kind, **(tokens | options))
    built = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for key, parameter in built.named_parameters():
            noise = torch.randn_like(parameter)
            if parameter.dim() > 1:
                parameter.copy_(noise * (0.5 if "emb" in key or "wte" in key or "wpe" in key else 1.5 / parameter.shape[-1] ** 0.5))
            else:
                # Gains around 1, biases and Gemma's offsets around 0.
                gain = key.endswith("weight") and not kind.startswith("gemma")
                parameter.copy_(noise * 0.3 + float(gain))
    return built


def write(name, out):
    """The folder of a case."""
    built = model(name)
    folder = Path(out) / name
    built.save_pretrained(folder)
    ids = torch.randint(3, 101, (2, 24), generator=torch.Generator().manual_seed(7))
    labels = ids.clone()
    labels[1, 10:13] = -100
    result = built(input_ids=ids, labels=labels)
    result.loss.backward()
    # In files, GPT-NeoX's head goes by the name that it had before version 5.
    stored = {"lm_head.weight": "embed_out.weight"} if built.config.model_type == "gpt_neox" else {}
    named = [(stored.get(key, key), p.grad) for key, p in built.named_parameters() if p.grad is not None]
    grads = {f"grad.{key}": grad.contiguous() for key, grad in named}
    save_file({"input_ids": ids, "labels": labels}, folder / "input.safetensors")
    save_file({"logits": result.logits.detach(), "loss": result.loss.detach().reshape(1)} | grads, folder / "expected.safetensors")


if __name__ == "__main__":
    for case in sys.argv[2:] or CASES:
        write(case, sys.argv[1])
