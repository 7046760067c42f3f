//! Weights and tokens by formula, the same on both sides: none are stored. See `noise` and `weight` in `reference.py`.

use ablate::model::{Transformer, document_starts, transformer::is_variant};
use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    optim::GradientsParams,
    tensor::{Device, Int, Tensor, TensorData},
};

/// Integers of 24 bits: FNV-1a of the key, then SplitMix64 at each index.
fn noise(key: &str) -> impl Iterator<Item = u64> {
    let state = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |state, byte| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (1u64..).map(move |index| {
        let z = state.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) >> 40
    })
}

/// Uniform in [-0.5, 0.5), exact in f32; vectors that are no biases lie around 1.
fn weight(path: &str, shape: &[usize]) -> Vec<f32> {
    let centre = if shape.len() == 1 && !path.ends_with("bias") { 1.0 } else { 0.0 };
    noise(path).take(shape.iter().product()).map(|bits| (bits as f64 / f64::from(1 << 24) - 0.5 + centre) as f32).collect()
}

/// Inputs and targets, `[batch, seq]` each, of rows of `seq` + 1 tokens.
pub fn tokens(key: &str, batch: usize, seq: usize, vocab: usize, device: &Device) -> (Tensor<2, Int>, Tensor<2, Int>) {
    let rows: Vec<i32> = noise(key).take(batch * (seq + 1)).map(|bits| (bits % vocab as u64) as i32).collect();
    let part = |start: usize| {
        let values: Vec<i32> = rows.chunks(seq + 1).flat_map(|row| row[start..start + seq].iter().copied()).collect();
        Tensor::from_data(TensorData::new(values, [batch, seq]), device)
    };
    (part(0), part(1))
}

/// Where the documents of `[batch, seq]` tokens start.
pub fn starts(tokens: &Tensor<2, Int>, opening: u32) -> Tensor<2, Int> {
    let [_, seq] = tokens.dims();
    let values: Vec<u32> = tokens.clone().into_data().iter::<i64>().map(|token| token as u32).collect();
    document_starts(values.chunks(seq), opening, &tokens.device())
}

/// The model with every parameter replaced by the formula's.
pub fn overwrite(model: Transformer) -> Transformer {
    struct Overwrite(Vec<String>);
    impl ModuleMapper for Overwrite {
        fn enter_module(&mut self, name: &str, container_type: &str) {
            enter(&mut self.0, name, container_type);
        }
        fn exit_module(&mut self, _: &str, container_type: &str) {
            exit(&mut self.0, container_type);
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|old| {
                let shape = old.dims();
                let values = weight(&self.0.join("."), &shape);
                let new = Tensor::from_data(TensorData::new(values, shape), &old.device());
                if old.is_require_grad() { new.require_grad() } else { new }
            })
        }
    }
    model.map(&mut Overwrite(vec![]))
}

/// Every parameter's gradient by path; zeros where there is none.
pub fn gradients(model: &Transformer, of: Tensor<1>) -> Vec<(String, Vec<f32>)> {
    struct Read {
        path: Vec<String>,
        gradients: GradientsParams,
        found: Vec<(String, Vec<f32>)>,
    }
    impl ModuleVisitor for Read {
        fn enter_module(&mut self, name: &str, container_type: &str) {
            enter(&mut self.path, name, container_type);
        }
        fn exit_module(&mut self, _: &str, container_type: &str) {
            exit(&mut self.path, container_type);
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = match self.gradients.get::<D>(param.id) {
                Some(gradient) => gradient.into_data().try_to_vec::<f32>().expect("gradients are f32"),
                None => vec![0.0; param.lazy_shape().num_elements()],
            };
            self.found.push((self.path.join("."), gradient));
        }
    }
    let mut read = Read { path: vec![], gradients: GradientsParams::from_grads(of.backward(), model), found: vec![] };
    model.visit(&mut read);
    read.found
}

fn enter(path: &mut Vec<String>, name: &str, container_type: &str) {
    if !is_variant(container_type) {
        path.push(name.into());
    }
}

fn exit(path: &mut Vec<String>, container_type: &str) {
    if !is_variant(container_type) {
        path.pop();
    }
}
