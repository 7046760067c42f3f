//! Writing text: caches, samplers, endings, conversations, programs.

mod cached;
mod conversations;
mod programs;
mod sampling;
mod written;

use ablate::{
    data::Tokenizer,
    model::{ModelConfig, ModelSpec, Transformer},
    random::{Purpose, generator},
};
use burn::{
    module::{Module, ModuleMapper, Param},
    tensor::{Device, Int, Tensor, TensorData},
};
use rand::Rng;

/// Adds noise to every parameter, so that scores, gains, biases and tables all matter.
struct Disturb {
    seed: u64,
    count: usize,
}

impl ModuleMapper for Disturb {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        self.count += 1;
        let value = param.val();
        let mut noise = generator(self.seed, Purpose::Parameter, &format!("disturb {}", self.count));
        // Even from -0.5 to 0.5.
        let noise: Vec<f32> =
            (0..value.shape().num_elements()).map(|_| (f64::from(noise.next_u32()) / 2f64.powi(32) - 0.5) as f32).collect();
        let noise = Tensor::<D>::from_data(TensorData::new(noise, value.dims()), &value.device());
        Param::from_tensor(value + noise)
    }
}

fn disturbed(spec: &ModelSpec, seed: u64) -> Transformer {
    spec.build(seed, &Device::flex()).map(&mut Disturb { seed, count: 0 })
}

/// Rows of tokens of the same length.
fn rows(tokens: &[&[u32]]) -> Tensor<2, Int> {
    let ids: Vec<i32> = tokens.iter().flat_map(|row| row.iter().map(|token| *token as i32)).collect();
    Tensor::from_data(TensorData::new(ids, [tokens.len(), tokens[0].len()]), &Device::flex())
}

fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_to_vec().unwrap()
}

/// Tokens without pattern, below `vocab`.
fn text(vocab: usize, offset: usize, length: usize) -> Vec<u32> {
    (0..length).map(|i| ((i * i * 7 + 3 * i + offset * 5) % vocab) as u32).collect()
}

/// A tokenizer of bytes.
fn bytes() -> Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tokenizer.meta.json"), r#"{"format": 1, "kind": "bytes"}"#).unwrap();
    Tokenizer::load(folder.path()).unwrap()
}

/// The id of an ASCII character in a tokenizer of bytes.
fn id(character: char) -> usize {
    3 + character as usize
}

/// The bias of the head: what a model of [`writer`] prefers.
struct Prefer(Vec<f32>);

impl ModuleMapper for Prefer {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if param.dims()[..] == [self.0.len()] {
            let device = param.val().device();
            return Param::from_tensor(Tensor::from_data(TensorData::new(self.0.clone(), param.dims()), &device));
        }
        param
    }
}

/// A model with noise for weights that writes letters, spaces and, as rarely as `end` says (a logit), the end.
fn writer(context: usize, end: f32, change: impl FnOnce(&mut ModelConfig)) -> (ModelSpec, Transformer) {
    let mut config = ModelConfig { layers: 2, width: 16, context, vocab: Some(259), ..Default::default() };
    config.attention.heads = 2;
    config.head.bias = true;
    change(&mut config);
    let spec = config.resolve(None).unwrap();
    let mut prefer = vec![-40.0; 259];
    for character in ('a'..='h').chain([' ', '\n']) {
        prefer[id(character)] = 0.0;
    }
    prefer[1] = end;
    let model = disturbed(&spec, 5).map(&mut Prefer(prefer));
    (spec, model)
}
