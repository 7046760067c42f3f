"""Reads GGUF files of one model with the gguf package, and compares them with the model in the layout of Hugging Face.

    python read_gguf.py MODEL F32 [F16 BF16 Q8_0]

Names and order of channels are those of llama.cpp's own converter (convert_hf_to_gguf.py, class LlamaModel); special tokens and the
template of conversations are those that its package finds in MODEL.
"""

import json
import sys
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file

hf = load_file(sys.argv[1] + "/model.safetensors")
names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 16)
tokenizer = json.loads(Path(sys.argv[1], "tokenizer.json").read_text())


def permuted(weights, heads):
    """As the converter has it: halves that rotate together become neighbours."""
    return weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


def check_words(fields):
    """Special tokens, types of tokens, template."""
    found = gguf.SpecialVocab(sys.argv[1], n_vocab=len(fields["tokenizer.ggml.tokens"]))
    # The rest is for models that are no generators, guessed where templates look like theirs.
    for kind, name in {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}.items():
        token, key = found.special_token_ids.get(kind), f"tokenizer.ggml.{name}_token_id"
        assert token is None or fields.get(key) == token, f"{key}: {fields.get(key)}, not {token}"
    for kind in ("bos", "eos"):
        on, key = found.add_special_token.get(kind, False), f"tokenizer.ggml.add_{kind}_token"
        assert fields.get(key) == on, f"{key}: {fields.get(key)}, not {on}"
    assert fields.get("tokenizer.chat_template") == found.chat_template, fields.get("tokenizer.chat_template")
    for added in tokenizer["added_tokens"]:
        kind = gguf.TokenType.UNKNOWN if added["content"] == "<unk>" else gguf.TokenType.CONTROL
        kind = kind if added["special"] else gguf.TokenType.USER_DEFINED
        assert fields["tokenizer.ggml.token_type"][added["id"]] == kind, added
        assert fields["tokenizer.ggml.tokens"][added["id"]] == added["content"].replace("▁", " ") or added["special"], added
    assert fields["general.name"], "no name"


for path, kind in zip(sys.argv[2:], ["F32", "F16", "BF16", "Q8_0"]):
    reader = gguf.GGUFReader(path)
    fields = {key: field.contents() for key, field in reader.fields.items()}
    assert fields["general.architecture"] == "llama", fields["general.architecture"]
    heads, kv_heads = fields["llama.attention.head_count"], fields["llama.attention.head_count_kv"]
    assert len(fields["tokenizer.ggml.tokens"]) == fields["llama.vocab_size"] == hf["model.embed_tokens.weight"].shape[0]
    check_words(fields)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    seen = set()
    for name, weights in hf.items():
        mapped = names.get_name(name, try_suffixes=(".weight", ".bias"))
        tensor = tensors[mapped]
        seen.add(mapped)
        expected = permuted(weights, heads if "q_proj" in name else kv_heads) if "q_proj" in name or "k_proj" in name else weights
        wanted = "F32" if weights.ndim == 1 else kind
        assert tensor.tensor_type.name == wanted, f"{mapped}: {tensor.tensor_type.name}, not {wanted}"
        if wanted == "Q8_0":
            # The package's own quantiser gives the same bytes.
            assert np.array_equal(tensor.data, gguf.quantize(expected, gguf.GGMLQuantizationType.Q8_0)), mapped
        else:
            found = gguf.dequantize(tensor.data, tensor.tensor_type).reshape(expected.shape)
            rounded = gguf.dequantize(gguf.quantize(expected, tensor.tensor_type), tensor.tensor_type).reshape(expected.shape)
            assert np.array_equal(found, rounded), mapped
    assert seen == set(tensors), set(tensors) - seen
print("all equal")
