//! Every operator on the device that `ABLATE_TEST_DEVICE` names (`wgpu:cpu` is Mesa's software Vulkan), forward and all
//! gradients, against the kernels of the CPU, which are held against float64 themselves.

use crate::{
    device::DeviceName,
    ops::{
        self, Activation, AdamWStep, Affine, AttentionOptions, CrossEntropyOptions, Path, RmsGain, Rotation, ScoreBias,
        check::{Ring, near, random, weighted_sum, wide},
    },
};
use burn::tensor::{Device, FloatDType, Int, Tensor, TensorData};

/// Largest norm-wise relative error; results near 0 that are differences of larger numbers have a floor beside it.
const TOLERANCE: f64 = 1e-5;
const FLOOR: f64 = 1e-6;

/// The same where every tensor between two kernels is rounded to 11 bits.
const F16_TOLERANCE: f64 = 3e-3;

/// The device under test, if it has kernels.
fn device() -> Option<Device> {
    let name: DeviceName = std::env::var("ABLATE_TEST_DEVICE").ok()?.parse().unwrap();
    (name != DeviceName::Flex).then(|| name.open().unwrap_or_else(|error| panic!("{error}")))
}

/// Leaves memory behind that is no number, for what a kernel does not write.
fn poison(device: &Device) {
    for count in [1, 64, 1024, 1 << 14, 1 << 18] {
        let tensors: Vec<_> = (0..4).map(|_| Tensor::<1>::full([count], f32::NAN, device)).collect();
        tensors.into_iter().for_each(|tensor| drop(tensor.into_data()));
    }
}

fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().convert::<f32>().try_to_vec().unwrap()
}

/// A vector that is cut into the inputs of an operator.
type Function<'a> = &'a dyn Fn(&[Tensor<1>], &Device) -> Tensor<1>;

/// The result without gradients, with gradients, and the gradients of the inputs.
fn run(inputs: &[Vec<f32>], f: Function, device: &Device, gradients: bool) -> Vec<Vec<f32>> {
    ops::with(Path::Fused, || {
        let leaf = |device: &Device| {
            inputs.iter().map(|x| Tensor::<1>::from_data(TensorData::new(x.clone(), [x.len()]), device)).collect::<Vec<_>>()
        };
        let mut all = vec![numbers(f(&leaf(device), device))];
        if gradients {
            let device = device.clone().autodiff();
            let leaves: Vec<_> = leaf(&device).into_iter().map(Tensor::require_grad).collect();
            let y = f(&leaves, &device);
            all.push(numbers(y.clone()));
            let found = weighted_sum(y).backward();
            all.extend(leaves.iter().map(|x| numbers(x.grad(&found).unwrap())));
        }
        all
    })
}

/// Values and gradients of one device against those of another; `floor` is relative to the largest of them.
#[track_caller]
fn compare(what: &str, got: &[Vec<f32>], want: &[Vec<f32>], tolerance: f64, floor: f64) {
    let norm = |x: &[f32]| wide(x).iter().map(|x| x * x).sum::<f64>().sqrt();
    let floor = floor * want.iter().map(|x| norm(x)).fold(1.0, f64::max);
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let part = ["value", "tracked value"].get(i).map_or(format!("gradient {}", i.wrapping_sub(2)), ToString::to_string);
        near(&format!("{what}: {part}"), got, &wide(want), tolerance, floor);
    }
}

/// Compares a function of inputs of these sizes on the device with that on the CPU.
#[track_caller]
fn agree_on(what: &str, inputs: &[Vec<f32>], f: Function, gradients: bool) {
    let Some(device) = device() else { return };
    poison(&device);
    let (got, want) = (run(inputs, f, &device, gradients), run(inputs, f, &Device::flex(), gradients));
    compare(what, &got, &want, TOLERANCE, FLOOR);
}

#[track_caller]
fn agree(what: &str, sizes: &[usize], f: Function) {
    let inputs: Vec<Vec<f32>> = sizes.iter().enumerate().map(|(i, n)| random(*n, 17 * i as u64 + *n as u64)).collect();
    agree_on(what, &inputs, f, true);
}

