"""The training step of `ablate bench step`, in PyTorch.

LLaMA's block (RMSNorm, RoPE, SwiGLU, causal SDPA): a fresh batch of random tokens, forward, backward, global gradient
clipping, AdamW, reading the loss. Shapes and warm-up are those of `configs/bench-*.toml` and of `ablate bench step`; the
JSON has the same keys.

    python benches/peers/torch_step.py --config small --steps 20 --json

With `--serve`, it warms up, prints a line, and then times as many steps as each line of its input says, an object of JSON
for each, until the input ends.
"""

import argparse
import dataclasses
import json
import resource
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

WARM_UP = 3


@dataclasses.dataclass(frozen=True)
class Shape:
    width: int
    layers: int
    heads: int
    kv_heads: int
    hidden: int
    vocab: int
    context: int
    batch: int
    tied: bool = False

    def flops_per_token(self):
        """As `ablate` counts: 6 per weight of a matrix product, the head's included, and 12·head_dim per visible pair."""
        size = self.width // self.heads
        block = self.width * (2 * self.width + 2 * self.kv_heads * size + 3 * self.hidden)
        pairs = (self.context + 1) / 2
        return 6 * (self.layers * block + self.width * self.vocab) + 12 * self.layers * self.width * pairs


SHAPES = {
    "tiny": Shape(128, 4, 4, 4, 344, 512, 128, 16),
    "small": Shape(256, 6, 8, 8, 688, 4096, 256, 8),
    "base": Shape(384, 6, 6, 6, 1024, 8192, 256, 8),
    "gpt2": Shape(768, 12, 12, 12, 2048, 32000, 512, 1),
    "llama-124m": Shape(768, 12, 12, 12, 2048, 50304, 1024, 32, tied=True),
    "llama-1b": Shape(2048, 22, 32, 4, 5632, 32000, 2048, 4),
}


class Block(nn.Module):
    def __init__(self, shape):
        super().__init__()
        width, hidden = shape.width, shape.hidden
        self.size, self.grouped = width // shape.heads, shape.kv_heads < shape.heads
        self.attention_norm = nn.RMSNorm(width, eps=1e-5)
        self.feed_forward_norm = nn.RMSNorm(width, eps=1e-5)
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, shape.kv_heads * self.size, bias=False)
        self.value = nn.Linear(width, shape.kv_heads * self.size, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.gate = nn.Linear(width, hidden, bias=False)
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x, cos, sin):
        batch, length, width = x.shape

        def split(y):
            return y.view(batch, length, -1, self.size).transpose(1, 2)

        def rotate(y):
            a, b = y[..., 0::2], y[..., 1::2]
            return torch.stack((a * cos - b * sin, b * cos + a * sin), dim=-1).flatten(-2).type_as(y)

        h = self.attention_norm(x)
        q, k, v = rotate(split(self.query(h))), rotate(split(self.key(h))), split(self.value(h))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=self.grouped)
        x = x + self.output(y.transpose(1, 2).reshape(batch, length, width))
        h = self.feed_forward_norm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Llama(nn.Module):
    def __init__(self, shape):
        super().__init__()
        width, vocab = shape.width, shape.vocab
        self.embedding = nn.Embedding(vocab, width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.head = nn.Linear(width, vocab, bias=False)
        if shape.tied:
            self.head.weight = self.embedding.weight
        size = width // shape.heads
        angles = torch.arange(shape.context)[:, None] * 10_000.0 ** (-torch.arange(0, size, 2) / size)
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


class Trainer:
    """A model, its optimizer and its batches."""

    def __init__(self, options):
        self.options, self.shape = options, SHAPES[options.config]
        torch.manual_seed(0)
        if options.threads:
            torch.set_num_threads(options.threads)
        if options.batch:
            self.shape = dataclasses.replace(self.shape, batch=options.batch)
        self.device, self.cuda = torch.device(options.device), options.device.startswith("cuda")
        model = Llama(self.shape).to(self.device)
        self.parameters = list(model.parameters())
        groups = [
            {"params": [p for p in self.parameters if p.dim() >= 2], "weight_decay": 0.1},
            {"params": [p for p in self.parameters if p.dim() < 2], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=3e-4, betas=(0.9, 0.95), eps=1e-8, fused=True)
        self.run = torch.compile(model) if options.compile else model
        self.generator = torch.Generator().manual_seed(0)
        self.losses = []
        for _ in range(WARM_UP):
            self.step()

    def sync(self):
        if self.cuda:
            torch.cuda.synchronize()

    def step(self):
        """Seconds of all, of the forward pass, of the backward pass, and of the rest."""
        clock, shape = time.perf_counter, self.shape
        start = clock()
        rows = torch.randint(shape.vocab, (shape.batch, shape.context + 1), generator=self.generator).to(self.device)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.options.dtype == "bfloat16"):
            loss = self.run(rows[:, :-1], rows[:, 1:])
        self.sync()
        forward = clock()
        loss.backward()
        self.sync()
        backward = clock()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.losses.append(loss.item())
        self.sync()
        end = clock()
        return end - start, forward - start, backward - forward, end - backward

    def measure(self, steps):
        times = [[1e3 * span for span in spans] for spans in zip(*(self.step() for _ in range(steps)))]
        median, forward, backward, optimizer = map(statistics.median, times)
        options, shape = self.options, self.shape
        speed = shape.batch * shape.context / (median / 1e3)
        kind = "compiled" if options.compile else "eager"
        result = {
            "ms_per_step": {"min": min(times[0]), "median": median, "forward": forward, "backward": backward, "optimizer": optimizer},
            "tokens_per_second": speed,
            "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            "flops_per_second": shape.flops_per_token() * speed,
            "path": f"torch {torch.__version__} {kind} {options.dtype} {options.device}, {torch.get_num_threads()} threads",
        }
        if self.cuda:
            result["peak_device_bytes"] = torch.cuda.max_memory_allocated(self.device)
        return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", choices=SHAPES, default="small")
    parser.add_argument("--steps", type=int, default=20, help="steps to time, after three to warm up")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help="bfloat16: autocast over f32 weights")
    parser.add_argument("--compile", action="store_true", help="torch.compile the model")
    parser.add_argument("--threads", type=int, help="PyTorch's own choice by default")
    parser.add_argument("--batch", type=int, help="sequences per step; the shape's own by default")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", action="store_true", help="time as many steps as each line of the input says")
    options = parser.parse_args()
    if options.steps < 1:
        parser.error("--steps must be at least 1")
    trainer = Trainer(options)
    if options.serve:
        print("ready", flush=True)
        for line in sys.stdin:
            print(json.dumps(trainer.measure(int(line))), flush=True)
        return
    result = trainer.measure(options.steps)
    if options.json:
        print(json.dumps(result))
        return
    ms = result["ms_per_step"]
    print(f"ms per step: {ms['median']:.1f} median, {ms['min']:.1f} fastest")
    print(f"of which:    {ms['forward']:.1f} forward, {ms['backward']:.1f} backward, {ms['optimizer']:.1f} clip, update, loss")
    print(f"tokens/s:    {result['tokens_per_second']:.0f}")
    print(f"peak memory: {result['peak_rss_bytes'] / 2**20:.0f} MiB")
    print(f"path:        {result['path']}")
    print(f"loss:        {trainer.losses[0]:.4f} first, {trainer.losses[-1]:.4f} last")


if __name__ == "__main__":
    main()
