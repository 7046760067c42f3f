"""What was published of the models in configs/, and how many parameters that makes: published.json, which tests/model/presets.rs
holds the files against.

    python published.py            writes published.json
    python published.py compare    fails if it would change

Each model has the options of its `config.json` on the Hugging Face hub, as far as they change a number. `transformers` builds it
on the meta device, where tensors have shapes and no numbers, and its parameters are counted, tied ones once. Models that it does
not have are summed by hand below.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

FILE = Path(__file__).with_name("published.json")


def gpt2(width, layers, heads):
    return "gpt2", dict(
        vocab_size=50257, n_positions=1024, n_embd=width, n_layer=layers, n_head=heads, activation_function="gelu_new",
        layer_norm_epsilon=1e-5,
    )  # fmt: skip


def gpt_neo(width, layers, heads):
    return "gpt_neo", dict(
        vocab_size=50257, max_position_embeddings=2048, hidden_size=width, num_layers=layers, num_heads=heads, window_size=256,
        attention_types=[[["global", "local"], layers // 2]], activation_function="gelu_new", layer_norm_epsilon=1e-5,
    )  # fmt: skip


def opt(width, layers, heads):
    return "opt", dict(
        vocab_size=50272, max_position_embeddings=2048, hidden_size=width, word_embed_proj_dim=width, num_hidden_layers=layers,
        num_attention_heads=heads, ffn_dim=4 * width, activation_function="relu", do_layer_norm_before=True,
    )  # fmt: skip


def neox(width, layers, heads, vocab, context=2048):
    return "gpt_neox", dict(
        vocab_size=vocab, max_position_embeddings=context, hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads,
        intermediate_size=4 * width, hidden_act="gelu", rotary_pct=0.25, rotary_emb_base=10000, use_parallel_residual=True,
        layer_norm_eps=1e-5, tie_word_embeddings=False,
    )  # fmt: skip


def llama(
    width, layers, heads, kv, hidden, vocab=32000, context=4096, eps=1e-5, theta=10000.0, tied=False, scaling=None, kind="llama", **more
):  # fmt: skip
    return kind, dict(
        vocab_size=vocab, max_position_embeddings=context, hidden_size=width, intermediate_size=hidden, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=kv, hidden_act="silu", rms_norm_eps=eps, rope_theta=theta,
        tie_word_embeddings=tied, **({"rope_scaling": scaling} if scaling else {}), **more,
    )  # fmt: skip


def llama3(width, layers, heads, hidden, context=8192, factor=None, tied=False):
    scaling = factor and dict(
        rope_type="llama3", factor=factor, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192
    )
    return llama(width, layers, heads, 8, hidden, 128256, context, theta=500000.0, tied=tied, scaling=scaling)


def gemma(kind, width, layers, heads, kv, head_dim, hidden, **more):
    return kind, dict(
        vocab_size=256000, max_position_embeddings=8192, hidden_size=width, intermediate_size=hidden, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=kv, head_dim=head_dim, hidden_activation="gelu_pytorch_tanh",
        rms_norm_eps=1e-6, rope_theta=10000.0, tie_word_embeddings=True, **more,
    )  # fmt: skip


def gemma2(width, layers, heads, kv, head_dim, hidden, scalar):
    caps = dict(attn_logit_softcapping=50.0, final_logit_softcapping=30.0, query_pre_attn_scalar=scalar, sliding_window=4096)
    return gemma("gemma2", width, layers, heads, kv, head_dim, hidden, **caps)


def qwen2(width, layers, heads, kv, hidden, vocab, tied, eps=1e-6):
    return llama(width, layers, heads, kv, hidden, vocab, 32768, eps, 1e6, tied, kind="qwen2")


def qwen3(width, layers, heads, hidden, tied):
    return llama(width, layers, heads, 8, hidden, 151936, 32768, 1e-6, 1e6, tied, kind="qwen3", head_dim=128)


def olmo2(width, layers, heads, kv, hidden):
    return llama(width, layers, heads, kv, hidden, 100352, 4096, 1e-6, 500000.0, kind="olmo2")


def olmo(width, layers, heads, hidden, tied):
    kind, options = llama(width, layers, heads, heads, hidden, 50304, 2048, tied=tied, kind="olmo")
    del options["rms_norm_eps"]
    return kind, options


def bloom(width, layers, heads):
    return "bloom", dict(
        vocab_size=250880, hidden_size=width, n_layer=layers, n_head=heads, layer_norm_epsilon=1e-5, tie_word_embeddings=True
    )  # fmt: skip


def phi(width, layers, fraction):
    return "phi", dict(
        vocab_size=51200, max_position_embeddings=2048, hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers,
        num_attention_heads=32, hidden_act="gelu_new", partial_rotary_factor=fraction, rope_theta=10000.0, layer_norm_eps=1e-5,
        qk_layernorm=False, tie_word_embeddings=False,
    )  # fmt: skip


def stablelm(width, layers, hidden, vocab, bias):
    return "stablelm", dict(
        vocab_size=vocab, max_position_embeddings=4096, hidden_size=width, intermediate_size=hidden, num_hidden_layers=layers,
        num_attention_heads=32, num_key_value_heads=32, hidden_act="silu", layer_norm_eps=1e-5, rope_theta=10000.0,
        partial_rotary_factor=0.25, use_qkv_bias=bias, use_parallel_residual=False, tie_word_embeddings=False,
    )  # fmt: skip


MODELS = {
    "gpt2-124m": gpt2(768, 12, 12),
    "gpt2-355m": gpt2(1024, 24, 16),
    "gpt2-774m": gpt2(1280, 36, 20),
    "gpt2-1558m": gpt2(1600, 48, 25),
    "gpt-neo-125m": gpt_neo(768, 12, 12),
    "gpt-neo-1.3b": gpt_neo(2048, 24, 16),
    "gpt-neo-2.7b": gpt_neo(2560, 32, 20),
    "opt-125m": opt(768, 12, 12),
    "opt-1.3b": opt(2048, 24, 32),
    "opt-2.7b": opt(2560, 32, 32),
    "opt-6.7b": opt(4096, 32, 32),
    "opt-13b": opt(5120, 40, 40),
    "opt-30b": opt(7168, 48, 56),
    "opt-66b": opt(9216, 64, 72),
    "opt-175b": opt(12288, 96, 96),
    "gptj-6b": (
        "gptj",
        dict(
            vocab_size=50400, n_positions=2048, n_embd=4096, n_layer=28, n_head=16, rotary_dim=64, activation_function="gelu_new",
            layer_norm_epsilon=1e-5, tie_word_embeddings=False,
        ),  # fmt: skip
    ),
    "gpt-neox-20b": neox(6144, 44, 64, 50432),
    "pythia-14m": neox(128, 6, 4, 50304),
    "pythia-31m": neox(256, 6, 8, 50304),
    "pythia-70m": neox(512, 6, 8, 50304),
    "pythia-160m": neox(768, 12, 12, 50304),
    "pythia-410m": neox(1024, 24, 16, 50304),
    "pythia-1b": neox(2048, 16, 8, 50304),
    "pythia-1.4b": neox(2048, 24, 16, 50304),
    "pythia-2.8b": neox(2560, 32, 32, 50304),
    "pythia-6.9b": neox(4096, 32, 32, 50432),
    "pythia-12b": neox(5120, 36, 40, 50688),
    "stablelm-alpha-7b": neox(6144, 16, 48, 50432, 4096),
    "llama-7b": llama(4096, 32, 32, 32, 11008, context=2048, eps=1e-6),
    "llama-13b": llama(5120, 40, 40, 40, 13824, context=2048, eps=1e-6),
    "llama-33b": llama(6656, 60, 52, 52, 17920, context=2048, eps=1e-6),
    "llama-65b": llama(8192, 80, 64, 64, 22016, context=2048, eps=1e-5),
    "llama2-7b": llama(4096, 32, 32, 32, 11008),
    "llama2-13b": llama(5120, 40, 40, 40, 13824),
    "llama2-70b": llama(8192, 80, 64, 8, 28672),
    "llama3-8b": llama3(4096, 32, 32, 14336),
    "llama3-70b": llama3(8192, 80, 64, 28672),
    "llama3.1-8b": llama3(4096, 32, 32, 14336, 131072, 8.0),
    "llama3.1-70b": llama3(8192, 80, 64, 28672, 131072, 8.0),
    "llama3.1-405b": llama3(16384, 126, 128, 53248, 131072, 8.0),
    "llama3.2-1b": llama3(2048, 16, 32, 8192, 131072, 32.0, True),
    "llama3.2-3b": llama3(3072, 28, 24, 8192, 131072, 32.0, True),
    "smollm-135m": llama(576, 30, 9, 3, 1536, 49152, 2048, tied=True),
    "smollm-360m": llama(960, 32, 15, 5, 2560, 49152, 2048, tied=True),
    "smollm-1.7b": llama(2048, 24, 32, 32, 8192, 49152, 2048, tied=True),
    "smollm2-135m": llama(576, 30, 9, 3, 1536, 49152, 2048, tied=True),
    "smollm2-360m": llama(960, 32, 15, 5, 2560, 49152, 2048, tied=True),
    "smollm2-1.7b": llama(2048, 24, 32, 32, 8192, 49152, 2048, tied=True),
    "smollm3-3b": llama(2048, 36, 16, 4, 11008, 128256, 4096, 1e-6, 50000.0, True, kind="smollm3", no_rope_layers=[1, 1, 1, 0] * 9),
    "mistral-7b": llama(4096, 32, 32, 8, 14336, context=32768, kind="mistral", sliding_window=4096),
    "mistral-7b-v0.3": llama(4096, 32, 32, 8, 14336, 32768, 32768, theta=1e6, kind="mistral", sliding_window=None),
    "gemma-2b": gemma("gemma", 2048, 18, 8, 1, 256, 16384),
    "gemma-7b": gemma("gemma", 3072, 28, 16, 16, 256, 24576),
    "gemma2-2b": gemma2(2304, 26, 8, 4, 256, 9216, 256),
    "gemma2-9b": gemma2(3584, 42, 16, 8, 256, 14336, 256),
    "gemma2-27b": gemma2(4608, 46, 32, 16, 128, 36864, 144),
    "olmo-1b": olmo(2048, 16, 16, 8192, True),
    "olmo-7b": olmo(4096, 32, 32, 11008, False),
    "olmo2-1b": olmo2(2048, 16, 16, 16, 8192),
    "olmo2-7b": olmo2(4096, 32, 32, 32, 11008),
    "olmo2-13b": olmo2(5120, 40, 40, 40, 13824),
    "olmo2-32b": olmo2(5120, 64, 40, 8, 27648),
    "qwen2-0.5b": qwen2(896, 24, 14, 2, 4864, 151936, True),
    "qwen2-1.5b": qwen2(1536, 28, 12, 2, 8960, 151936, True),
    "qwen2-7b": qwen2(3584, 28, 28, 4, 18944, 152064, False),
    "qwen2-72b": qwen2(8192, 80, 64, 8, 29568, 152064, False, 1e-5),
    "qwen2.5-0.5b": qwen2(896, 24, 14, 2, 4864, 151936, True),
    "qwen2.5-1.5b": qwen2(1536, 28, 12, 2, 8960, 151936, True),
    "qwen2.5-3b": qwen2(2048, 36, 16, 2, 11008, 151936, True),
    "qwen2.5-7b": qwen2(3584, 28, 28, 4, 18944, 152064, False),
    "qwen2.5-14b": qwen2(5120, 48, 40, 8, 13824, 152064, False, 1e-5),
    "qwen2.5-32b": qwen2(5120, 64, 40, 8, 27648, 152064, False, 1e-5),
    "qwen2.5-72b": qwen2(8192, 80, 64, 8, 29568, 152064, False, 1e-5),
    "qwen3-0.6b": qwen3(1024, 28, 16, 3072, True),
    "qwen3-1.7b": qwen3(2048, 28, 16, 6144, True),
    "qwen3-4b": qwen3(2560, 36, 32, 9728, True),
    "qwen3-8b": qwen3(4096, 36, 32, 12288, False),
    "qwen3-14b": qwen3(5120, 40, 40, 17408, False),
    "qwen3-32b": qwen3(5120, 64, 64, 25600, False),
    "falcon-7b": (
        "falcon",
        dict(
            vocab_size=65024, hidden_size=4544, num_hidden_layers=32, num_attention_heads=71, new_decoder_architecture=False,
            multi_query=True, parallel_attn=True, bias=False, alibi=False, layer_norm_epsilon=1e-5,
        ),  # fmt: skip
    ),
    "falcon-40b": (
        "falcon",
        dict(
            vocab_size=65024, hidden_size=8192, num_hidden_layers=60, num_attention_heads=128, num_kv_heads=8,
            new_decoder_architecture=True, parallel_attn=True, bias=False, alibi=False, layer_norm_epsilon=1e-5,
        ),  # fmt: skip
    ),
    "mpt-7b": (
        "mpt",
        dict(vocab_size=50432, d_model=4096, n_heads=32, n_layers=32, expansion_ratio=4, max_seq_len=2048, attn_config={"alibi": True}),
    ),
    "phi-1.5": phi(2048, 24, 0.5),
    "phi-2": phi(2560, 32, 0.4),
    "phi-3-mini": llama(3072, 32, 32, 32, 8192, 32064, 4096, kind="phi3", sliding_window=2047, pad_token_id=0),
    "phi-4": llama(5120, 40, 40, 10, 17920, 100352, 16384, theta=250000.0, kind="phi3", sliding_window=None, pad_token_id=0),
    "stablelm-3b-4e1t": stablelm(2560, 32, 6912, 50304, False),
    "stablelm2-1.6b": stablelm(2048, 24, 5632, 100352, True),
    "nanochat-d20": (
        "nanochat",
        dict(
            vocab_size=65536, max_position_embeddings=2048, hidden_size=1280, intermediate_size=5120, num_hidden_layers=20,
            num_attention_heads=10, num_key_value_heads=10, hidden_act="relu2", rms_norm_eps=1e-6, rope_theta=10000.0,
            final_logit_softcapping=15.0, tie_word_embeddings=False,
        ),  # fmt: skip
    ),
    "command-r-35b": (
        "cohere",
        dict(
            vocab_size=256000, max_position_embeddings=8192, hidden_size=8192, intermediate_size=22528, num_hidden_layers=40,
            num_attention_heads=64, num_key_value_heads=64, hidden_act="silu", layer_norm_eps=1e-5, rope_theta=8e6,
            logit_scale=0.0625, use_qk_norm=False, tie_word_embeddings=True,
        ),  # fmt: skip
    ),
    "bloom-560m": bloom(1024, 24, 16),
    "bloom-1b1": bloom(1536, 24, 16),
    "bloom-1b7": bloom(2048, 24, 16),
    "bloom-3b": bloom(2560, 30, 32),
    "bloom-7b1": bloom(4096, 30, 32),
    "bloom-176b": bloom(14336, 70, 112),
    "starcoder2-3b": (
        "starcoder2",
        dict(
            vocab_size=49152, max_position_embeddings=16384, hidden_size=3072, intermediate_size=12288, num_hidden_layers=30,
            num_attention_heads=24, num_key_value_heads=2, hidden_act="gelu_pytorch_tanh", norm_epsilon=1e-5,
            rope_theta=999999.4420358813, sliding_window=4096, use_bias=True, tie_word_embeddings=True,
        ),  # fmt: skip
    ),
}


def surplus(name, options):
    """Parameters of the class that the published model does not have."""
    return 2 * options["hidden_size"] if name.startswith("opt-") else 0  # two positions that no token reads


def by_hand():
    """Models without a class: embedding, positions, blocks, final norm."""
    w, hidden, vocab = 512, 2048, 37000
    attention, norms = 4 * w * w, 2 * 2 * w
    yield "vaswani-base", vocab * w + 6 * (attention + 2 * w * hidden + hidden + w + norms)

    w = 12288
    attention, norms = 4 * (w * w + w), 2 * 2 * w
    yield "gpt3-175b", 50257 * w + 2048 * w + 96 * (attention + 8 * w * w + 4 * w + w + norms) + 2 * w

    # Published as 8.63, 62.50 and 540.35 billion. Queries and output of all heads, one head of keys and values, three
    # matrices of the feed-forward, one norm.
    for name, w, layers, heads in [("palm-8b", 4096, 32, 16), ("palm-62b", 8192, 64, 32), ("palm-540b", 18432, 118, 48)]:
        block = 2 * w * 256 * heads + 2 * w * 256 + 3 * 4 * w * w + w
        yield name, 256000 * w + layers * block + w


def count(name, kind, options):
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **options))
    return sum(parameter.numel() for parameter in model.parameters()) - surplus(name, options)


def main():
    found = {}
    for name, (kind, options) in MODELS.items():
        found[name] = dict(parameters=count(name, kind, options), model_type=kind, config=options)
    for name, parameters in by_hand():
        found[name] = dict(parameters=parameters)
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in sorted(found.items()))
    text = "{\n" + lines + "\n}\n"
    if sys.argv[1:] == ["compare"]:
        if FILE.read_text() != text:
            sys.exit("published.json is out of date: run published.py")
        print(f"{len(found)} models as published")
    else:
        FILE.write_text(text)


if __name__ == "__main__":
    main()
