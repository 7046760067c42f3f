"""What llama.cpp makes of GGUF files.

    python llama_cpp.py ASKED RESULT

ASKED is JSON: for each file a list of prompts, as ids. RESULT gets for each prompt the log-probability of every token behind it, by id; nothing
for a file that llama.cpp does not load, for the reason that it prints.
Needs xllamacpp (a build of llama.cpp). Keys and values are cached in f32, as elsewhere in these tests.
"""

import json
import sys
import urllib.request

import xllamacpp as llama


def served(path):
    params = llama.CommonParams()
    params.model.path = path
    params.n_ctx, params.n_parallel, params.warmup = 64, 1, False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.flash_attn_type = llama.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.cache_type_k = params.cache_type_v = llama.ggml_type.GGML_TYPE_F32
    params.fit_params = False
    return llama.Server(params)


def asked(server, prompt):
    # Before any sampler: probabilities of the model itself.
    body = {"prompt": prompt, "n_predict": 1, "n_probs": 100_000, "cache_prompt": False, "post_sampling_probs": False}
    request = urllib.request.Request(server.listening_address + "/completion", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        (found,) = json.load(answer)["completion_probabilities"]
    by_id = {entry["id"]: entry["logprob"] for entry in found["top_logprobs"]}
    return [by_id[token] for token in range(len(by_id))]


results = {}
for path, prompts in json.load(open(sys.argv[1])).items():
    try:
        server = served(path)
    except RuntimeError:
        results[path] = []
        continue
    results[path] = [asked(server, prompt) for prompt in prompts]
    del server
json.dump(results, open(sys.argv[2], "w"))
