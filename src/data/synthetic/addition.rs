//! Addition in decimal, a token per digit (Lee et al. 2023, "Teaching Arithmetic to Small Transformers", arXiv 2307.03381,
//! section 3: plain and reversed).
//!
//! ```text
//! plain      1 2 8 + 9 5 = 2 2 3 end
//! reversed   1 2 8 + 9 5 = 3 2 2 end
//! ```
//!
//! The digits of the sum are asked for, and where they end. Reversed, each digit follows from two digits and a carry that the
//! digit before it shows; plain, the first digit may depend on all of them. Numbers have any length up to the digits of the
//! task; at longer contexts, lengths that training has not seen.

use super::{
    Instance, Target,
    draw::{below, within},
    task::{Asked, Published, Task, problem, short},
};
use crate::settings::{Problem, options};
use rand_chacha::ChaCha8Rng;

options! {
    /// Options of addition.
    AdditionConfig {
        /// Digits of a summand at most, at the training context; as many times more at longer ones.
        digits: usize = 3,
        /// The sum's last digit first.
        reversed: bool = false,
    }
}

const PLUS: u32 = 10;
const EQUALS: u32 = 11;
const END: u32 = 12;
const FILLER: u32 = 13;

impl Task for AdditionConfig {
    fn vocab(&self) -> usize {
        FILLER as usize + 1
    }

    fn published(&self) -> Published {
        Published { train: 10_000, validation: 1024 }
    }

    fn problems(&self, context: usize, multiple: usize) -> Vec<Problem> {
        let mut problems = vec![];
        if self.digits == 0 {
            problems.push(problem("digits", "numbers have digits", "the source starts with 3"));
        }
        let digits = self.digits.saturating_mul(multiple);
        problems.extend(short(context, digits.saturating_mul(3).saturating_add(3), &format!("a sum of {digits} digits")));
        problems
    }

    fn draw(&self, asked: Asked, random: &mut ChaCha8Rng) -> Instance {
        let mut number = || -> Vec<u32> {
            let length = within(random, asked.sizes(self.digits));
            // Only a number of one digit may begin with 0.
            (0..length).map(|place| if place == 0 && length > 1 { 1 + below(random, 9) } else { below(random, 10) } as u32).collect()
        };
        let (a, b) = (number(), number());
        let mut sum = sum(&a, &b);
        if self.reversed {
            sum.reverse();
        }
        let mut tokens = [a, vec![PLUS], b, vec![EQUALS]].concat();
        let first = tokens.len() - 1;
        tokens.extend(&sum);
        tokens.resize(asked.context, FILLER);
        let answer = sum.into_iter().chain([END]).enumerate();
        let targets = answer.map(|(place, token)| Target { position: first + place, token }).collect();
        Instance { tokens, targets }
    }

    fn word(&self, token: u32) -> String {
        match token {
            PLUS => "+".into(),
            EQUALS => "=".into(),
            END => "end".into(),
            FILLER => "·".into(),
            digit => digit.to_string(),
        }
    }
}

/// The digits of a sum, all written with the highest first.
fn sum(a: &[u32], b: &[u32]) -> Vec<u32> {
    let digit = |number: &[u32], place: usize| number.len().checked_sub(place + 1).map_or(0, |index| number[index]);
    let mut carry = 0;
    let mut digits: Vec<u32> = (0..a.len().max(b.len()))
        .map(|place| {
            let all = digit(a, place) + digit(b, place) + carry;
            carry = all / 10;
            all % 10
        })
        .collect();
    digits.extend((carry > 0).then_some(carry));
    digits.reverse();
    digits
}
