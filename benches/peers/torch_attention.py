"""Attention of `ablate bench attention`, in PyTorch: SDPA by one backend, or compiled FlexAttention with the variants.

    python benches/peers/torch_attention.py --kind sdpa --backend flash --device cuda --dtype bf16 --seq 1024,2048
    python benches/peers/torch_attention.py --kind flex --bias alibi --device cuda --dtype bf16 --seq 4096
    python benches/peers/torch_attention.py --kind product --device cuda --dtype bf16

A line of JSON per length, with the keys of `ablate bench attention --json`. Causal always; the gradient of the output is all
ones. `product` measures the rate of a large matrix product instead: what a share of the device's peak is counted against.
"""

import argparse
import json
import statistics
import sys
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

WARM_UP = 2
TIMING = 0.02
BUCKETS, MAX_DISTANCE = 32, 128
BACKENDS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "math": SDPBackend.MATH,
}


def timed(call, rounds, cuda):
    """Seconds per call: the fastest round and the median one, each of as many calls as take 20 ms."""

    def timing(calls):
        if cuda:
            torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(calls):
            call()
        if cuda:
            torch.cuda.synchronize()
        return (time.perf_counter() - start) / calls

    timing(WARM_UP)
    calls = max(1, int(TIMING / timing(1)) + 1)
    times = [timing(calls) for _ in range(rounds)]
    return min(times), statistics.median(times)


def product(options, dtype):
    """FLOP/s of a square product."""
    size = 256 if options.tiny else 8192
    a, b = (torch.randn(size, size, device=options.device, dtype=dtype) for _ in range(2))
    fastest, median = timed(lambda: a @ b, options.rounds, options.device.startswith("cuda"))
    return {"size": size, "flops_per_second": 2 * size**3 / median, "best_flops_per_second": 2 * size**3 / fastest}


def bucket(distance):
    """T5's, causal."""
    exact = BUCKETS // 2
    far = exact + (torch.log(distance.clamp(min=1) / exact) / torch.log(torch.tensor(MAX_DISTANCE / exact)) * (BUCKETS - exact) + 1e-9).long()
    return torch.where(distance < exact, distance, far.clamp(max=BUCKETS - 1))


def flex(options, q, k, v):
    """Compiled FlexAttention of these options, and what else has a gradient."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    device, heads, seq = q.device, options.heads, q.shape[2]
    slopes = torch.exp2(-8 * torch.arange(1, heads + 1, device=device) / heads)
    buckets = bucket(torch.arange(seq)).to(device)
    table = torch.randn(BUCKETS, heads, device=device, requires_grad=options.direction == "both")
    documents = torch.arange(seq, device=device) * options.documents // seq
    window, cap, bias = options.window, options.soft_cap, options.bias

    def score(score, batch, head, query, key):
        if cap:
            score = cap * torch.tanh(score / cap)
        if bias == "alibi":
            score = score - slopes[head] * (query - key)
        if bias == "t5":
            score = score + table[buckets[(query - key).clamp(min=0)], head]
        return score

    def mask(batch, head, query, key):
        seen = query >= key
        if window:
            seen = seen & (query - key < window)
        if options.documents > 1:
            seen = seen & (documents[query] == documents[key])
        return seen

    blocks = create_block_mask(mask, None, None, seq, seq, device=device)
    compiled = torch.compile(flex_attention, dynamic=False)
    modified = score if cap or bias else None
    return (lambda: compiled(q, k, v, score_mod=modified, block_mask=blocks, enable_gqa=options.kv_heads != heads)), ([table] if bias == "t5" else [])


def pairs(options, seq):
    """Pairs that see each other in one head."""
    starts = [-(-d * seq // options.documents) for d in range(options.documents)] + [seq]
    spans = [end - start for start, end in zip(starts, starts[1:])]
    return sum(sum(min(i + 1, options.window or seq) for i in range(span)) for span in spans)


def attention(options, dtype, seq):
    torch.manual_seed(0)
    batch = max(1, options.tokens // seq) if options.tokens else options.batch
    backward = options.direction == "both"

    def make(heads):
        x = torch.rand(batch, heads, seq, options.head_dim, device=options.device) * 2 - 1
        return x.to(dtype).requires_grad_(backward)

    q, k, v = make(options.heads), make(options.kv_heads), make(options.kv_heads)
    cuda = options.device.startswith("cuda")
    inputs = [q, k, v]
    if options.kind == "flex":
        forward, learned = flex(options, q, k, v)
        inputs += learned
    else:
        grouped = options.kv_heads != options.heads

        def forward():
            return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped)

    ones = torch.ones_like(q)

    def call():
        if not backward:
            with torch.no_grad():
                return forward()
        return torch.autograd.grad(forward(), inputs, ones)

    if cuda:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    if options.kind == "sdpa":
        with sdpa_kernel(BACKENDS[options.backend]):
            fastest, median = timed(call, options.rounds, cuda)
    else:
        fastest, median = timed(call, options.rounds, cuda)
    visible = batch * options.heads * pairs(options, seq)
    result = {
        "seq": seq,
        "ms_min": 1e3 * fastest,
        "ms": 1e3 * median,
        "pairs": visible,
        "flops_per_second": visible * options.head_dim * (14 if backward else 4) / median,
    }
    if cuda:
        result["peak_bytes"] = torch.cuda.max_memory_allocated() - before
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", choices=("sdpa", "flex", "product"), default="sdpa")
    parser.add_argument("--backend", choices=BACKENDS, default="flash", help="of SDPA")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=("f32", "bf16"), default="f32")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--tokens", type=int, help="as many sequences as make so many tokens")
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--kv-heads", type=int)
    parser.add_argument("--head-dim", type=int, default=64)
    parser.add_argument("--seq", default="1024,2048,4096")
    parser.add_argument("--window", type=int)
    parser.add_argument("--bias", choices=("alibi", "t5"))
    parser.add_argument("--soft-cap", type=float)
    parser.add_argument("--documents", type=int, default=1, help="of equal length in a sequence")
    parser.add_argument("--pass", dest="direction", choices=("forward", "both"), default="both")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tiny", action="store_true", help="small shapes, to see that it runs")
    parser.add_argument("--json", action="store_true", help="accepted for symmetry: JSON is all that is printed")
    options = parser.parse_args()
    if options.kind != "flex" and (options.window or options.bias or options.soft_cap or options.documents > 1):
        parser.error("variants need --kind flex")
    if options.tiny:
        options.seq, options.tokens, options.heads, options.rounds = "128,256", None, 2, 1
        options.window = options.window and min(options.window, 64)
    options.kv_heads = options.kv_heads or options.heads
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[options.dtype]
    if options.kind == "product":
        print(json.dumps(product(options, dtype)))
        return
    missing = 0
    for seq in map(int, options.seq.split(",")):
        try:
            print(json.dumps(attention(options, dtype, seq)), flush=True)
        except Exception as error:  # Whatever a backend refuses with: the next length may pass.
            missing += 1
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            print(json.dumps({"seq": seq, "failed": reason}), flush=True)
            if options.device.startswith("cuda"):
                torch.cuda.empty_cache()
    sys.exit(3 if missing else 0)


if __name__ == "__main__":
    main()
