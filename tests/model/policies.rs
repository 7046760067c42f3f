//! What is kept for the backward pass changes no bit of any gradient.

use super::{BATCH, CONTEXT, axes, covering, tokens};
use ablate::{
    model::{ModelConfig, ModelSpec, Noise, Pass, Transformer},
    ops::{self, Activations, Path},
};
use burn::{
    module::{Module, ModuleVisitor, Param},
    optim::GradientsParams,
    tensor::{Device, Tensor},
};

struct Bits<'a>(&'a GradientsParams, Vec<(String, Vec<u32>)>, Vec<String>);

impl ModuleVisitor for Bits<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient: Vec<f32> = self.0.get::<D>(param.id).expect("a gradient").into_data().try_to_vec().unwrap();
        self.1.push((self.2.join("."), gradient.into_iter().map(f32::to_bits).collect()));
    }
    fn enter_module(&mut self, name: &str, _: &str) {
        self.2.push(name.to_string());
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.2.pop();
    }
}

/// Loss and gradients of one step.
fn step(spec: &ModelSpec, model: &Transformer, activations: Activations, device: &Device) -> (u32, Vec<(String, Vec<u32>)>) {
    let (inputs, targets) = (tokens(spec.vocab, 0, device), tokens(spec.vocab, 5, device));
    let noise = Some(Noise { seed: 1, step: 3, micro: 0 });
    let starts = spec.attention.document_mask.then(|| {
        let starts: Vec<i32> = (0..BATCH * CONTEXT).map(|i| if i % CONTEXT < 3 { 0 } else { 3 }).collect();
        Tensor::from_data(burn::tensor::TensorData::new(starts, [BATCH, CONTEXT]), device)
    });
    let recorded = model.record(inputs, targets, &Pass { noise, starts, activations });
    let loss: f32 = recorded.loss.objective.clone().into_scalar();
    let gradients = recorded.backward(model, 0.5);
    let mut bits = Bits(&gradients, vec![], vec![]);
    model.visit(&mut bits);
    (loss.to_bits(), bits.1)
}

fn check(case: &str, config: &ModelConfig) {
    let spec = config.resolve(None).unwrap_or_else(|problems| panic!("{case}: {problems:?}"));
    let device = Device::flex().autodiff();
    let model = spec.build(1, &device);
    for path in [Path::Fused, Path::Composed] {
        ops::with(path, || {
            let (loss, gradients) = step(&spec, &model, Activations::All, &device);
            for activations in Activations::EACH {
                let (other_loss, others) = step(&spec, &model, activations, &device);
                assert_eq!(loss, other_loss, "{path} {activations}: loss of {case}");
                for ((name, one), (_, other)) in gradients.iter().zip(&others) {
                    assert_eq!(one, other, "{path} {activations}: gradient of {name} in {case}");
                }
            }
        });
    }
}

#[test]
fn no_policy_changes_a_bit_of_a_gradient() {
    let axes = axes::axes();
    let sizes: Vec<usize> = axes.iter().map(|axis| axis.values.len()).collect();
    let (rows, _) = covering::pairwise(&sizes, &|row| axes::valid(&axes, row));
    for row in &rows {
        let mut config = ModelConfig { context: CONTEXT, ..Default::default() };
        let mut case = String::new();
        for (axis, &value) in axes.iter().zip(row) {
            (axis.values[value])(&mut config);
            case += &format!("{}={value} ", axis.name);
        }
        check(&case, &config);
    }
}
