"""Reads GGUF files of one model with the gguf package, and compares them with the model in the layout of Hugging Face.

    python read_gguf.py MODEL F32 F16 BF16 Q8_0

Names and order of channels are those of llama.cpp's own converter (convert_hf_to_gguf.py, class LlamaModel).
"""

import sys

import gguf
import numpy as np
from safetensors.numpy import load_file

hf = load_file(sys.argv[1] + "/model.safetensors")
names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 16)


def permuted(weights, heads):
    """As the converter has it: halves that rotate together become neighbours."""
    return weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


for path, kind in zip(sys.argv[2:], ["F32", "F16", "BF16", "Q8_0"]):
    reader = gguf.GGUFReader(path)
    fields = {key: field.contents() for key, field in reader.fields.items()}
    assert fields["general.architecture"] == "llama", fields["general.architecture"]
    heads, kv_heads = fields["llama.attention.head_count"], fields["llama.attention.head_count_kv"]
    assert len(fields["tokenizer.ggml.tokens"]) == fields["llama.vocab_size"] == hf["model.embed_tokens.weight"].shape[0]
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
