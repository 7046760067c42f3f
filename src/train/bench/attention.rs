//! Timing attention by itself over growing sequences: what it costs in time and memory per pair that it may see.

use super::{super::memory, median};
use crate::{
    device::DeviceName,
    model::position::AlibiConfig,
    ops::{self, AttentionOptions, Backend, Op, ScoreBias},
    random::{Purpose, generator},
    settings::{Error, Result},
};
use burn::tensor::{Device, FloatDType, Int, Tensor, TensorData};
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::{str::FromStr, time::Instant};

/// Calls before the clock starts: a device compiles its kernels then.
const WARM_UP: usize = 2;

/// Seconds that one timing takes at least, of as many calls as that needs.
const TIMING: f64 = 0.02;

/// T5's table: 32 buckets, the last one shared from a distance of 128 (Raffel et al. 2020).
const BUCKETS: usize = 32;
const MAX_DISTANCE: usize = 128;

/// Type of queries, keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 32 bits.
    F32,
    /// 16 bits, the exponent of f32.
    Bf16,
}

/// What is added to the scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bias {
    /// -slope · distance (Press et al. 2021).
    Alibi,
    /// A learned number per bucket of distance, with its gradient (Raffel et al. 2020).
    T5,
}

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// The forward pass alone, without gradients.
    Forward,
    /// The forward pass and the backward pass.
    Both,
}

/// Reads a name as the one of a list.
macro_rules! named {
    ($type:ty, $($name:literal => $value:expr),+) => {
        impl FromStr for $type {
            type Err = String;
            fn from_str(name: &str) -> Result<Self, String> {
                match name {
                    $($name => Ok($value),)+
                    _ => Err(format!("expected {}", [$($name),+].join(" or "))),
                }
            }
        }
    };
}

named!(Element, "f32" => Self::F32, "bf16" => Self::Bf16);
named!(Bias, "alibi" => Self::Alibi, "t5" => Self::T5);
named!(Pass, "forward" => Self::Forward, "both" => Self::Both);

/// Shapes and options of the attention.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Sequences.
    pub batch: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; they divide the query heads.
    pub kv_heads: usize,
    /// Channels of a head.
    pub head_dim: usize,
    /// Type of queries, keys and values.
    pub element: Element,
    /// Keys that a query sees, itself included.
    pub window: Option<usize>,
    /// Documents of equal length in a sequence, which do not see each other.
    pub documents: usize,
    /// Added to the scores.
    pub bias: Option<Bias>,
    /// Scores s become c·tanh(s/c).
    pub soft_cap: Option<f64>,
    /// What is timed.
    pub pass: Pass,
}

/// Time and memory of one length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Positions of queries and of keys.
    pub seq: usize,
    /// Fastest timing, in milliseconds per call.
    pub ms_min: f64,
    /// Median timing, in milliseconds per call.
    pub ms: f64,
    /// Pairs of a query and a key that see each other, over all sequences and query heads.
    pub pairs: u64,
    /// Floating-point operations per second at the median: 4·head_dim per pair forward and 10·head_dim backward, which has
    /// five products of that size where the forward pass has two.
    pub flops_per_second: f64,
    /// Resident memory at its highest during a call beyond what was there before the inputs: inputs, output, gradients
    /// and all that is in between. Only known on the CPU, on Linux.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_bytes: Option<u64>,
    /// Which implementation ran.
    pub path: String,
}

impl Case {
    /// Checks what the command line cannot.
    ///
    /// # Errors
    ///
    /// A size of 0, heads that do not divide, a soft cap that is not positive.
    pub fn check(&self) -> Result<()> {
        let positive = |key: &str, size: usize| match size {
            0 => Err(Error::input(key, "0 is no size", "use 1 or more")),
            _ => Ok(()),
        };
        positive("--batch", self.batch)?;
        positive("--heads", self.heads)?;
        positive("--kv-heads", self.kv_heads)?;
        positive("--head-dim", self.head_dim)?;
        positive("--documents", self.documents)?;
        positive("--window", self.window.unwrap_or(1))?;
        if !self.heads.is_multiple_of(self.kv_heads) {
            let what = format!("{} does not divide {} heads", self.kv_heads, self.heads);
            return Err(Error::input("--kv-heads", what, format!("use a divisor of {}", self.heads)));
        }
        if self.soft_cap.is_some_and(|cap| !(cap.is_finite() && cap > 0.0)) {
            return Err(Error::input("--soft-cap", "not a positive number", "use e.g. 50"));
        }
        Ok(())
    }

    /// Times `rounds` rounds at one length.
    ///
    /// # Errors
    ///
    /// A device that is not there.
    ///
    /// # Panics
    ///
    /// Where the device has too little memory.
    pub fn measure(&self, seq: usize, rounds: usize, device: &DeviceName) -> Result<Measured> {
        let opened = match self.pass {
            Pass::Forward => device.open()?,
            Pass::Both => device.train_device()?,
        };
        let before = (*device == DeviceName::Flex && memory::reset_peak()).then(memory::resident).flatten();
        let inputs = self.inputs(seq, &opened);
        let sync = || opened.sync().expect("the device runs what it was given");
        let timing = |calls: usize| {
            sync();
            let started = Instant::now();
            (0..calls).for_each(|_| self.call(&inputs));
            sync();
            started.elapsed().as_secs_f64() / calls as f64
        };
        timing(WARM_UP);
        let calls = (TIMING / timing(1)).ceil().max(1.0) as usize;
        let times: Vec<f64> = (0..rounds).map(|_| timing(calls)).collect();
        let peak_bytes = before.and_then(|before| Some(memory::peak()?.saturating_sub(before)));

        let starts = self.starts(seq);
        let spans = starts.iter().zip(starts[1..].iter().chain([&seq])).map(|(start, end)| end - start);
        let pairs = (self.batch * self.heads * spans.map(|span| ops::visible(span, span, self.window)).sum::<usize>()) as u64;
        let per_pair = self.head_dim * if self.pass == Pass::Both { 14 } else { 4 };
        let seconds = median(&times).unwrap_or(f64::NAN);
        Ok(Measured {
            seq,
            ms_min: times.iter().copied().fold(f64::INFINITY, f64::min) * 1e3,
            ms: seconds * 1e3,
            pairs,
            flops_per_second: pairs as f64 * per_pair as f64 / seconds,
            peak_bytes,
            path: ops::path_of(Op::Attention, Backend::of(&opened), inputs.q.dtype(), ops::chosen()).path.name().into(),
        })
    }

