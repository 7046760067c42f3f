//! Rotary positions as a `config.json` describes them: with `rope_theta` and `rope_scaling`, or with `rope_parameters`, which
//! took their place in version 5 of `transformers`.

use super::keys::Keys;
use crate::model::position::{Pairing, RopeConfig, RopeScaling, Use};
use serde_json::{Map, Value, json};

/// What a family takes where nothing is written.
#[derive(Clone, Copy, Debug)]
pub struct Rotary {
    /// Base of the frequencies.
    pub theta: f64,
    /// Share of each head that is rotated; none where the family rotates whole heads, whatever is written.
    pub fraction: Option<f64>,
    /// Which channels form a pair.
    pub pairing: Pairing,
}

impl Default for Rotary {
    fn default() -> Self {
        Self { theta: 10_000.0, fraction: None, pairing: Pairing::Half }
    }
}

/// Reads rotary positions for a model with a context of so many tokens.
pub fn read(keys: &Keys, context: usize, rotary: Rotary) -> RopeConfig {
    let share = |keys: &Keys, usual: Option<f64>| match usual {
        Some(usual) => Some(keys.number("partial_rotary_factor", usual)),
        None => {
            keys.only_number("partial_rotary_factor", 1.0);
            None
        }
    };
    let mut fraction = share(keys, rotary.fraction);
    let mut rope = RopeConfig {
        theta: keys.number("rope_theta", rotary.theta),
        fraction: 1.0,
        pairing: rotary.pairing,
        scaling: RopeScaling::None {},
        pattern: vec![Use::On],
    };
    for key in ["rope_scaling", "rope_parameters"] {
        if let Some(options) = keys.object(key) {
            rope.theta = options.number("rope_theta", rope.theta);
            fraction = share(&options, fraction);
            rope.scaling = scaling(&options, context);
            keys.absorb(options);
        }
    }
    rope.fraction = fraction.unwrap_or(1.0);
    rope
}

fn scaling(keys: &Keys, context: usize) -> RopeScaling {
    let kind = if keys.has("rope_type") { "rope_type" } else { "type" };
    keys.ignore(&["type", "rope_type"]);
    let original = |keys: &Keys| keys.size_or("original_max_position_embeddings", context);
    match keys.word(kind, "default").as_str() {
        "default" => RopeScaling::None {},
        "linear" => RopeScaling::Linear { factor: keys.needed_number("factor") },
        "llama3" => RopeScaling::Llama3 {
            factor: keys.needed_number("factor"),
            low_frequency: keys.needed_number("low_freq_factor"),
            high_frequency: keys.needed_number("high_freq_factor"),
            original_context: original(keys),
        },
        "yarn" => {
            let factor = keys.needed_number("factor");
            let (one, all) = (keys.number("mscale", 0.0), keys.number("mscale_all_dim", 0.0));
            let grown = |scale: f64| if factor > 1.0 { 0.1 * scale * factor.ln() + 1.0 } else { 1.0 };
            // As transformers makes it of both, where there are both and it is not written.
            let usual = grown(1.0);
            let implied = if one == 0.0 || all == 0.0 { usual } else { grown(one) / grown(all) };
            let magnitude = keys.number("attention_factor", implied);
            RopeScaling::Yarn {
                factor,
                original_context: original(keys),
                beta_fast: keys.number("beta_fast", 32.0),
                beta_slow: keys.number("beta_slow", 1.0),
                attention_factor: ((magnitude - usual).abs() > 1e-6).then_some(magnitude),
                truncate: keys.flag("truncate", true),
            }
        }
        other => {
            let message = format!("the scaling {other:?} is not known");
            keys.refuse(kind, message, "known are default, linear, llama3 and yarn");
            RopeScaling::None {}
        }
    }
}

/// Writes rotary positions; the share of the head that rotates is up to the family.
pub fn write(config: &mut Map<String, Value>, rope: &RopeConfig) {
    config.insert("rope_theta".into(), json!(rope.theta));
    let scaling = match rope.scaling {
        RopeScaling::None {} => return,
        // Its base is all that it changes, and that depends on the head: whoever reads this back finds another model.
        RopeScaling::Ntk { .. } => return,
        RopeScaling::Linear { factor } => json!({ "rope_type": "linear", "factor": factor }),
        RopeScaling::Llama3 { factor, low_frequency, high_frequency, original_context } => json!({
            "rope_type": "llama3", "factor": factor, "low_freq_factor": low_frequency, "high_freq_factor": high_frequency,
            "original_max_position_embeddings": original_context,
        }),
        RopeScaling::Yarn { factor, original_context, beta_fast, beta_slow, attention_factor, truncate } => {
            let mut scaling = json!({
                "rope_type": "yarn", "factor": factor, "original_max_position_embeddings": original_context,
                "beta_fast": beta_fast, "beta_slow": beta_slow,
            });
            if let Some(given) = attention_factor {
                scaling["attention_factor"] = json!(given);
            }
            if !truncate {
                scaling["truncate"] = json!(false);
            }
            scaling
        }
    };
    config.insert("rope_scaling".into(), scaling);
}
