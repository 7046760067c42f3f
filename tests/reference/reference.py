"""An independent implementation of every component in float64, to hold the library against.

Written from the papers and the released code they name, not from the library: loops over heads, layers and
positions, complex numbers for rotations, gradients by PyTorch's autograd.

    python reference.py           cases.json -> expected.safetensors
    python reference.py compare   recomputes, and compares with the committed expected.safetensors
    python reference.py check     holds the pieces below against PyTorch's own

Weights and tokens are not stored: both sides compute them from the parameter's path and the flat index.
"""

import json
import math
import pathlib
import sys

import numpy as np
import torch

HERE = pathlib.Path(__file__).parent
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


OPENING = 8  # the token that opens documents, where the attention keeps them apart

# --- weights and tokens by formula -----------------------------------------------------------------------------------


def noise(key, count):
    """`count` integers of 24 bits: FNV-1a of the key, then SplitMix64 at each index."""
    state = 0xCBF29CE484222325
    for byte in key.encode():
        state = (state ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(state) + (np.arange(count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return z >> np.uint64(40)


def weight(path, shape):
    """Uniform in [-0.5, 0.5), exact in float32; vectors that are no biases lie around 1."""
    values = noise(path, math.prod(shape)).astype(np.float64) / 2**24 - 0.5
    if len(shape) == 1 and not path.endswith("bias"):
        values += 1.0
    return torch.tensor(values.astype(np.float32).astype(np.float64).reshape(shape))


def tokens(key, batch, length, vocab):
    return torch.tensor((noise(key, batch * length) % np.uint64(vocab)).astype(np.int64).reshape(batch, length))


# --- components ------------------------------------------------------------------------------------------------------


class Parameters:
    """Parameters by path. All must be asked for, and only those that exist can be."""

    def __init__(self, shapes):
        self.values = {path: weight(path, shape).requires_grad_() for path, shape in shapes}
        self.unused = set(self.values)

    def __call__(self, path):
        self.unused.discard(path)
        return self.values[path]


def norm(p, path, config, x, layer=None):
    """Over the last dimension; `layer` counts from 0 inside the blocks."""
    kind = config["kind"]
    if kind == "none":
        return x
    if kind == "rms":  # Zhang & Sennrich 2019, equation 4
        y = x / torch.sqrt((x * x).sum(-1, keepdim=True) / x.shape[-1] + config["eps"])
        if config["gain"]:
            y = y * (p(path + ".gain") + (1 if config["unit_offset"] else 0))
    elif kind == "layer":  # Ba et al. 2016, equation 4
        mean = x.sum(-1, keepdim=True) / x.shape[-1]
        variance = ((x - mean) ** 2).sum(-1, keepdim=True) / x.shape[-1]
        y = (x - mean) / torch.sqrt(variance + config["eps"])
        if config["gain"]:
            y = y * p(path + ".gain")
        if config["bias"]:
            y = y + p(path + ".bias")
    elif kind == "dyt":  # Zhu et al. 2025, equation 1
        y = torch.tanh(p(path + ".alpha") * x) * p(path + ".gain") + p(path + ".bias")
    else:
        raise ValueError(kind)
    if config["depth_scale"] and layer is not None:  # Sun et al. 2025, equation 4
        y = y / math.sqrt(layer + 1)
    return y


def activation(kind, x):
    if kind in ("relu", "reglu"):
        return torch.where(x > 0, x, torch.zeros_like(x))
    if kind in ("gelu", "geglu"):
        return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))
    if kind in ("gelu_tanh", "geglu_tanh"):
        return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    if kind in ("silu", "swiglu"):
        return x / (1 + torch.exp(-x))
    if kind == "relu2":
        return torch.where(x > 0, x * x, torch.zeros_like(x))
    if kind == "glu":
        return 1 / (1 + torch.exp(-x))
    if kind == "bilinear":
        return x
    raise ValueError(kind)


GATED = {"glu", "bilinear", "reglu", "geglu", "geglu_tanh", "swiglu"}


def linear(p, path, bias, x):
    y = x @ p(path + ".weight")
    return y + p(path + ".bias") if bias else y


def feed_forward(p, path, config, x):
    """Shazeer 2020, equations 2 to 6: the activation is on the gate."""
    kind, bias = config["kind"], config["bias"]
    if kind in GATED:
        hidden = activation(kind, linear(p, path + ".gate", bias, x)) * linear(p, path + ".up", bias, x)
    else:
        hidden = activation(kind, linear(p, path + ".up", bias, x))
    return linear(p, path + ".down", bias, hidden)


def rope_frequencies(config, rotated):
    """Angle per position of each pair of channels, and the factor on rotated queries and keys."""
    theta, scaling = config["theta"], config["scaling"]
    kind, factor = scaling["kind"], scaling.get("factor")
    if kind == "ntk":  # "NTK-aware scaled RoPE": the slowest frequency ends up divided by the factor
        theta = theta * factor ** (rotated / (rotated - 2))
    frequencies = [theta ** (-2 * i / rotated) for i in range(rotated // 2)]
    magnitude = 1.0
    if kind == "linear":  # Chen et al. 2023, equation 4
        frequencies = [f / factor for f in frequencies]
    if kind == "llama3":  # the Llama 3.1 release, `apply_scaling`
        context, low, high = scaling["original_context"], scaling["low_frequency"], scaling["high_frequency"]
        for i, f in enumerate(frequencies):
            wavelength = 2 * math.pi / f
            if wavelength > context / low:
                frequencies[i] = f / factor
            elif wavelength >= context / high:
                smooth = (context / wavelength - low) / (high - low)
                frequencies[i] = (1 - smooth) * f / factor + smooth * f
    if kind == "yarn":  # the YaRN release, `LlamaYaRNScaledRotaryEmbedding`; its paper blends in rotations instead of pairs

        def pair_of(rotations):  # find_correction_dim
            return rotated * math.log(scaling["original_context"] / (rotations * 2 * math.pi)) / (2 * math.log(theta))

        low = max(math.floor(pair_of(scaling["beta_fast"])), 0)
        high = min(math.ceil(pair_of(scaling["beta_slow"])), rotated - 1)
        for i, f in enumerate(frequencies):
            ramp = (i - low) / (high - low if high != low else 0.001)
            keep = 1 - min(max(ramp, 0.0), 1.0)
            frequencies[i] = (1 - keep) * f / factor + keep * f
        magnitude = 0.1 * math.log(factor) + 1  # Peng et al. 2023, equation 22
    return torch.tensor(frequencies), magnitude


def rotate(config, x):
    """`x` is [seq, head_dim] of one head."""
    rotated = round(config["fraction"] * x.shape[-1])
    frequencies, magnitude = rope_frequencies(config, rotated)
    angles = torch.arange(x.shape[0], dtype=torch.float64)[:, None] * frequencies
    turn = magnitude * torch.complex(torch.cos(angles), torch.sin(angles))
    if config["pairing"] == "interleaved":
        order = [(2 * i, 2 * i + 1) for i in range(rotated // 2)]
    else:
        order = [(i, i + rotated // 2) for i in range(rotated // 2)]
    real, imaginary = [a for a, _ in order], [b for _, b in order]
    z = torch.complex(x[:, real], x[:, imaginary]) * turn
    columns = [x[:, i] for i in range(x.shape[-1])]
    for pair, (a, b) in enumerate(order):
        columns[a], columns[b] = z.real[:, pair], z.imag[:, pair]
    return torch.stack(columns, dim=-1)


def alibi_slopes(heads, exponent):
    """Press et al. 2021, section 3, and the released `get_slopes` for heads that are no power of two."""
    if heads & (heads - 1) == 0:
        return [2 ** (-exponent * (h + 1) / heads) for h in range(heads)]
    below = 1 << (heads.bit_length() - 1)
    return alibi_slopes(below, exponent) + alibi_slopes(2 * below, exponent)[0::2][: heads - below]


def t5_bucket(distance, buckets, max_distance):
    """The T5 release, `_relative_position_bucket` with `bidirectional=False`."""
    exact = buckets // 2
    if distance < exact:
        return distance
    large = exact + int(math.log(distance / exact) / math.log(max_distance / exact) * (buckets - exact))
    return min(large, buckets - 1)


def active(config, layer):
    """Whether a layer uses the positions."""
    return config["pattern"][layer % len(config["pattern"])] == "on"


def soft_cap(x, cap):
    return x if cap is None else cap * torch.tanh(x / cap)


def attention(p, path, spec, layer, x):
    config, position = spec["attention"], spec["position"]
    heads, groups, size = config["heads"], config["kv_heads"], config["head_dim"]
    batch, length, _ = x.shape
    q = linear(p, path + ".query", config["bias"]["query"], x)
    k = linear(p, path + ".key", config["bias"]["key"], x)
    v = linear(p, path + ".value", config["bias"]["value"], x)
    qk_norm = config["qk_norm"]
    if qk_norm["kind"] == "full_width":
        q = norm(p, path + ".query_norm", qk_norm["norm"], q, layer)
        k = norm(p, path + ".key_norm", qk_norm["norm"], k, layer)
    outputs = []
    for b in range(batch):
        per_head = []
        for h in range(heads):
            g = h // (heads // groups)
            qh, kh, vh = q[b, :, h * size : (h + 1) * size], k[b, :, g * size : (g + 1) * size], v[b, :, g * size : (g + 1) * size]
            if qk_norm["kind"] == "per_head":
                qh = norm(p, path + ".query_norm", qk_norm["norm"], qh, layer)
                kh = norm(p, path + ".key_norm", qk_norm["norm"], kh, layer)
            if position["kind"] == "rope" and active(position, layer):
                qh, kh = rotate(position, qh), rotate(position, kh)
            rows = []
            for i in range(length):
                first = 0
                if config["spans"][layer] == "window":
                    first = max(0, i - config["window"] + 1)
                if "openings" in spec:
                    first = max([first] + [j for j in range(i + 1) if spec["openings"][b, j]])
                scores = soft_cap(config["scale"] * (kh[first : i + 1] @ qh[i]), config["soft_cap"])
                distances = [i - j for j in range(first, i + 1)]
                if position["kind"] == "alibi" and active(position, layer):
                    slope = alibi_slopes(heads, position["max_exponent"])[h]
                    scores = scores - slope * torch.tensor(distances, dtype=torch.float64)
                if position["kind"] == "t5" and active(position, layer):
                    table = p("position.table")
                    scores = scores + torch.stack([table[t5_bucket(d, position["buckets"], position["max_distance"]), h] for d in distances])
                shares = torch.exp(scores - scores.max().detach())
                rows.append((shares / shares.sum()) @ vh[first : i + 1])
            per_head.append(torch.stack(rows))
        outputs.append(torch.cat(per_head, dim=-1))
    return linear(p, path + ".output", config["bias"]["output"], torch.stack(outputs))


def block(p, spec, layer, x):
    residual, layers = spec["residual"], spec["layers"]
    kind, scale = residual["kind"], residual["scale"]["kind"]
    path = f"layers.{layer}"

    def attend(x):
        return attention(p, path + ".attention", spec, layer, x)

    def feed(x):
        return feed_forward(p, path + ".feed_forward", spec["feed_forward"], x)

    def normed(name, x):
        return norm(p, f"{path}.residual.{name}_norm", spec["norm"], x, layer)

    def scaled(name, x):
        if scale == "depth":
            return x / math.sqrt(2 * layers)
        if scale == "learned":  # Bachlechner et al. 2020, equation 2
            return p(f"{path}.residual.{name}_scale") * x
        return x

    if kind == "parallel_shared":
        y = normed("attention", x)
        return x + scaled("attention", attend(y)) + scaled("feed_forward", feed(y))
    if kind == "parallel":
        return x + scaled("attention", attend(normed("attention", x))) + scaled("feed_forward", feed(normed("feed_forward", x)))
    for name, branch in (("attention", attend), ("feed_forward", feed)):
        if kind == "pre":
            x = x + scaled(name, branch(normed(name, x)))
        elif kind == "post":
            stream = (2 * layers) ** 0.25 * x if scale == "deepnorm" else x  # Wang et al. 2022, figure 2, decoder-only
            x = normed(name, stream + scaled(name, branch(x)))
        elif kind == "sandwich":
            x = x + scaled(name, normed(name + "_output", branch(normed(name, x))))
        elif kind == "output":
            x = x + scaled(name, normed(name, branch(x)))
        else:
            raise ValueError(kind)
    return x


def logits(p, spec, inputs):
    width, position, embedding = spec["width"], spec["position"], spec["embedding"]
    length = inputs.shape[1]
    if spec["attention"].get("document_mask"):
        spec = spec | {"openings": inputs == OPENING}
    x = p("embedding.weight")[inputs]
    if embedding["scale"]:
        x = x * math.sqrt(width)
    x = norm(p, "embedding.norm", embedding["norm"], x)  # of the tokens alone, as in BLOOM
    if position["kind"] == "learned":
        x = x + p("position.weight")[:length]
    if position["kind"] == "sinusoidal":  # Vaswani et al. 2017, section 3.5
        table = torch.zeros(length, width)
        for t in range(length):
            for c in range(width):
                angle = t / position["theta"] ** (2 * (c // 2) / width)
                table[t, c] = math.cos(angle) if c % 2 else math.sin(angle)
        x = x + table
    for layer in range(spec["layers"]):
        x = block(p, spec, layer, x)
    if spec["final_norm"]:
        x = norm(p, "final_norm", spec["norm"], x)
    y = x @ (p("embedding.weight").T if embedding["tied"] else p("head.weight"))
    if spec["head"]["bias"]:
        y = y + p("head.bias")
    return soft_cap(y, spec["head"]["soft_cap"])


def losses(spec, y, targets):
    """The objective, and the mean cross-entropy in nats without smoothing and z-loss."""
    head = spec["head"]
    partition = torch.logsumexp(y, -1)
    log_p = y - partition[..., None]
    nats = -log_p.gather(-1, targets[..., None])[..., 0]
    smooth = head["label_smoothing"]  # Szegedy et al. 2016, section 7: uniform over the whole vocabulary
    per_token = (1 - smooth) * nats - smooth * log_p.mean(-1) + head["z_loss"] * partition**2
    return per_token.mean(), nats.mean()


# --- what is written and compared ------------------------------------------------------------------------------------


def run(case):
    spec = case["spec"]
    p = Parameters(case["parameters"])
    ids = tokens("tokens", case["batch"], case["sequence"] + 1, spec["vocab"])
    objective, nats = losses(spec, logits(p, spec, ids[:, :-1]), ids[:, 1:])
    assert not p.unused, f"{case['name']}: unused parameters {sorted(p.unused)}"
    gradients = torch.autograd.grad(objective, list(p.values.values()))
    result = {f"{case['name']}/{path}": g.numpy().astype(np.float32) for path, g in zip(p.values, gradients)}
    result[f"{case['name']}/objective"] = np.array([objective.item()])
    result[f"{case['name']}/nats"] = np.array([nats.item()])
    return result


def compute():
    expected = {}
    for case in json.loads((HERE / "cases.json").read_text()):
        expected.update(run(case))
    return expected


def compare():
    from safetensors.numpy import load_file

    committed, computed = load_file(HERE / "expected.safetensors"), compute()
    assert committed.keys() == computed.keys(), sorted(committed.keys() ^ computed.keys())
    worst = max(computed, key=lambda key: np.abs(computed[key] - committed[key]).max())
    distance = np.abs(computed[worst] - committed[worst]).max()
    print(f"{len(computed)} tensors, largest difference {distance:.1e} in {worst}")
    assert distance < 1e-6


def check():
    """The pieces against PyTorch's own where it has them, and against properties where it has not."""
    F = torch.nn.functional
    x = weight("x", (3, 6, 8))
    gain, bias = weight("check.gain", (8,)), weight("check.bias", (8,))
    p = Parameters([("n.gain", (8,)), ("n.bias", (8,))])
    rms = {"kind": "rms", "eps": 1e-5, "unit_offset": False, "gain": True, "depth_scale": False}
    layer = {"kind": "layer", "eps": 1e-5, "gain": True, "bias": True, "depth_scale": False}
    torch.testing.assert_close(norm(p, "n", rms, x), F.rms_norm(x, (8,), p("n.gain"), 1e-5))
    torch.testing.assert_close(norm(p, "n", layer, x), F.layer_norm(x, (8,), p("n.gain"), p("n.bias"), 1e-5))
    torch.testing.assert_close(activation("relu", x), F.relu(x))
    torch.testing.assert_close(activation("gelu", x), F.gelu(x))
    torch.testing.assert_close(activation("gelu_tanh", x), F.gelu(x, approximate="tanh"))
    torch.testing.assert_close(activation("silu", x), F.silu(x))
    torch.testing.assert_close(activation("glu", x), torch.sigmoid(x))

    width = 8
    shapes = [(f"a.{n}.weight", (width, m)) for n, m in (("query", 16), ("key", 8), ("value", 8))] + [("a.output.weight", (16, width))]
    bare = {"query": False, "key": False, "value": False, "output": False}
    config = {"heads": 4, "kv_heads": 2, "head_dim": 4, "bias": bare, "qk_norm": {"kind": "none"}, "spans": ["full"], "window": None, "scale": 0.5, "soft_cap": None}
    p = Parameters(shapes)
    split = lambda y, h: y.reshape(3, 6, h, 4).transpose(1, 2)
    q, k, v = (split(x @ p(f"a.{n}.weight"), h) for n, h in (("query", 4), ("key", 2), ("value", 2)))
    y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True, scale=0.5)
    torch.testing.assert_close(attention(p, "a", {"attention": config, "position": {"kind": "none"}}, 0, x), y.transpose(1, 2).reshape(3, 6, 16) @ p("a.output.weight"))

    rope = {"kind": "rope", "theta": 10000.0, "fraction": 1.0, "pairing": "half", "scaling": {"kind": "none"}, "pattern": ["on"]}
    q, k = weight("q", (1, 8)).expand(9, 8), weight("k", (1, 8)).expand(9, 8)
    for pairing in ("half", "interleaved"):
        scores = rotate(rope | {"pairing": pairing}, q) @ rotate(rope | {"pairing": pairing}, k).T
        torch.testing.assert_close(scores[1:, 1:], scores[:-1, :-1])  # only the distance matters
        assert (scores[0, 1] - scores[1, 0]).abs() > 1e-3  # and its sign does
    torch.testing.assert_close(torch.tensor(alibi_slopes(8, 8.0)), torch.tensor([2.0**-i for i in range(1, 9)]))
    assert [t5_bucket(d, 32, 128) for d in (0, 15, 16, 127, 128, 9999)] == [0, 15, 16, 31, 31, 31]

    y, targets = weight("y", (3, 6, 17)), tokens("t", 3, 6, 17)
    spec = {"head": {"label_smoothing": 0.1, "z_loss": 0.0}}
    objective, nats = losses(spec, y, targets)
    torch.testing.assert_close(objective, F.cross_entropy(y.flatten(0, 1), targets.flatten(), label_smoothing=0.1))
    torch.testing.assert_close(nats, F.cross_entropy(y.flatten(0, 1), targets.flatten()))
    print("the pieces agree with PyTorch")


if __name__ == "__main__":
    command = sys.argv[1] if len(sys.argv) > 1 else "write"
    if command == "write":
        from safetensors.numpy import save_file

        save_file(compute(), HERE / "expected.safetensors")
    elif command == "compare":
        compare()
    elif command == "check":
        check()
    else:
        sys.exit(__doc__)
