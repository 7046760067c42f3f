//! A model as what plans layouts sees it.

use super::{Account, ModelSpec, attention::QkNormConfig, norm::NormConfig};
use crate::{
    ops::Activations,
    parallel::{Part, Work},
};

/// Bytes of an element with products in bf16, of the 4 that accounts count.
const HALF: f64 = 0.5;

impl ModelSpec {
    /// What training asks of devices whose products are in bf16, with a policy of what is kept.
    pub fn work(&self, activations: Activations, sequences: usize, steps: usize) -> Work {
        let context = self.context;
        let parts = self.parts(context);
        let sum = |pick: &dyn Fn(&str) -> bool| -> Account { parts.iter().filter(|(name, _)| pick(name)).map(|(_, part)| *part).sum() };
        let layers: Vec<Part> = (0..self.layers)
            .map(|layer| {
                let prefix = format!("layers.{layer}.");
                self.layer(sum(&|name| name.starts_with(&prefix)), activations)
            })
            .collect();
        let mut outside = part(sum(&|name| !name.starts_with("layers.")), Activations::All);
        // While a block runs again, it is there as a whole.
        outside.kept += HALF * self.kept(context, activations).passing_bytes_per_token;
        let (divided, undivided) = (self.divided(), self.undivided());
        Work { layers, outside, width: self.width, divided, undivided, context, sequences, steps }
    }

    /// What is divided where devices divide layers among them, by name.
    pub fn divided(&self) -> Vec<(&'static str, usize)> {
        let attention = &self.attention;
        vec![
            ("heads", attention.heads),
            ("heads of keys", attention.kv_heads),
            ("hidden channels", self.feed_forward.hidden),
            ("tokens of a sequence", self.context),
        ]
    }

    /// What cannot be divided.
    pub fn undivided(&self) -> Vec<&'static str> {
        let mut whole = vec![];
        match &self.attention.qk_norm {
            QkNormConfig::None {} | QkNormConfig::PerHead { .. } | QkNormConfig::FullWidth { norm: NormConfig::None(_) } => {}
            QkNormConfig::FullWidth { .. } => whole.push("a norm over all heads (model.attention.qk_norm)"),
        }
        if !self.readout.is_each() {
            whole.push("the position that all is read from (model.readout)");
        }
        whole
    }

    fn layer(&self, account: Account, activations: Activations) -> Part {
        let part = part(account, activations);
        if activations != Activations::Recompute {
            return part;
        }
        Part { again: account.flops_per_token / 3.0, kept: HALF * (4 * self.width) as f64, ..part }
    }
}

fn part(account: Account, activations: Activations) -> Part {
    let kept = account.kept_by(activations);
    let scores = 3.0 * account.core_flops_per_token;
    Part {
        parameters: account.parameters as f64,
        products: account.flops_per_token - scores,
        scores,
        again: kept.recomputed_flops_per_token,
        kept: HALF * kept.bytes_per_token,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{settings::Document, train::RunConfig};

    #[test]
    fn nothing_of_a_model_is_lost() {
        let text = "model = { layers = 3, width = 64, context = 128, vocab = 256, attention = { heads = 4, kv_heads = 2 } }";
        let config: RunConfig = Document::from_text("m.toml", text).unwrap().parse().unwrap();
        let spec = config.model.resolve(None).unwrap();
        let account = spec.account(spec.context);
        for activations in Activations::EACH {
            let work = spec.work(activations, 8, 10);
            let kept = spec.kept(spec.context, activations);
            let near = |a: f64, b: f64| assert!((a - b).abs() <= 1e-9 * b.abs().max(1.0), "{activations}: {a} {b}");
            near(work.parameters(), account.parameters as f64);
            near(work.flops(), account.flops_per_token);
            near(work.parts().map(|part| part.again).sum(), kept.recomputed_flops_per_token);
            near(2.0 * work.parts().map(|part| part.kept).sum::<f64>(), kept.bytes_per_token + kept.passing_bytes_per_token);
        }
    }
}
