//! The hidden size, by number or by the rules that papers give.

use crate::settings::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const KEY: &str = "model.feed_forward.hidden";

/// Hidden size as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Hidden {
    /// Channels.
    Size(usize),
    /// By a rule.
    Rule(HiddenRule),
    /// `"matched"`: solved by the experiment's `[match]`.
    Matched(Matched),
}

/// A rule for the hidden size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum HiddenRule {
    /// `factor` × width, rounded down.
    Multiple {
        /// 4 in most ungated models.
        factor: f64,
    },
    /// int(2·4·width / 3), rounded up to a multiple (LLaMA release, `model.py`).
    Llama {
        /// 256 in LLaMA.
        #[serde(default = "two_hundred_and_fifty_six")]
        multiple_of: usize,
    },
}

fn two_hundred_and_fifty_six() -> usize {
    256
}

/// The word `matched`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Matched {
    /// Solved by the experiment's `[match]`.
    Matched,
}

impl Hidden {
    /// The number of channels for a residual stream of `width`.
    pub(super) fn size(&self, width: usize) -> Result<usize, Problem> {
        match *self {
            Self::Size(0) => Err(Problem::new(KEY, "must be positive")),
            Self::Size(size) => Ok(size),
            Self::Rule(HiddenRule::Multiple { factor }) => multiple(width, factor),
            Self::Rule(HiddenRule::Llama { multiple_of: 0 }) => Err(Problem::new(format!("{KEY}.multiple_of"), "must be positive")),
            Self::Rule(HiddenRule::Llama { multiple_of }) => Ok((8 * width / 3).next_multiple_of(multiple_of)),
            Self::Matched(Matched::Matched) => Err(Problem::new(KEY, "\"matched\" is solved by an experiment, and nothing solved it here")
                .help("add `[match] parameters = \"model.feed_forward.hidden\"` to the experiment, or give a size or a rule")),
        }
    }
}

fn multiple(width: usize, factor: f64) -> Result<usize, Problem> {
    let key = format!("{KEY}.factor");
    if !(factor.is_finite() && factor > 0.0) {
        return Err(Problem::new(key, format!("must be positive, not {factor}")));
    }
    match (factor * width as f64).floor() as usize {
        0 => Err(Problem::new(key, format!("({factor}) times the width ({width}) is less than one channel"))),
        size => Ok(size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llama_sizes_are_the_released_ones() {
        let rule = Hidden::Rule(HiddenRule::Llama { multiple_of: 256 });
        for (width, hidden) in [(4096, 11008), (5120, 13824), (6656, 17920), (8192, 22016)] {
            assert_eq!(rule.size(width), Ok(hidden));
        }
    }

    #[test]
    fn multiples_round_down() {
        assert_eq!(Hidden::Rule(HiddenRule::Multiple { factor: 4.0 }).size(10), Ok(40));
        assert_eq!(Hidden::Rule(HiddenRule::Multiple { factor: 2.55 }).size(10), Ok(25));
    }

    #[test]
    fn sizes_without_channels_are_problems() {
        let wrong = [
            Hidden::Size(0),
            Hidden::Rule(HiddenRule::Multiple { factor: -1.0 }),
            Hidden::Rule(HiddenRule::Multiple { factor: f64::NAN }),
            Hidden::Rule(HiddenRule::Multiple { factor: 0.01 }),
            Hidden::Rule(HiddenRule::Llama { multiple_of: 0 }),
        ];
        for hidden in wrong {
            assert!(hidden.size(8).is_err(), "{hidden:?}");
        }
    }

    #[test]
    fn matched_says_where_it_is_solved() {
        let problem = Hidden::Matched(Matched::Matched).size(8).unwrap_err();
        assert_eq!(problem.key, "model.feed_forward.hidden");
        assert!(problem.help.unwrap().contains("[match]"));
    }
}
