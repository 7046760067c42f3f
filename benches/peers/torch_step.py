"""The training step of `ablate bench step`, in PyTorch.

LLaMA's block (RMSNorm, RoPE, SwiGLU, causal SDPA), untied embeddings, f32: a fresh batch of random tokens, forward,
backward, global gradient clipping, AdamW, reading the loss. Shapes and warm-up are those of `configs/bench-*.toml` and of
`ablate bench step`; the JSON has the same keys.

    python benches/peers/torch_step.py --config small --steps 20 --json
"""

import argparse
import json
import resource
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

# name: width, layers, heads, hidden, vocabulary, context, batch
SHAPES = {
    "tiny": (128, 4, 4, 344, 512, 128, 16),
    "small": (256, 6, 8, 688, 4096, 256, 8),
    "base": (384, 6, 6, 1024, 8192, 256, 8),
}
WARM_UP = 3


class Block(nn.Module):
    def __init__(self, width, heads, hidden):
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.RMSNorm(width, eps=1e-5)
        self.feed_forward_norm = nn.RMSNorm(width, eps=1e-5)
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.gate = nn.Linear(width, hidden, bias=False)
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x, cos, sin):
        batch, length, width = x.shape

        def split(y):
            return y.view(batch, length, self.heads, -1).transpose(1, 2)

        def rotate(y):
            a, b = y[..., 0::2], y[..., 1::2]
            return torch.stack((a * cos - b * sin, b * cos + a * sin), dim=-1).flatten(-2).type_as(y)

        h = self.attention_norm(x)
        q, k, v = rotate(split(self.query(h))), rotate(split(self.key(h))), split(self.value(h))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.output(y.transpose(1, 2).reshape(batch, length, width))
        h = self.feed_forward_norm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Llama(nn.Module):
    def __init__(self, width, layers, heads, hidden, vocab, context):
        super().__init__()
        self.embedding = nn.Embedding(vocab, width)
        self.blocks = nn.ModuleList(Block(width, heads, hidden) for _ in range(layers))
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.head = nn.Linear(width, vocab, bias=False)
        size = width // heads
        angles = torch.arange(context)[:, None] * 10_000.0 ** (-torch.arange(0, size, 2) / size)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens, targets):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        logits = self.head(self.norm(x)).float()
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def measure(options):
    width, layers, heads, hidden, vocab, context, batch = SHAPES[options.config]
    torch.manual_seed(0)
    if options.threads:
        torch.set_num_threads(options.threads)
    device, cuda = torch.device(options.device), options.device.startswith("cuda")
    model = Llama(width, layers, heads, hidden, vocab, context).to(device)
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": 0.1},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=3e-4, betas=(0.9, 0.95), eps=1e-8, fused=True)
    run = torch.compile(model) if options.compile else model
    generator = torch.Generator().manual_seed(0)
    mixed = torch.autocast(device.type, dtype=torch.bfloat16, enabled=options.dtype == "bfloat16")
    sync = torch.cuda.synchronize if cuda else lambda: None
    clock = time.perf_counter
    times = {"all": [], "forward": [], "backward": [], "optimizer": []}
    losses = []
    for step in range(WARM_UP + options.steps):
        start = clock()
        rows = torch.randint(vocab, (batch, context + 1), generator=generator).to(device)
        with mixed:
            loss = run(rows[:, :-1], rows[:, 1:])
        sync()
        forward = clock()
        loss.backward()
        sync()
        backward = clock()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        sync()
        end = clock()
        if step >= WARM_UP:
            for name, span in (("all", end - start), ("forward", forward - start), ("backward", backward - forward), ("optimizer", end - backward)):
                times[name].append(1e3 * span)
    median = {name: statistics.median(values) for name, values in times.items()}
    path = f"torch {torch.__version__} {'compiled' if options.compile else 'eager'} {options.dtype} {options.device}, {torch.get_num_threads()} threads"
    result = {
        "ms_per_step": {
            "min": min(times["all"]),
            "median": median["all"],
            "forward": median["forward"],
            "backward": median["backward"],
            "optimizer": median["optimizer"],
        },
        "tokens_per_second": batch * context / (median["all"] / 1e3),
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        "path": path,
    }
    if cuda:
        result["peak_device_bytes"] = torch.cuda.max_memory_allocated(device)
    return result, losses


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", choices=SHAPES, default="small")
    parser.add_argument("--steps", type=int, default=20, help="steps to time, after three to warm up")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help="bfloat16: autocast over f32 weights")
    parser.add_argument("--compile", action="store_true", help="torch.compile the model")
    parser.add_argument("--threads", type=int, help="PyTorch's own choice by default")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.steps < 1:
        parser.error("--steps must be at least 1")
    result, losses = measure(options)
    if options.json:
        print(json.dumps(result))
        return
    ms = result["ms_per_step"]
    print(f"ms per step: {ms['median']:.1f} median, {ms['min']:.1f} fastest")
    print(f"of which:    {ms['forward']:.1f} forward, {ms['backward']:.1f} backward, {ms['optimizer']:.1f} clip, update, loss")
    print(f"tokens/s:    {result['tokens_per_second']:.0f}")
    print(f"peak memory: {result['peak_rss_bytes'] / 2**20:.0f} MiB")
    print(f"path:        {result['path']}")
    print(f"loss:        {losses[0]:.4f} first, {losses[-1]:.4f} last")


if __name__ == "__main__":
    main()
