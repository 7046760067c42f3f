//! The kernels to emit as CUDA C++: each element type, the usual head sizes, options from none to all.

use super::{
    accelerated::{
        self,
        backward::{key_gradients_mma, query_gradients_mma},
        forward::forward_mma,
    },
    backward::{deltas, key_gradients, query_gradients, sum_tables},
    blueprint::{BiasKind, Blueprint, Scoring, UNITS},
    forward::forward,
};
use crate::ops::cube::emit::{FLOATS, Named, Target};

/// Named variants of every kernel.
pub fn kernels(target: &Target) -> Vec<Named> {
    let scoring = |soft_cap, window, documents, bias| Scoring { soft_cap, window, documents, bias };
    let scorings = [
        ("plain", scoring(false, false, false, BiasKind::None)),
        ("alibi_window_documents_cap", scoring(true, true, true, BiasKind::Alibi)),
        ("relative_cap", scoring(true, false, false, BiasKind::Relative)),
    ];
    let settings = || target.settings(UNITS);
    let (properties, runtime) = (|| target.properties.clone(), || target.runtime.clone());
    let (tensor, buffer) = (|| target.tensor(), || target.buffer());
    let summed = sum_tables::SumTables::new(settings(), properties(), runtime(), buffer(), buffer(), (), (), (), ());
    let mut kernels: Vec<Named> = vec![("attention_sum_tables".into(), Box::new(summed))];
    for (element, dtype) in FLOATS {
        for head_dim in [64, 128, 256] {
            let kernel = deltas::Deltas::new(settings(), properties(), runtime(), tensor(), tensor(), buffer(), head_dim, dtype);
            kernels.push((format!("attention_deltas_{element}_{head_dim}"), Box::new(kernel)));
            for (options, scoring) in scorings {
                let name = |kernel: &str| format!("attention_{kernel}_{element}_{head_dim}_{options}");
                let kernel = forward::Forward::new(
                    settings(),
                    properties(),
                    runtime(),
                    tensor(),
                    tensor(),
                    tensor(),
                    buffer(),
                    buffer(),
                    buffer(),
                    tensor(),
                    buffer(),
                    (),
                    (),
                    (),
                    Blueprint::forward(head_dim, scoring),
                    dtype,
                );
                kernels.push((name("forward"), Box::new(kernel)));
                let kernel = query_gradients::QueryGradients::new(
                    settings(),
                    properties(),
                    runtime(),
                    tensor(),
                    tensor(),
                    tensor(),
                    tensor(),
                    buffer(),
                    buffer(),
                    buffer(),
                    buffer(),
                    buffer(),
                    tensor(),
                    buffer(),
                    (),
                    (),
                    (),
                    (),
                    Blueprint::queries(head_dim, scoring),
                    dtype,
                );
                kernels.push((name("query_gradients"), Box::new(kernel)));
                let kernel = key_gradients::KeyGradients::new(
                    settings(),
                    properties(),
                    runtime(),
                    tensor(),
                    tensor(),
                    tensor(),
                    tensor(),
                    buffer(),
                    buffer(),
                    buffer(),
                    buffer(),
                    buffer(),
                    tensor(),
                    tensor(),
                    (),
                    (),
                    (),
                    Blueprint::keys(head_dim, scoring),
                    dtype,
                );
                kernels.push((name("key_gradients"), Box::new(kernel)));
            }
        }
    }
    for (element, dtype) in FLOATS.into_iter().filter(|(element, _)| *element != "f32") {
        let settings = || target.settings(accelerated::UNITS);
        for head_dim in [64, 128] {
            for (options, scoring) in scorings {
                let name = |kernel: &str| format!("attention_{kernel}_mma_{element}_{head_dim}_{options}");
                let kernel = forward_mma::ForwardMma::new(
                    settings(),
                    properties(),
                    runtime(),
                    tensor(),
                    tensor(),
                    tensor(),
                    buffer(),
                    buffer(),
                    buffer(),
                    tensor(),
                    buffer(),
                    (),
                    (),
                    (),
                    accelerated::Blueprint::forward(head_dim, scoring),
                    dtype,
                );
                kernels.push((name("forward"), Box::new(kernel)));
                let kernel = query_gradients_mma::QueryGradientsMma::new(
                    settings(),
                    properties(),
                    runtime(),
                    tensor(),
                    tensor(),
                    tensor(),
                    tensor(),
                    buffer(),
                    buffer(),
                    buffer(),
                    buffer(),
                    buffer(),
                    tensor(),
                    buffer(),
                    (),
                    (),
                    (),
                    (),
                    accelerated::Blueprint::backward(head_dim, scoring),
                    dtype,
                );
                kernels.push((name("query_gradients"), Box::new(kernel)));
                let kernel = key_gradients_mma::KeyGradientsMma::new(
                    settings(),
                    properties(),
                    runtime(),
                    tensor(),
                    tensor(),
                    tensor(),
                    tensor(),
                    buffer(),
                    buffer(),
                    buffer(),
                    buffer(),
                    buffer(),
                    tensor(),
                    tensor(),
                    (),
                    (),
                    (),
                    accelerated::Blueprint::backward(head_dim, scoring),
                    dtype,
                );
                kernels.push((name("key_gradients"), Box::new(kernel)));
            }
        }
    }
    kernels
}
