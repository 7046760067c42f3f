//! Copying (Jelassi et al. 2024, "Repeat After Me: Transformers are Better than State Space Models at Copying", arXiv
//! 2402.01032, section 4): a string of random letters, of any length up to what the context holds, once more.
//!
//! ```text
//! input   d o g = d o g
//! target        d o g end
//! ```

use super::{
    Instance, Target,
    draw::{below, within},
    task::{Asked, Published, Task, problem, short},
};
use crate::settings::{Problem, options};
use rand_chacha::ChaCha8Rng;

options! {
    /// Options of copying.
    CopyingConfig {
        /// Letters.
        letters: usize = 26,
    }
}

impl Task for CopyingConfig {
    fn vocab(&self) -> usize {
        self.letters.saturating_add(3)
    }

    fn published(&self) -> Published {
        // The source draws its training strings as it goes.
        Published { train: 0, validation: 1024 }
    }

    fn problems(&self, context: usize, _: usize) -> Vec<Problem> {
        let mut problems = vec![];
        if self.letters < 2 || self.letters > 1 << 20 {
            problems.push(problem("letters", format!("{} letters", self.letters), "the source has 26"));
        }
        problems.extend(short(context, 3, "a letter and its copy"));
        problems
    }

    fn draw(&self, asked: Asked, random: &mut ChaCha8Rng) -> Instance {
        let [ask, end, filler] = [0, 1, 2].map(|place| (self.letters + place) as u32);
        let length = within(random, asked.sizes((asked.trained() - 1) / 2));
        let string: Vec<u32> = (0..length).map(|_| below(random, self.letters) as u32).collect();
        let mut tokens = [&string[..], &[ask], &string].concat();
        tokens.resize(asked.context, filler);
        let answer = string.into_iter().chain([end]).enumerate();
        let targets = answer.map(|(place, token)| Target { position: length + place, token }).collect();
        Instance { tokens, targets }
    }

    fn word(&self, token: u32) -> String {
        match (token as usize).checked_sub(self.letters) {
            None if self.letters <= 26 => char::from(b'a' + token as u8).into(),
            None => format!("t{token}"),
            Some(0) => "=".into(),
            Some(1) => "end".into(),
            Some(_) => "·".into(),
        }
    }
}