    /// Where each document starts.
    fn starts(&self, seq: usize) -> Vec<usize> {
        (0..self.documents).map(|document| (document * seq).div_ceil(self.documents)).collect()
    }

    /// The start of each position's document, `[batch, seq]`.
    fn starts_of_positions(&self, seq: usize, device: &Device) -> Option<Tensor<2, Int>> {
        let starts = self.starts(seq);
        let of_position = (0..seq).map(|position| starts[starts.partition_point(|start| *start <= position) - 1] as i32);
        let row: Vec<i32> = of_position.collect();
        (self.documents > 1).then(|| Tensor::from_data(TensorData::new(row.repeat(self.batch), [self.batch, seq]), device))
    }

    fn inputs(&self, seq: usize, device: &Device) -> Inputs {
        let tracked = |x: Tensor<4>| if self.pass == Pass::Both { x.require_grad() } else { x };
        let make = |key: &str, heads: usize| {
            let shape = [self.batch, heads, seq, self.head_dim];
            let x = Tensor::<4>::from_data(TensorData::new(noise(key, shape.iter().product()), shape), device);
            tracked(match self.element {
                Element::F32 => x,
                Element::Bf16 => x.cast(FloatDType::BF16),
            })
        };
        let bias = match self.bias {
            None => ScoreBias::None,
            Some(Bias::Alibi) => ScoreBias::Alibi(AlibiConfig::default().slopes(self.heads).iter().map(|slope| *slope as f32).collect()),
            Some(Bias::T5) => {
                let data = TensorData::new(noise("table", BUCKETS * self.heads), [BUCKETS, self.heads]);
                let table = Tensor::<2>::from_data(data, device);
                let table = if self.pass == Pass::Both { table.require_grad() } else { table };
                ScoreBias::Relative { table, max_distance: MAX_DISTANCE }
            }
        };
        let scale = 1.0 / (self.head_dim as f64).sqrt();
        Inputs {
            q: make("q", self.heads),
            k: make("k", self.kv_heads),
            v: make("v", self.kv_heads),
            options: AttentionOptions {
                scale,
                soft_cap: self.soft_cap,
                window: self.window,
                starts: self.starts_of_positions(seq, device),
                bias,
            },
        }
    }

    fn call(&self, Inputs { q, k, v, options }: &Inputs) {
        let out = ops::attention(q.clone(), k.clone(), v.clone(), options);
        match self.pass {
            Pass::Forward => drop(std::hint::black_box(out)),
            // The gradient of the output is all ones.
            Pass::Both => drop(std::hint::black_box(out.backward())),
        }
    }
}

/// The arguments of a call.
struct Inputs {
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    options: AttentionOptions,
}

/// Numbers from -1 to 1.
fn noise(key: &str, count: usize) -> Vec<f32> {
    let mut generator = generator(0, Purpose::DataOrder, &format!("bench/attention/{key}"));
    (0..count).map(|_| generator.next_u32() as f32 / u32::MAX as f32 * 2.0 - 1.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> Case {
        Case {
            batch: 2,
            heads: 4,
            kv_heads: 2,
            head_dim: 8,
            element: Element::F32,
            window: None,
            documents: 1,
            bias: None,
            soft_cap: None,
            pass: Pass::Both,
        }
    }

    #[test]
    fn every_option_runs_and_only_visible_pairs_count() {
        let causal = 2 * 4 * (16 * 17 / 2);
        for (case, pairs) in [
            (case(), causal),
            (Case { window: Some(4), ..case() }, 2 * 4 * (16 * 4 - 6)),
            (Case { bias: Some(Bias::Alibi), pass: Pass::Forward, ..case() }, causal),
            (Case { bias: Some(Bias::T5), soft_cap: Some(20.0), ..case() }, causal),
            (Case { element: Element::Bf16, ..case() }, causal),
            (Case { documents: 3, ..case() }, 2 * 4 * (6 * 7 / 2 + 2 * (5 * 6 / 2))),
            (Case { documents: 2, window: Some(2), ..case() }, 2 * 4 * 2 * (8 * 2 - 1)),
        ] {
            let measured = case.measure(16, 2, &DeviceName::Flex).unwrap();
            assert_eq!(measured.pairs, pairs, "{case:?}");
            assert!(measured.ms_min > 0.0 && measured.ms >= measured.ms_min && measured.flops_per_second > 0.0, "{measured:?}");
        }
    }

    #[test]
    fn wrong_shapes_are_refused() {
        for (case, key) in [
            (Case { heads: 0, ..case() }, "--heads"),
            (Case { kv_heads: 3, ..case() }, "--kv-heads"),
            (Case { window: Some(0), ..case() }, "--window"),
            (Case { documents: 0, ..case() }, "--documents"),
            (Case { soft_cap: Some(-1.0), ..case() }, "--soft-cap"),
        ] {
            assert!(case.check().unwrap_err().to_string().contains(key), "{case:?}");
        }
    }
}