/// The function on the device in f16 against that on the CPU in f32, of the same numbers.
#[track_caller]
fn agree_in_f16(what: &str, sizes: &[usize], f: Function) {
    let Some(device) = device() else { return };
    poison(&device);
    let rounded = |(i, n): (usize, &usize)| {
        let x = Tensor::<1>::from_data(TensorData::new(random(*n, 17 * i as u64 + *n as u64), [*n]), &Device::flex());
        numbers(x.cast(FloatDType::F16).cast(FloatDType::F32))
    };
    let inputs: Vec<Vec<f32>> = sizes.iter().enumerate().map(rounded).collect();
    let in_f16 = |x: &[Tensor<1>], device: &Device| {
        let x: Vec<_> = x.iter().map(|x| x.clone().cast(FloatDType::F16)).collect();
        f(&x, device).cast(FloatDType::F32)
    };
    let (got, want) = (run(&inputs, &in_f16, &device, true), run(&inputs, f, &Device::flex(), true));
    compare(&format!("{what} in f16"), &got, &want, F16_TOLERANCE, F16_TOLERANCE / 10.0);
}

fn flat<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let count = x.shape().num_elements();
    x.reshape([count])
}

fn ids(ids: Vec<i32>, device: &Device) -> Tensor<1, Int> {
    let count = ids.len();
    Tensor::from_data(TensorData::new(ids, [count]), device)
}

/// Rows and width: one, primes, more than a block of either.
const ROWS: [(usize, usize); 5] = [(1, 1), (1, 7), (67, 33), (131, 256), (5, 1031)];

#[test]
fn norms() {
    for (rows, width) in ROWS {
        let x = move |x: &Tensor<1>| x.clone().reshape([1, rows, width]);
        let what = format!("{rows}×{width}");
        let n = rows * width;
        agree(&format!("rms {what}"), &[n], &|i, _| flat(ops::rms_norm(x(&i[0]), RmsGain::None, 1e-5)));
        agree(&format!("rms, gain {what}"), &[n, width], &|i, _| flat(ops::rms_norm(x(&i[0]), RmsGain::AfterCast(i[1].clone()), 1e-5)));
        agree(&format!("rms, 1 + gain {what}"), &[n, width], &|i, _| {
            flat(ops::rms_norm(x(&i[0]), RmsGain::UnitOffset(i[1].clone()), 1e-2))
        });
        // The variance of a single number is 0, and so is the true gradient.
        if width > 1 {
            agree(&format!("layer {what}"), &[n, width, width], &|i, _| {
                flat(ops::layer_norm(x(&i[0]), Some(i[1].clone()), Some(i[2].clone()), 1e-5))
            });
            agree(&format!("layer, bias {what}"), &[n, width], &|i, _| {
                flat(ops::layer_norm(x(&i[0]) + 100.0, None, Some(i[1].clone()), 1e-5))
            });
        }
    }
}

/// A pre-norm branch: a norm of a sum, a gradient that is there already, a sum that is read twice.
#[test]
fn norms_with_the_residual_addition() {
    for (rows, width) in [(1, 7), (67, 33)] {
        for layer in [false, true] {
            agree(&format!("residual {rows}×{width}, layer {layer}"), &[rows * width, rows * width, width], &move |i, _| {
                let [x, branch] = [0, 1].map(|k| i[k].clone().reshape([1, rows, width]).mul_scalar(1.5));
                let [normed, sum] = if layer {
                    ops::add_layer_norm(x, branch, Some(i[2].clone()), None, 1e-5)
                } else {
                    ops::add_rms_norm(x, branch, RmsGain::AfterCast(i[2].clone()), 1e-5)
                };
                flat(ops::add(sum, normed.tanh()))
            });
        }
    }
}

