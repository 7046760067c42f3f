//! Nested brackets: Dyck-(k, m), well-nested strings of k kinds of brackets, at most m deep (Hewitt et al. 2020, "RNNs can
//! generate bounded hierarchical languages with optimal memory", arXiv 2010.07515, section 2; k and m of its section 5).
//!
//! What closes a bracket can only be known where one must be closed, so a prefix is shown and its one completion asked for,
//! as in `dyck_languages` of BIG-bench (Srivastava et al. 2022, arXiv 2206.04615):
//!
//! ```text
//! input   ( [ ] { = } )
//! target          } ) end
//! ```

use super::{
    Instance, Target,
    draw::{below, within},
    task::{Asked, Published, Task, problem, short},
};
use crate::settings::{Problem, options};
use rand_chacha::ChaCha8Rng;

options! {
    /// Options of nested brackets. The source varies kinds (2, 8, 32, 128) and depth (3, 5).
    DyckConfig {
        /// Kinds of brackets, k.
        kinds: usize = 8,
        /// Brackets that are open at once, at most: m.
        depth: usize = 5,
    }
}

impl DyckConfig {
    /// Of the tokens that ask, end and fill.
    fn special(&self) -> [u32; 3] {
        [0, 1, 2].map(|place| (2 * self.kinds + place) as u32)
    }
}

impl Task for DyckConfig {
    fn vocab(&self) -> usize {
        self.kinds.saturating_mul(2).saturating_add(3)
    }

    fn published(&self) -> Published {
        // The source trains on up to 20 million tokens of a longer sort; here every instance is a new one.
        Published { train: 0, validation: 1024 }
    }

    fn problems(&self, context: usize, _: usize) -> Vec<Problem> {
        let mut problems = vec![];
        if self.kinds == 0 || self.kinds > 1 << 20 {
            problems.push(problem("kinds", format!("{} kinds of brackets", self.kinds), "the source has 2, 8, 32, 128"));
        }
        if self.depth == 0 {
            problems.push(problem("depth", "nothing may be open", "the source has 3 and 5"));
        }
        problems.extend(short(context, self.depth.saturating_add(2), "a bracket and the longest completion"));
        problems
    }

    fn draw(&self, asked: Asked, random: &mut ChaCha8Rng) -> Instance {
        let [ask, end, filler] = self.special();
        let length = within(random, asked.sizes(asked.trained() - self.depth - 1));
        let mut open: Vec<usize> = vec![];
        let mut tokens = Vec::with_capacity(asked.context);
        for _ in 0..length {
            let opens = open.is_empty() || (open.len() < self.depth && below(random, 2) == 0);
            if opens {
                open.push(below(random, self.kinds));
                tokens.push(open[open.len() - 1] as u32);
            } else {
                tokens.extend(open.pop().map(|kind| (self.kinds + kind) as u32));
            }
        }
        tokens.push(ask);
        let mut targets = vec![];
        while let Some(kind) = open.pop() {
            let token = (self.kinds + kind) as u32;
            targets.push(Target { position: tokens.len() - 1, token });
            tokens.push(token);
        }
        targets.push(Target { position: tokens.len() - 1, token: end });
        tokens.resize(asked.context, filler);
        Instance { tokens, targets }
    }

    fn word(&self, token: u32) -> String {
        let [ask, end, _] = self.special();
        let kinds = self.kinds as u32;
        match token {
            kind if kind < kinds => format!("({kind}"),
            kind if kind < 2 * kinds => format!("{})", kind - kinds),
            other if other == ask => "=".into(),
            other if other == end => "end".into(),
            _ => "·".into(),
        }
    }
}
