//! Attention by tiles: inputs, output and one number per row are kept (Dao et al. 2022).

use super::{
    room,
    rotary::{dims, rows, view},
    round::rounded,
    slice, tensor,
};
use crate::ops::{
    activations::Activations,
    attention::visible,
    count,
    flex::attention::{self, Bias, Problem},
    operator::{Keeps, Kept, Kernels, Properties, Reading},
    precision::Precision,
    relative_bucket::relative_bucket,
};
use burn::backend::{Flex, flex::FlexTensor};

/// What is added to the scores; the table of a relative bias is the fourth input.
#[derive(Clone, Debug)]
pub enum Added {
    /// Nothing.
    Nothing,
    /// -slope · distance, a slope per query head.
    Slopes(Vec<f32>),
    /// A learned number per bucket of distance; distances beyond this one share the last bucket.
    Table {
        /// Distance from which all share the last bucket.
        max_distance: usize,
    },
}

/// Inputs: q `[batch, heads, query_seq, head_dim]`, k and v `[batch, kv_heads, key_seq, head_dim]`, and the table of a
/// relative bias `[buckets, heads]`; indices: where the document of each position starts, `[batch · key_seq]`, if sequences
/// hold several. The output lies as `[batch, query_seq, heads, head_dim]` in memory.
#[derive(Debug)]
pub struct Attention {
    /// Factor on the scores.
    pub scale: f32,
    /// Scores s become c·tanh(s/c).
    pub soft_cap: Option<f32>,
    /// Keys that a query sees, itself included.
    pub window: Option<usize>,
    /// Added to the scores.
    pub added: Added,
    /// As what products read queries, keys, values and the gradient, if these are f32.
    pub reads: Precision,
}

impl Attention {
    /// The tensor as products read it.
    fn operand(&self, x: &FlexTensor) -> FlexTensor {
        rows(&if self.reads.is_f32() { x.clone() } else { rounded::<Flex>(x.clone()) })
    }

    /// Counts the products of q, k and v.
    pub(super) fn report(&self, q: &FlexTensor, k: &FlexTensor) {
        let ([batch, heads, queries, head_dim], [_, _, keys, _]) = (dims(q), dims(k));
        count::report(|| (4 * head_dim * heads * batch * visible(queries, keys, self.window)) as u64);
    }

    /// Runs `body` with the problem that q, k, the table and the starts of documents make.
    fn with<T>(
        &self,
        q: &FlexTensor,
        k: &FlexTensor,
        table: Option<&FlexTensor>,
        starts: Option<&FlexTensor>,
        body: impl FnOnce(&Problem) -> T,
    ) -> T {
        let ([batch, heads, queries, head_dim], [_, kv_heads, keys, _]) = (dims(q), dims(k));
        let table = table.map(FlexTensor::to_contiguous);
        let buckets = table.as_ref().map_or(0, |table| table.layout().shape()[0]);
        let of_distance: Vec<u32> = match self.added {
            Added::Table { max_distance } => (0..keys).map(|distance| relative_bucket(distance, buckets, max_distance) as u32).collect(),
            _ => vec![],
        };
        let bias = match (&self.added, &table) {
            (Added::Slopes(slopes), _) => Bias::Alibi(slopes),
            (Added::Table { .. }, Some(table)) => Bias::Relative { table: slice(table), buckets, of_distance: &of_distance },
            _ => Bias::None,
        };
        let starts: Option<Vec<u32>> = starts.map(|starts| {
            let starts = starts.to_contiguous();
            starts.as_slice::<i32>().expect("starts are i32").iter().map(|start| *start as u32).collect()
        });
        let (&Self { scale, soft_cap, window, .. }, starts) = (self, starts.as_deref());
        body(&Problem { batch, heads, kv_heads, queries, keys, head_dim, scale, soft_cap, window, starts, bias })
    }
}

impl Properties for Attention {
    fn keeps(&self, activations: Activations) -> Keeps {
        match activations {
            Activations::Selective => Keeps { saved: 0, result: Reading::AgainFromInputs, ..Keeps::default() },
            _ => Keeps::default(),
        }
    }
}

impl Kernels<Flex> for Attention {
    fn forward(&self, inputs: Vec<FlexTensor>, starts: Option<FlexTensor>, _: bool) -> Vec<FlexTensor> {
        let [q, k, v] = [0, 1, 2].map(|i| self.operand(&inputs[i]));
        let [batch, heads, queries, head_dim] = dims(&q);
        let (mut out, mut log_sum) = (room(batch * heads * queries * head_dim), room(batch * heads * queries));
        self.with(&q, &k, inputs.get(3), starts.as_ref(), |problem| {
            attention::forward(problem, view(&q), view(&k), view(&v), &mut out, &mut log_sum);
        });
        let out = tensor(out, [batch, queries, heads, head_dim]).transpose(1, 2);
        vec![out.clone(), out, tensor(log_sum, [batch, heads, queries])]
    }

    fn backward(&self, kept: Kept<Flex>, gradient: FlexTensor, wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let [q, k, v] = [0, 1, 2].map(|i| self.operand(&kept.inputs[i]));
        let ([batch, heads, queries, head_dim], [_, kv_heads, keys, _]) = (dims(&q), dims(&k));
        let gradient = self.operand(&gradient);
        let mut dq = room(batch * queries * heads * head_dim);
        let [mut dk, mut dv] = [(); 2].map(|()| room(batch * keys * kv_heads * head_dim));
        let table = kept.inputs.get(3);
        let mut dtable = table.map(|table| room(table.layout().num_elements()));
        let (out, log_sum) = (&kept.saved[0], &kept.saved[1]);
        self.with(&q, &k, table, kept.indices.as_ref(), |problem| {
            let (log_sum, dtable) = (slice(log_sum), dtable.as_deref_mut());
            attention::backward(
                problem,
                view(&q),
                view(&k),
                view(&v),
                view(out),
                log_sum,
                view(&gradient),
                &mut dq,
                &mut dk,
                &mut dv,
                dtable,
            );
        });
        let dq = tensor(dq, [batch, queries, heads, head_dim]).transpose(1, 2);
        let [dk, dv] = [dk, dv].map(|values| tensor(values, [batch, keys, kv_heads, head_dim]).transpose(1, 2));
        let dtable = dtable.zip(table).map(|(values, table)| tensor(values, table.layout().shape().clone()));
        [dq, dk, dv].into_iter().chain(dtable).zip(wanted).map(|(gradient, wanted)| wanted.then_some(gradient)).collect()
    }

    fn again(&self, kept: Kept<Flex>) -> Vec<FlexTensor> {
        self.report(&kept.inputs[0], &kept.inputs[1]);
        Kernels::<Flex>::forward(self, kept.inputs, kept.indices, true)
    }
}
