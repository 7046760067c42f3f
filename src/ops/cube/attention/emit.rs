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
use crate::ops::cube::emit::{FLOATS, Named, Target, kernel};

/// The kernels of one direction, portable or on tensor cores, have the same arguments.
macro_rules! attends {
    ($target:expr, $units:expr, $kernel:path, $($fixed:expr),+) => {
        kernel!(
            $target, $units, $kernel, [tensor q k v] [buffer starts bias buckets] [tensor out] [buffer log_sum],
            (scale soft_cap window), $($fixed),+
        )
    };
}

macro_rules! to_queries {
    ($target:expr, $units:expr, $kernel:path, $($fixed:expr),+) => {
        kernel!(
            $target, $units, $kernel, [tensor q k v dout] [buffer starts bias buckets log_sum delta] [tensor dq] [buffer tables],
            (scale soft_cap window bucket_count), $($fixed),+
        )
    };
}

macro_rules! to_keys {
    ($target:expr, $units:expr, $kernel:path, $($fixed:expr),+) => {
        kernel!(
            $target, $units, $kernel, [tensor q k v dout] [buffer starts bias buckets log_sum delta] [tensor dk dv],
            (scale soft_cap window), $($fixed),+
        )
    };
}

/// Named variants of every kernel.
pub fn kernels(target: &Target) -> Vec<Named> {
    let scoring = |soft_cap, window, documents, bias| Scoring { soft_cap, window, documents, bias };
    let scorings = [
        ("plain", scoring(false, false, false, BiasKind::None)),
        ("alibi_window_documents_cap", scoring(true, true, true, BiasKind::Alibi)),
        ("relative_cap", scoring(true, false, false, BiasKind::Relative)),
    ];
    let summed = kernel!(target, UNITS, sum_tables::SumTables, [buffer tables table], (batch heads tiles buckets));
    let mut kernels: Vec<Named> = vec![("attention_sum_tables".into(), summed)];
    for (element, dtype) in FLOATS {
        for head_dim in [64, 128, 256] {
            let deltas = kernel!(target, UNITS, deltas::Deltas, [tensor out dout] [buffer delta], (), head_dim, dtype);
            kernels.push((format!("attention_deltas_{element}_{head_dim}"), deltas));
            for (options, scoring) in scorings {
                let mut named = |what: &str, kernel| kernels.push((format!("attention_{what}_{element}_{head_dim}_{options}"), kernel));
                let blueprint = Blueprint::forward(head_dim, scoring);
                named("forward", attends!(target, UNITS, forward::Forward, blueprint, dtype));
                let blueprint = Blueprint::queries(head_dim, scoring);
                named("query_gradients", to_queries!(target, UNITS, query_gradients::QueryGradients, blueprint, dtype));
                let blueprint = Blueprint::keys(head_dim, scoring);
                named("key_gradients", to_keys!(target, UNITS, key_gradients::KeyGradients, blueprint, dtype));
            }
        }
    }
    for (element, dtype) in FLOATS.into_iter().filter(|(element, _)| *element != "f32") {
        for head_dim in [64, 128] {
            for (options, scoring) in scorings {
                let mut named = |what: &str, kernel| kernels.push((format!("attention_{what}_mma_{element}_{head_dim}_{options}"), kernel));
                let (units, blueprint) = (accelerated::UNITS, accelerated::Blueprint::forward(head_dim, scoring));
                named("forward", attends!(target, units, forward_mma::ForwardMma, blueprint, dtype));
                let blueprint = || accelerated::Blueprint::backward(head_dim, scoring);
                named("query_gradients", to_queries!(target, units, query_gradients_mma::QueryGradientsMma, blueprint(), dtype));
                named("key_gradients", to_keys!(target, units, key_gradients_mma::KeyGradientsMma, blueprint(), dtype));
            }
        }
    }
    kernels
}