/// The queue of the fusion may find a plan again by the shape of the graph; what runs must still be the call's own.
#[test]
fn calls_of_one_shape_keep_their_own_options() {
    let Some(device) = device() else { return };
    let x = Tensor::<2>::from_data(TensorData::new(random(64, 3), [4, 16]), &device);
    for _ in 0..3 {
        let norms = [1e-6, 1.0, 100.0].map(|eps| ops::rms_norm(x.clone(), RmsGain::None, eps));
        let sizes = norms.map(|y| numbers(y).iter().map(|y| y * y).sum::<f32>());
        let exact = |eps: f64| {
            let x = wide(&random(64, 3));
            let row = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>();
            x.chunks(16).map(|x| row(x) / (row(x) / 16.0 + eps)).sum::<f64>()
        };
        for (size, eps) in sizes.into_iter().zip([1e-6, 1.0, 100.0]) {
            assert!((f64::from(size) / exact(eps) - 1.0).abs() < 1e-5, "{size} with eps {eps}, expected {}", exact(eps));
        }
    }
}

#[test]
fn activations() {
    for kind in Activation::ALL {
        for n in [1, 127, 1000] {
            agree(&format!("{kind:?} of {n}"), &[n], &|i, _| ops::activate(i[0].clone() * 3.0, kind));
            agree(&format!("{kind:?} gate of {n}"), &[n, n], &|i, _| ops::gated(i[0].clone(), i[1].clone(), kind));
        }
        let extreme = vec![vec![-1e30, -300.0, -30.0, -9.0, 0.0, 9.0, 30.0, 300.0]];
        if kind != Activation::Relu2 && kind != Activation::Identity {
            agree_on(&format!("{kind:?} of extreme values"), &extreme, &|i, _| ops::activate(i[0].clone(), kind), true);
        }
    }
}

#[test]
fn rotations() {
    for (batch, heads, seq, head_dim) in [(1, 1, 1, 2), (2, 3, 5, 16), (1, 2, 37, 7)] {
        for pairs in [1, head_dim / 4, head_dim / 2] {
            let pairs = pairs.max(1);
            let angles: Vec<f32> = (0..seq * pairs).map(|i| i as f32 * 0.37).collect();
            let (cos, sin): (Vec<f32>, Vec<f32>) = angles.iter().map(|angle| (angle.cos(), angle.sin())).unzip();
            for interleaved in [false, true] {
                let what = format!("rotation of {pairs} pairs of {head_dim}, interleaved {interleaved}");
                let n = batch * heads * seq * head_dim;
                agree(&what, &[n], &|i, _| {
                    let rotation = Rotation::new(&cos, &sin, pairs, head_dim, interleaved);
                    flat(ops::rotary(i[0].clone().reshape([batch, heads, seq, head_dim]), &rotation))
                });
                // As a projection leaves it.
                agree(&what, &[n], &|i, _| {
                    let rotation = Rotation::new(&cos, &sin, pairs, head_dim, interleaved);
                    flat(ops::rotary(i[0].clone().reshape([batch, seq, heads, head_dim]).swap_dims(1, 2), &rotation))
                });
            }
        }
    }
}

#[test]
fn products() {
    for (rows, inputs, outputs) in [(1, 1, 1), (5, 17, 3), (67, 33, 70)] {
        let sizes = [rows * inputs, inputs * outputs, outputs, inputs * outputs, outputs];
        let what = format!("{rows}×{inputs}×{outputs}");
        let x = move |x: &Tensor<1>| x.clone().reshape([1, rows, inputs]);
        let w = move |w: &Tensor<1>| w.clone().reshape([inputs, outputs]);
        agree(&format!("linear {what}"), &sizes[..2], &|i, _| flat(ops::linear(x(&i[0]), w(&i[1]), None)));
        agree(&format!("linear, bias {what}"), &sizes[..3], &|i, _| flat(ops::linear(x(&i[0]), w(&i[1]), Some(i[2].clone()))));
        agree(&format!("transposed {what}"), &sizes[..2], &|i, _| {
            flat(ops::linear(x(&i[0]), i[1].clone().reshape([outputs, inputs]).swap_dims(0, 1), None))
        });
        agree(&format!("gated {what}"), &sizes, &|i, _| {
            let gate = Affine { weight: w(&i[1]), bias: Some(i[2].clone()) };
            let up = Affine { weight: w(&i[3]), bias: Some(i[4].clone()) };
            flat(ops::gated_linear(x(&i[0]), gate, up, Activation::Silu))
        });
    }
}

