//! The kernels against float64, on the device that `ABLATE_TEST_DEVICE` names.

use super::launch::{Bias, Gradients, Problem, backward_into, forward_into};
use super::upload;
use crate::{
    device::DeviceName,
    ops::flex::attention::reference::{BASE, Case, Inputs, Kind, Results, check, documents},
};
use burn::tensor::{DType, Shape, bf16, f16};
use burn_cubecl::{
    CubeDevice,
    cubecl::{
        client::Client,
        ir::{ElemType, FloatKind},
        prelude::CubeElement,
        zspace::{Strides, metadata::Metadata},
    },
    tensor::CubeTensor,
};

/// A device to launch kernels on.
struct Bench {
    device: CubeDevice,
    client: Client,
}

impl Bench {
    /// The device under test, if kernels of this module run there.
    fn open() -> Option<Self> {
        let name = std::env::var("ABLATE_TEST_DEVICE").ok().filter(|name| !name.is_empty())?;
        let device = match name.parse().unwrap_or_else(|error| panic!("{error}")) {
            DeviceName::Flex => return None,
            #[cfg(feature = "wgpu")]
            DeviceName::WgpuCpu => CubeDevice::Wgpu(burn_cubecl::cubecl::wgpu::WgpuDeviceKind::Cpu.into()),
            #[cfg(feature = "cuda")]
            DeviceName::Cuda(index) => CubeDevice::Cuda(burn_cubecl::cubecl::cuda::CudaDevice { index }),
            other => panic!("{other}: this build of the tests has no such device"),
        };
        let client = device.client();
        Some(Self { device, client })
    }

    /// bf16 where the device has it, else f16.
    fn half(&self) -> DType {
        let supported = |kind| self.client.properties().supports_type(ElemType::Float(kind));
        if supported(FloatKind::BF16) {
            DType::BF16
        } else {
            assert!(supported(FloatKind::F16), "the device has no 16-bit floats");
            DType::F16
        }
    }

    fn bytes(values: &[f32], dtype: DType) -> Vec<u8> {
        match dtype {
            DType::F32 => f32::as_bytes(values).to_vec(),
            DType::F16 => f16::as_bytes(&values.iter().map(|&x| f16::from_f32(x)).collect::<Vec<_>>()).to_vec(),
            DType::BF16 => bf16::as_bytes(&values.iter().map(|&x| bf16::from_f32(x)).collect::<Vec<_>>()).to_vec(),
            other => unreachable!("{other:?}"),
        }
    }

    /// A tensor of these shapes and strides over `values`.
    fn tensor(&self, values: &[f32], shape: &[usize], strides: &[usize], dtype: DType) -> CubeTensor {
        let handle = self.client.create_from_slice(&Self::bytes(values, dtype));
        let metadata = Metadata::new(Shape::from(shape.to_vec()), Strides::new(strides));
        CubeTensor::new(self.client.clone(), handle, metadata, self.device.clone(), dtype)
    }

    /// A contiguous tensor full of NaN.
    fn poison(&self, shape: &[usize], dtype: DType) -> CubeTensor {
        let values = vec![f32::NAN; shape.iter().product()];
        let handle = self.client.create_from_slice(&Self::bytes(&values, dtype));
        CubeTensor::new_contiguous(self.client.clone(), self.device.clone(), Shape::from(shape.to_vec()), handle, dtype)
    }

    fn read(&self, x: &CubeTensor) -> Vec<f32> {
        let bytes = self.client.read_one(x.handle.clone()).expect("what a kernel wrote");
        let bytes = &bytes[..x.meta.shape().num_elements() * x.dtype.size()];
        match x.dtype {
            DType::F32 => f32::from_bytes(bytes).to_vec(),
            DType::F16 => f16::from_bytes(bytes).iter().map(|x| x.to_f32()).collect(),
            DType::BF16 => bf16::from_bytes(bytes).iter().map(|x| x.to_f32()).collect(),
            other => unreachable!("{other:?}"),
        }
    }

    /// Runs the kernels into tensors of NaN. The outputs lie as `[batch, seq, heads, head_dim]`, as the reference's do.
    fn run(&self, case: &Case, inputs: &Inputs, dtype: DType) -> Results<f32> {
        let &Case { batch, heads, kv_heads, queries, keys, head_dim, scale, soft_cap, window, .. } = case;
        let input = |values: &[f32], heads: usize, seq: usize| {
            let view = case.view(values, heads, seq);
            self.tensor(values, &[batch, heads, seq, head_dim], &[view.batch, view.head, view.seq, 1], dtype)
        };
        let output =
            |heads: usize, seq: usize| burn_cubecl::ops::permute(self.poison(&[batch, seq, heads, head_dim], dtype), &[0, 2, 1, 3]);
        let [q, dout] = [&inputs.q, &inputs.dout].map(|values| input(values, heads, queries));
        let [k, v] = [&inputs.k, &inputs.v].map(|values| input(values, kv_heads, keys));
        let buckets = inputs.table.len() / heads;
        let bias = match case.bias {
            Kind::None => Bias::None,
            Kind::Alibi => Bias::Alibi(upload(&q, &inputs.slopes, DType::F32)),
            Kind::Relative => Bias::Relative {
                table: self.tensor(&inputs.table, &[buckets, heads], &[heads, 1], DType::F32),
                buckets: upload(&q, &inputs.of_distance, DType::U32),
            },
        };
        let starts = case.starts.as_ref().map(|starts| upload(&q, starts, DType::U32));
        let problem = Problem { scale, soft_cap, window, starts, bias };
        let (out, log_sum) = (output(heads, queries), self.poison(&[batch, heads, queries], DType::F32));
        forward_into(&problem, q.clone(), k.clone(), v.clone(), &out, &log_sum);
        let table = (case.bias == Kind::Relative).then(|| self.poison(&[buckets, heads], DType::F32));
        let gradients = Gradients { dq: output(heads, queries), dk: output(kv_heads, keys), dv: output(kv_heads, keys), table };
        backward_into(&problem, q, k, v, out.clone(), log_sum.clone(), dout, &gradients);
        let Gradients { dq, dk, dv, table } = &gradients;
        let [out, log_sum, dq, dk, dv] = [&out, &log_sum, dq, dk, dv].map(|x| self.read(x));
        Results { out, log_sum, dq, dk, dv, table: table.as_ref().map_or(vec![], |table| self.read(table)) }
    }

