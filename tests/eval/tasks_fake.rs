//! A model whose answers are written down beforehand.

use ablate::{
    Result,
    eval::scoring::{Decoding, Generator, Likelihood, Scorer, Sequence},
};
use std::collections::{HashMap, VecDeque};

/// What opens a document; no letter has this number.
pub const OPENING: u32 = 0x11_0000;

/// Tokens are words, each with the white space before it.
#[derive(Default)]
pub struct Fake {
    /// Every word it has a number for.
    pub words: Vec<String>,
    /// Log-likelihoods by context and scored text.
    pub known: HashMap<(String, String), f64>,
    /// Texts that greedy decoding would give.
    pub greedy: Vec<String>,
    /// What it generates, one after the other.
    pub texts: VecDeque<String>,
    /// Every scored sequence, as context and scored text.
    pub asked: Vec<(String, String)>,
    /// How it was asked to generate.
    pub decodings: Vec<Decoding>,
}

impl Fake {
    pub fn knows(&mut self, context: &str, text: &str, log: f64) {
        self.known.insert((context.into(), text.into()), log);
    }

    /// Every word that may come up gets a number. Words of a text: white space and what follows up to the next one.
    pub fn learn(&mut self, text: &str) {
        for word in words(text) {
            if !self.words.contains(&word) {
                self.words.push(word);
            }
        }
    }

    fn text(&self, tokens: &[u32]) -> String {
        tokens.iter().filter(|token| **token != OPENING).map(|token| self.words[*token as usize].as_str()).collect()
    }
}

fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![];
    let mut before = ' ';
    for letter in text.chars() {
        if words.is_empty() || letter.is_whitespace() && !before.is_whitespace() {
            words.push(String::new());
        }
        words.last_mut().unwrap().push(letter);
        before = letter;
    }
    words
}

impl Scorer for Fake {
    fn encode(&self, text: &str) -> Vec<u32> {
        let number = |word: String| self.words.iter().position(|known| *known == word).unwrap_or_else(|| panic!("{word:?} was not learnt"));
        words(text).into_iter().map(|word| number(word) as u32).collect()
    }

    fn opening(&self) -> u32 {
        OPENING
    }

    fn score(&mut self, sequences: &[Sequence]) -> Result<Vec<Likelihood>> {
        let mut found = vec![];
        for Sequence { tokens, from } in sequences {
            assert_eq!(tokens[0], OPENING, "every prompt is opened");
            let asked = (self.text(&tokens[..*from]), self.text(&tokens[*from..]));
            let log = *self.known.get(&asked).unwrap_or_else(|| panic!("{asked:?} was not expected"));
            found.push(Likelihood { log, tokens: tokens.len() - from, greedy: self.greedy.contains(&asked.1) });
            self.asked.push(asked);
        }
        Ok(found)
    }
}

impl Generator for Fake {
    fn generate(&mut self, prompts: &[String], how: &Decoding) -> Result<Vec<String>> {
        self.decodings.push(how.clone());
        Ok(prompts.iter().map(|_| self.texts.pop_front().expect("more was generated than expected")).collect())
    }
}
