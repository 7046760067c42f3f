//! From attention as written to attention as resolved.

use super::{AttentionBias, AttentionConfig, AttentionSpec, BiasConfig, QkNormConfig, Span};
use crate::{model::MupConfig, settings::Problem};

impl AttentionConfig {
    /// Checks every rule and fills every size, for `layers` blocks of `width` channels. With µP, the scale that is not written
    /// is µP's.
    ///
    /// # Errors
    ///
    /// All broken rules at once; keys start with `model.attention.`.
    pub fn resolve(&self, width: usize, layers: usize, mup: Option<&MupConfig>) -> Result<AttentionSpec, Vec<Problem>> {
        let problem = |key: &str, message: String| Problem::new(format!("model.attention.{key}"), message);
        let mut problems = Vec::new();

        let heads = self.heads;
        let head_dim = match self.head_dim {
            _ if heads == 0 => {
                problems.push(problem("heads", "0 heads".into()).help("at least 1"));
                1
            }
            Some(0) => {
                problems.push(problem("head_dim", "0 channels per head".into()).help("at least 1"));
                1
            }
            Some(channels) => channels,
            None if width.is_multiple_of(heads) => width / heads,
            None => {
                let help = format!("use one of {}, or set model.attention.head_dim", listed(divisors(width)));
                problems.push(problem("heads", format!("heads ({heads}) must divide width ({width})")).help(help));
                1
            }
        };
        let kv_heads = self.kv_heads.unwrap_or(heads);
        if heads > 0 && (kv_heads == 0 || !heads.is_multiple_of(kv_heads)) {
            let help = format!("use one of {}", listed(divisors(heads)));
            problems.push(problem("kv_heads", format!("kv_heads ({kv_heads}) must divide heads ({heads})")).help(help));
        }

        if self.pattern.is_empty() {
            problems.push(problem("pattern", "the pattern is empty".into()).help("write at least one of \"full\", \"window\""));
        }
        match (self.window, self.pattern.contains(&Span::Window)) {
            (None, true) => {
                problems.push(
                    problem("window", "model.attention.pattern has \"window\" layers, but there is no window".into())
                        .help("set it to a number of tokens"),
                );
            }
            (Some(_), false) => {
                let help = "add \"window\" to model.attention.pattern, or leave the window out";
                problems.push(problem("window", "no layer of model.attention.pattern uses a window".into()).help(help));
            }
            (Some(0), true) => problems.push(problem("window", "0 leaves no key to see".into()).help("set it to a number of tokens")),
            _ => {}
        }

        if let Some(cap) = self.soft_cap.filter(|cap| !(cap.is_finite() && *cap > 0.0)) {
            problems.push(problem("soft_cap", format!("{cap} is not a positive number")).help("Gemma 2 uses 50"));
        }
        let scale = self.scale.unwrap_or_else(|| mup.map_or_else(|| 1.0 / (head_dim as f64).sqrt(), |mup| mup.attention_scale(head_dim)));
        if !scale.is_finite() {
            problems.push(problem("scale", format!("{scale} is not a finite number")));
        }
        match &self.qk_norm {
            QkNormConfig::None {} => {}
            QkNormConfig::PerHead { norm } | QkNormConfig::FullWidth { norm } => {
                problems.extend(norm.problems("model.attention.qk_norm.norm"));
            }
        }

        if !problems.is_empty() {
            return Err(problems);
        }
        let spans: Vec<Span> = (0..layers).map(|layer| self.pattern[layer % self.pattern.len()]).collect();
        Ok(AttentionSpec {
            heads,
            kv_heads,
            head_dim,
            qk_norm: self.qk_norm.clone(),
            scale,
            soft_cap: self.soft_cap,
            // A window that no layer reaches makes no difference, and so must not make another run of it.
            window: self.window.filter(|_| spans.contains(&Span::Window)),
            spans,
            document_mask: self.document_mask,
            bias: match self.bias {
                BiasConfig::All(on) => AttentionBias { query: on, key: on, value: on, output: on },
                BiasConfig::Each(bias) => bias,
            },
        })
    }
}