#[test]
fn losses() {
    for (n, width, vocab) in [(1, 1, 1), (5, 17, 3), (67, 16, 100), (130, 8, 300)] {
        for setting in 0..4 {
            let options = CrossEntropyOptions {
                soft_cap: (setting & 1 == 1).then_some(3.0),
                z_loss: if setting & 2 == 2 { 0.01 } else { 0.0 },
                label_smoothing: if setting & 2 == 2 { 0.1 } else { 0.0 },
            };
            let targets: Vec<i32> = (0..n).map(|i| ((i * 7919 + 3) % vocab) as i32).collect();
            let what = format!("loss of {n}×{width}×{vocab}, {options:?}");
            let (with_bias, tied) = (setting != 0, setting == 3);
            let sizes = [n * width, width * vocab, vocab];
            let operands = move |i: &[Tensor<1>]| {
                let w = &i[1];
                let w = if tied { w.clone().reshape([vocab, width]).swap_dims(0, 1) } else { w.clone().reshape([width, vocab]) };
                (i[0].clone().reshape([1, n, width]), w, with_bias.then(|| i[2].clone()))
            };
            let sizes = &sizes[..if with_bias { 3 } else { 2 }];
            agree(&what, sizes, &|i, device| {
                let (x, w, bias) = operands(i);
                let targets = ids(targets.clone(), device).reshape([1, n]);
                // Not 1, so that the way back has something to scale.
                ops::linear_cross_entropy(x, w, bias, targets, options).objective * 3.0
            });
            let inputs: Vec<Vec<f32>> = sizes.iter().map(|n| random(*n, *n as u64)).collect();
            agree_losses(&what, &inputs, &|i, device| {
                let (x, w, bias) = operands(i);
                let targets = ids(targets.clone(), device).reshape([1, n]);
                let nats = ops::linear_cross_entropy(x.clone(), w.clone(), bias.clone(), targets.clone(), options).nats;
                Tensor::cat(vec![nats, flat(ops::token_cross_entropy(x, w, bias, targets, options))], 0)
            });
        }
    }
}

/// Losses near 0 are differences of logits of size about 1.
#[track_caller]
fn agree_losses(what: &str, inputs: &[Vec<f32>], f: Function) {
    let Some(device) = device() else { return };
    poison(&device);
    let (got, want) = (run(inputs, f, &device, false), run(inputs, f, &Device::flex(), false));
    near(what, &got[0], &wide(&want[0]), TOLERANCE, FLOOR * (want[0].len() as f64).sqrt());
}

#[test]
fn embeddings() {
    // Beyond one chunk of tokens, with tokens that repeat within and across chunks, and rows that none names.
    for (vocab, width, tokens) in [(1, 1, 1), (7, 3, 5), (50, 17, 300), (97, 2, 4096 + 131)] {
        let named: Vec<i32> = (0..tokens).map(|i| ((i * i * 31 + i / 3) % usize::div_ceil(vocab, 2)) as i32).collect();
        agree(&format!("embedding {vocab}×{width} of {tokens}"), &[vocab * width], &|i, device| {
            let tokens = ids(named.clone(), device).reshape([1, tokens]);
            flat(ops::embedding(i[0].clone().reshape([vocab, width]), tokens))
        });
    }
}

#[test]
fn steps_of_adamw() {
    let step = AdamWStep { lr: 0.02, beta1: 0.9, beta2: 0.95, eps: 1e-8, weight_decay: 0.1, step: 3 };
    for n in [1, 127, 1000] {
        let inputs: Vec<Vec<f32>> = (0..4).map(|i| random(n, i + n as u64)).collect();
        let squares = inputs[3].iter().map(|x| x * x).collect();
        let inputs = [inputs[0].clone(), inputs[1].clone(), inputs[2].clone(), squares];
        for shared in [false, true] {
            let kept = std::cell::RefCell::new(vec![]);
            agree_losses(&format!("AdamW of {n}, shared {shared}"), &inputs, &|i, _| {
                let mut i = i.iter().map(|x| x.clone() * 1.0);
                let mut next = || i.next().unwrap();
                let (p, g, m, v) = (next(), next(), next(), next());
                if shared {
                    kept.borrow_mut().push((p.clone(), numbers(p.clone())));
                }
                Tensor::cat(ops::adamw(&step, p, g, [m, v]).into(), 0)
            });
            // What somebody else holds is not changed.
            for (tensor, before) in kept.into_inner() {
                assert_eq!(numbers(tensor), before);
            }
        }
    }
}

