//! The attention branch as one operator.

use super::{
    Case, Place,
    attention::{Bias, buckets, score_bias, slopes, starts, words},
    rotary::angles,
};
use crate::ops::{
    self, Affine, AttentionOptions, Op, Rotation,
    reference::{attention, rotary::Rotary, self_attention::SelfAttention},
};

#[derive(Clone, Copy, Debug)]
struct Setting {
    /// Batch, tokens, width, heads, kv heads, channels of a head.
    sizes: [usize; 6],
    biases: bool,
    /// Pairs that turn, and whether neighbours are pairs.
    rotation: Option<(usize, bool)>,
    soft_cap: Option<f64>,
    window: Option<usize>,
    /// Tokens of each document of the first sequence; those of sequence b have b more.
    document: Option<usize>,
    bias: Bias,
}

const PLAIN: Setting =
    Setting { sizes: [1; 6], biases: false, rotation: None, soft_cap: None, window: None, document: None, bias: Bias::None };

fn settings() -> Vec<Setting> {
    vec![
        Setting { sizes: [1, 1, 3, 1, 1, 16], ..PLAIN },
        Setting { sizes: [2, 17, 24, 3, 3, 8], ..PLAIN },
        Setting { sizes: [2, 33, 48, 4, 2, 16], rotation: Some((8, true)), ..PLAIN },
        Setting { sizes: [1, 67, 64, 4, 1, 32], rotation: Some((5, false)), biases: true, ..PLAIN },
        Setting { sizes: [1, 65, 129, 2, 1, 64], biases: true, window: Some(20), bias: Bias::Alibi, ..PLAIN },
        Setting { sizes: [2, 35, 31, 4, 2, 16], biases: true, rotation: Some((8, true)), bias: Bias::Relative(8, 20), ..PLAIN },
        Setting { sizes: [1, 67, 64, 2, 2, 64], soft_cap: Some(2.0), window: Some(30), bias: Bias::Relative(32, 128), ..PLAIN },
        Setting { sizes: [2, 19, 24, 4, 2, 16], document: Some(1), rotation: Some((8, true)), ..PLAIN },
        Setting { sizes: [2, 67, 48, 4, 2, 32], document: Some(40), rotation: Some((16, false)), biases: true, ..PLAIN },
        Setting { sizes: [2, 70, 31, 2, 1, 16], document: Some(25), window: Some(20), bias: Bias::Relative(8, 20), ..PLAIN },
    ]
}

impl Setting {
    fn name(&self) -> String {
        let [batch, seq, width, heads, kv_heads, head_dim] = self.sizes;
        let mut name = format!("batch {batch}, {seq} tokens, width {width}, heads {heads}/{kv_heads} of {head_dim}");
        if let Some((pairs, interleaved)) = self.rotation {
            name += &format!(", {pairs} pairs turned{}", if interleaved { ", interleaved" } else { "" });
        }
        if self.biases {
            name += ", biases";
        }
        if let Some(cap) = self.soft_cap {
            name += &format!(", soft cap {cap}");
        }
        if let Some(window) = self.window {
            name += &format!(", window {window}");
        }
        if let Some(document) = self.document {
            name += &format!(", documents of {document}");
        }
        name + &words(self.bias)
    }

    fn run(&self, place: &mut Place) {
        let [batch, seq, width, heads, kv_heads, head_dim] = self.sizes;
        let x = place.noisy("x", [batch, seq, width]);
        let columns = [heads, kv_heads, kv_heads].map(|heads| heads * head_dim);
        let parts = ["q", "k", "v"];
        let steep = 1.0 / (width as f64).sqrt();
        let weights = [0, 1, 2].map(|i| place.leaf(place.noise(&format!("w{}", parts[i]), width * columns[i], steep), [width, columns[i]]));
        let vectors = [0, 1, 2].map(|i| self.biases.then(|| place.noisy(&format!("b{}", parts[i]), [columns[i]])));
        let table = if let Bias::Relative(buckets, _) = self.bias { Some(place.noisy("table", [buckets, heads])) } else { None };
        let tables = self.rotation.map(|(pairs, _)| angles(seq, pairs));

        let slopes = slopes(heads);
        let wide_slopes: Vec<f64> = slopes.iter().map(|slope| f64::from(*slope)).collect();
        let bucket = buckets(self.bias, seq);
        let bias = match (self.bias, &table) {
            (Bias::Alibi, _) => attention::Bias::Slopes(&wide_slopes),
            (_, Some(table)) => attention::Bias::Table { table: &table.wide, bucket: &bucket },
            _ => attention::Bias::None,
        };
        let scale = 1.0 / (head_dim as f64).sqrt();
        let &Self { soft_cap, window, .. } = self;
        let rotation = self.rotation.zip(tables.as_ref());
        let starts = self.document.map(|document| starts(document, batch, seq));
        let indices = starts.as_ref().map(|starts| place.indices(starts, [batch, seq]));
        let want = SelfAttention {
            weights: weights.each_ref().map(|w| w.wide.as_slice()),
            biases: vectors.each_ref().map(|b| b.as_ref().map(|b| b.wide.as_slice())),
            rotation: rotation.map(|((pairs, interleaved), tables)| Rotary {
                cos: &tables.wide[0],
                sin: &tables.wide[1],
                pairs,
                interleaved,
                head_dim,
            }),
            attention: attention::Attention {
                batch,
                heads,
                kv_heads,
                queries: seq,
                keys: seq,
                head_dim,
                scale,
                soft_cap,
                window,
                starts: starts.as_deref(),
                bias,
            },
        };
        let rotation = rotation.map(|((pairs, interleaved), t)| Rotation::new(&t.narrow[0], &t.narrow[1], pairs, head_dim, interleaved));
        let projections =
            [0, 1, 2].map(|i| Affine { weight: weights[i].tensor.clone(), bias: vectors[i].as_ref().map(|b| b.tensor.clone()) });
        let options = AttentionOptions {
            scale,
            soft_cap,
            window,
            starts: indices,
            bias: score_bias(self.bias, slopes.clone(), table.as_ref().map(|t| t.tensor.clone())),
        };

        let y = ops::self_attention(x.tensor.clone(), projections, head_dim, rotation.as_ref(), &options);
        place.compare("output", y.clone(), &want.forward(&x.wide));
        let (gradients, dy) = place.backward(y);
        let found = want.backward(&x.wide, &dy);
        place.compare_gradient("gradient of x", &x, &gradients, &found.x);
        let names = [
            ("gradient of the query weight", "gradient of the query bias"),
            ("gradient of the key weight", "gradient of the key bias"),
            ("gradient of the value weight", "gradient of the value bias"),
        ];
        for (i, (weight, bias)) in names.into_iter().enumerate() {
            place.compare_gradient(weight, &weights[i], &gradients, &found.weights[i]);
            if let Some(vector) = &vectors[i] {
                place.compare_gradient(bias, vector, &gradients, &found.biases[i]);
            }
        }
        if let Some(table) = &table {
            place.compare_gradient("gradient of the table", table, &gradients, &found.table);
        }
    }
}

pub(super) fn cases() -> Vec<Case> {
    settings().into_iter().map(|setting| Case::new(Op::SelfAttention, setting.name(), move |place| setting.run(place))).collect()
}