    /// f32 to its tolerance.
    fn compare(&self, name: &str, case: &Case) {
        let inputs = case.inputs();
        check(name, case, &inputs, &self.run(case, &inputs, DType::F32), 1e-5);
    }

    /// 16-bit floats to theirs, on inputs that they hold exactly.
    fn compare_half(&self, name: &str, case: &Case) {
        let dtype = self.half();
        let mut inputs = case.inputs();
        for values in [&mut inputs.q, &mut inputs.k, &mut inputs.v, &mut inputs.dout] {
            for x in values.iter_mut() {
                *x = if dtype == DType::BF16 { bf16::from_f32(*x).to_f32() } else { f16::from_f32(*x).to_f32() };
            }
        }
        check(&format!("{name} in {dtype:?}"), case, &inputs, &self.run(case, &inputs, dtype), 2e-2);
    }
}

/// A few positions more than a tile of any kernel.
const SMALL: Case = Case { batch: 1, queries: 37, keys: 37, ..BASE };

/// Head sizes of every tiling, whole and broken; lengths of 1, primes, whole tiles and beyond.
#[test]
fn shapes() {
    let Some(bench) = Bench::open() else { return };
    for (head_dim, seq) in [(16, 1), (16, 7), (20, 32), (1, 33), (64, 65), (33, 31), (100, 19), (128, 33), (256, 17), (131, 9)] {
        let scale = (head_dim as f32).sqrt().recip();
        bench.compare(&format!("{seq} by {head_dim}"), &Case { batch: 2, queries: seq, keys: seq, head_dim, scale, ..BASE });
    }
}

#[test]
fn fewer_queries_than_keys() {
    let Some(bench) = Bench::open() else { return };
    for (queries, keys) in [(1, 7), (1, 70), (5, 65), (33, 70)] {
        bench.compare(&format!("{queries} of {keys}"), &Case { queries, keys, ..BASE });
    }
}

#[test]
fn shared_keys() {
    let Some(bench) = Bench::open() else { return };
    for (heads, kv_heads) in [(4, 1), (4, 2), (3, 3)] {
        bench.compare(&format!("{heads} heads on {kv_heads}"), &Case { heads, kv_heads, bias: Kind::Relative, ..SMALL });
    }
}

#[test]
fn options() {
    let Some(bench) = Bench::open() else { return };
    for bias in [Kind::None, Kind::Alibi, Kind::Relative] {
        for soft_cap in [None, Some(2.0)] {
            for window in [None, Some(1), Some(5)] {
                for lens in [None, Some([1, 1, 30, 7])] {
                    let starts = lens.and_then(|lens| documents(1, 70, &lens));
                    let name = format!("bias {}, cap {soft_cap:?}, window {window:?}, documents {lens:?}", bias as u8);
                    let case = Case { heads: 2, kv_heads: 1, head_dim: 8, scale: 1.0, soft_cap, window, starts, bias, ..SMALL };
                    bench.compare(&name, &Case { queries: 70, keys: 70, ..case.clone() });
                    bench.compare(&format!("{name}, last queries"), &Case { queries: 37, keys: 70, interleaved: true, ..case });
                }
            }
        }
    }
}

#[test]
fn single_token_documents() {
    let Some(bench) = Bench::open() else { return };
    bench.compare("single tokens", &Case { batch: 2, starts: documents(2, 37, &[1]), ..SMALL });
}

#[test]
fn hard_scores() {
    let Some(bench) = Bench::open() else { return };
    bench.compare("large scores", &Case { scale: 50.0, ..SMALL });
    bench.compare("large scores, capped", &Case { scale: 50.0, soft_cap: Some(30.0), bias: Kind::Alibi, ..SMALL });
    bench.compare("equal scores", &Case { equal: true, bias: Kind::Relative, ..SMALL });
}

#[test]
fn half_precision() {
    let Some(bench) = Bench::open() else { return };
    bench.compare_half("plain", &Case { head_dim: 64, scale: 0.125, ..SMALL });
    let starts = documents(1, 70, &[33, 1, 20]);
    let all = Case { heads: 4, kv_heads: 2, keys: 70, window: Some(40), soft_cap: Some(3.0), starts, ..SMALL };
    for bias in [Kind::None, Kind::Alibi, Kind::Relative] {
        bench.compare_half("all options", &Case { bias, interleaved: true, ..all.clone() });
    }
}

#[test]
fn results_repeat_to_the_bit() {
    let Some(bench) = Bench::open() else { return };
    let case = Case { heads: 4, kv_heads: 2, bias: Kind::Relative, ..SMALL };
    let inputs = case.inputs();
    let bits = || {
        let Results { out, log_sum, dq, dk, dv, table } = bench.run(&case, &inputs, DType::F32);
        [out, log_sum, dq, dk, dv, table].map(|x| x.into_iter().map(f32::to_bits).collect::<Vec<_>>())
    };
    assert!(bits() == bits());
}