#[test]
fn square_norms() {
    for n in [1, 63, 64, 65, 5000, (1 << 18) + 7] {
        agree_losses(&format!("square norm of {n}"), &[random(n, n as u64)], &|i, _| ops::square_norm(i[0].clone()));
    }
}

/// Sizes: batch, heads, kv heads, seq, head_dim.
const ATTENTION: [(usize, usize, usize, usize, usize); 3] = [(1, 1, 1, 1, 2), (2, 4, 2, 7, 4), (1, 6, 2, 37, 16)];

fn variants(heads: usize, seq: usize) -> Vec<(&'static str, AttentionOptions, bool)> {
    let plain = AttentionOptions { scale: 0.4, soft_cap: None, window: None, starts: None, bias: ScoreBias::None };
    let slopes = (0..heads).map(|h| 0.5f32.powi(h as i32 + 1)).collect();
    vec![
        ("plain", plain.clone(), false),
        ("cap", AttentionOptions { soft_cap: Some(2.0), ..plain.clone() }, false),
        ("window", AttentionOptions { window: Some(seq.div_ceil(3)), ..plain.clone() }, false),
        ("slopes", AttentionOptions { bias: ScoreBias::Alibi(slopes), ..plain.clone() }, false),
        ("table, cap, window", AttentionOptions { soft_cap: Some(2.0), window: Some(seq.div_ceil(2)), ..plain }, true),
    ]
}

#[test]
fn attentions() {
    for (batch, heads, kv_heads, seq, head_dim) in ATTENTION {
        for (what, options, table) in variants(heads, seq) {
            let sizes = [batch * heads * seq * head_dim, batch * kv_heads * seq * head_dim, batch * kv_heads * seq * head_dim, 8 * heads];
            let what = format!("attention, {what}, {heads} heads, {seq} positions");
            let cut = |x: &Tensor<1>, heads| x.clone().reshape([batch, heads, seq, head_dim]);
            for starts in [false, true] {
                agree(&what, &sizes[..if table { 4 } else { 3 }], &|i, device| {
                    let mut options = options.clone();
                    if table {
                        options.bias = ScoreBias::Relative { table: i[3].clone().reshape([8, heads]), max_distance: 20 };
                    }
                    if starts {
                        let of = |i: usize| (i % seq / 3 * 3) as i32;
                        options.starts = Some(ids((0..batch * seq).map(of).collect(), device).reshape([batch, seq]));
                    }
                    flat(ops::attention(cut(&i[0], heads), cut(&i[1], kv_heads), cut(&i[2], kv_heads), &options))
                });
            }
        }
    }
}

#[test]
fn self_attentions() {
    let (batch, heads, kv_heads, seq, head_dim, width) = (2, 4, 2, 7, 6, 10);
    let angles: Vec<f32> = (0..seq * 3).map(|i| i as f32 * 0.37).collect();
    let (cos, sin): (Vec<f32>, Vec<f32>) = angles.iter().map(|angle| (angle.cos(), angle.sin())).unzip();
    for (what, options, table) in variants(heads, seq) {
        let (q, kv) = (heads * head_dim, kv_heads * head_dim);
        let sizes = [batch * seq * width, width * q, width * kv, width * kv, q, kv, 8 * heads];
        let sizes = &sizes[..if table { 7 } else { 6 }];
        agree(&format!("self-attention, {what}"), sizes, &|i, device| {
            let rotation = Rotation::new(&cos, &sin, 3, head_dim, true);
            let mut options = options.clone();
            if table {
                options.bias = ScoreBias::Relative { table: i[6].clone().reshape([8, heads]), max_distance: 20 };
                let of = |i: usize| (i % seq / 3 * 3) as i32;
                options.starts = Some(ids((0..batch * seq).map(of).collect(), device).reshape([batch, seq]));
            }
            let affine = |weight: &Tensor<1>, columns: usize, bias: Option<&Tensor<1>>| Affine {
                weight: weight.clone().reshape([width, columns]),
                bias: bias.cloned(),
            };
            let projections = [affine(&i[1], q, Some(&i[4])), affine(&i[2], kv, None), affine(&i[3], kv, Some(&i[5]))];
            let x = i[0].clone().reshape([batch, seq, width]);
            flat(ops::self_attention(x, projections, head_dim, Some(&rotation), &options))
        });
    }
}