fn divisors(n: usize) -> impl Iterator<Item = usize> {
    (1..=n).filter(move |d| n.is_multiple_of(*d))
}

fn listed(numbers: impl Iterator<Item = usize>) -> String {
    numbers.map(|n| n.to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::norm::{NormConfig, RmsNormConfig};

    fn keys(change: impl FnOnce(&mut AttentionConfig)) -> Vec<String> {
        let mut config = AttentionConfig::default();
        change(&mut config);
        match config.resolve(64, 3, None) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.into_iter().map(|p| p.key.strip_prefix("model.attention.").unwrap().to_string()).collect(),
        }
    }

    #[test]
    fn defaults_are_filled() {
        let spec = AttentionConfig { kv_heads: Some(2), ..Default::default() }.resolve(64, 3, None).unwrap();
        assert_eq!((spec.heads, spec.kv_heads, spec.head_dim, spec.scale), (4, 2, 16, 0.25));
        assert_eq!(spec.spans, [Span::Full; 3]);
        assert_eq!(spec.bias, AttentionBias::default());
        let wide = AttentionConfig { heads: 5, head_dim: Some(16), bias: BiasConfig::All(true), ..Default::default() }
            .resolve(64, 1, None)
            .unwrap();
        assert_eq!((wide.heads, wide.kv_heads, wide.head_dim), (5, 5, 16));
        assert!(wide.bias.query && wide.bias.key && wide.bias.value && wide.bias.output);
    }

    #[test]
    fn patterns_repeat() {
        let pattern = vec![Span::Window, Span::Window, Span::Full];
        let spec = AttentionConfig { pattern, window: Some(8), ..Default::default() }.resolve(64, 5, None).unwrap();
        assert_eq!(spec.spans, [Span::Window, Span::Window, Span::Full, Span::Window, Span::Window]);
        assert_eq!((spec.window_at(0), spec.window_at(2), spec.window_at(4)), (Some(8), None, Some(8)));
        let unreached = AttentionConfig { pattern: vec![Span::Full, Span::Window], window: Some(8), ..Default::default() };
        assert_eq!(unreached.resolve(64, 1, None).unwrap().window, None);
    }

    #[test]
    fn broken_rules_are_named() {
        assert!(keys(|_| ()).is_empty());
        assert_eq!(keys(|c| c.heads = 5), ["heads"]);
        assert_eq!(keys(|c| c.heads = 0), ["heads"]);
        assert_eq!(keys(|c| c.head_dim = Some(0)), ["head_dim"]);
        assert_eq!(keys(|c| c.kv_heads = Some(3)), ["kv_heads"]);
        assert_eq!(keys(|c| c.kv_heads = Some(0)), ["kv_heads"]);
        assert_eq!(keys(|c| c.kv_heads = Some(8)), ["kv_heads"]);
        assert_eq!(keys(|c| c.pattern.clear()), ["pattern"]);
        assert_eq!(keys(|c| c.window = Some(4)), ["window"]);
        assert_eq!(keys(|c| c.pattern.push(Span::Window)), ["window"]);
        assert_eq!(keys(|c| (c.pattern, c.window) = (vec![Span::Window], Some(0))), ["window"]);
        assert_eq!(keys(|c| c.soft_cap = Some(0.0)), ["soft_cap"]);
        assert_eq!(keys(|c| c.scale = Some(f64::NAN)), ["scale"]);
        let norm = NormConfig::Rms(RmsNormConfig { eps: -1.0, ..Default::default() });
        assert_eq!(keys(|c| c.qk_norm = QkNormConfig::PerHead { norm }), ["qk_norm.norm.eps"]);
        assert_eq!(keys(|c| (c.heads, c.soft_cap, c.pattern) = (5, Some(-1.0), vec![])), ["heads", "pattern", "soft_cap"]);
    }

    #[test]
    fn help_lists_what_is_allowed() {
        let problems = AttentionConfig { heads: 5, ..Default::default() }.resolve(8, 1, None).unwrap_err();
        assert_eq!(problems[0].message, "heads (5) must divide width (8)");
        assert_eq!(problems[0].help.as_deref(), Some("use one of 1, 2, 4, 8, or set model.attention.head_dim"));
    }
}