#[test]
fn what_neighbours_exchange() {
    let Some(device) = device() else { return };
    let (tokens, width, vocab) = (3, 8, 11);
    let inputs = |rank: usize| [tokens * width, width * vocab].map(|count| random(count, 1 + (rank * count) as u64));
    let on = |device: &Device| {
        Ring::of(2, |ring| {
            let own = ring.part(vocab);
            let loss = |i: &[Tensor<1>], device: &Device| {
                let x = ops::gather(i[0].clone().reshape([1, tokens, width]), &ring);
                let weight = i[1].clone().reshape([width, vocab]).slice_dim(1, own.clone());
                let targets = ids((0..2 * tokens as i32).map(|i| i * 5 % 11).collect(), device).reshape([1, 2 * tokens]);
                ops::divided_cross_entropy(x, weight, None, targets, CrossEntropyOptions::default(), vocab, &*ring).objective
            };
            run(&inputs(ring.rank()), &loss, device, true)
        })
    };
    let (got, want) = (on(&device), on(&Device::flex()));
    got.iter().zip(&want).for_each(|(got, want)| compare("neighbours", got, want, TOLERANCE, FLOOR));
}

#[test]
fn sixteen_bits() {
    let (rows, width, hidden) = (67, 32, 48);
    let x = move |x: &Tensor<1>| x.clone().reshape([1, rows, width]);
    agree_in_f16("residual", &[rows * width, rows * width, width], &|i, _| {
        let [normed, sum] = ops::add_rms_norm(x(&i[0]), x(&i[1]), RmsGain::AfterCast(i[2].clone()), 1e-5);
        flat(ops::add(sum, normed.mul_scalar(0.5)))
    });
    // Weights small enough that no softmax amplifies the rounding of its scores.
    let affine = |w: &Tensor<1>, b: &Tensor<1>, outputs| Affine {
        weight: w.clone().reshape([width, outputs]).mul_scalar(0.25),
        bias: Some(b.clone()),
    };
    agree_in_f16("gated", &[rows * width, width * hidden, hidden, width * hidden, hidden], &|i, _| {
        flat(ops::gated_linear(x(&i[0]), affine(&i[1], &i[2], hidden), affine(&i[3], &i[4], hidden), Activation::Silu))
    });
    let angles: Vec<f32> = (0..rows * 8).map(|i| (i / 8) as f32 / (1 + i % 8) as f32).collect();
    let [cos, sin] = [f32::cos, f32::sin].map(|f| angles.iter().map(|a| f(*a)).collect::<Vec<_>>());
    let rotation = Rotation::new(&cos, &sin, 8, 16, false);
    let options = AttentionOptions { scale: 0.25, soft_cap: None, window: Some(20), starts: None, bias: ScoreBias::None };
    agree_in_f16("self-attention", &[rows * width, width * 32, 32, width * 16, 16, width * 16, 16], &|i, _| {
        let projections = [affine(&i[1], &i[2], 32), affine(&i[3], &i[4], 16), affine(&i[5], &i[6], 16)];
        flat(ops::self_attention(x(&i[0]), projections, 16, Some(&rotation), &options))
    });
    let loss = CrossEntropyOptions { soft_cap: None, z_loss: 0.01, label_smoothing: 0.1 };
    let targets: Vec<i32> = (0..rows as i32).map(|i| i * 5 % 40).collect();
    agree_in_f16("loss", &[rows * width, width * 40, 40], &|i, device| {
        let targets = ids(targets.clone(), device).reshape([1, rows]);
        ops::linear_cross_entropy(x(&i[0]), i[1].clone().reshape([width, 40]), Some(i[2].clone()), targets, loss).objective
    });
    agree_in_f16("embedding", &[40 * width], &|i, device| {
        flat(ops::embedding(i[0].clone().reshape([40, width]), ids(targets.clone(), device).reshape([1, rows])))
    });
}
