//! Text of tokens as they come.

use crate::data::Tokenizer;

/// Tokens of a prompt that are read again with what follows, because the text of a token depends on its neighbours.
const LOOK_BACK: usize = 8;

/// Turns tokens that come one by one into text. A character whose bytes have not all come yet waits.
#[derive(Clone, Debug)]
pub struct Words<'a> {
    tokenizer: &'a Tokenizer,
    tokens: Vec<u32>,
    /// Where the tokens begin that are read again.
    from: usize,
    /// Tokens whose text was given.
    given: usize,
}

impl<'a> Words<'a> {
    /// For tokens that follow a prompt.
    pub fn after(prompt: &[u32], tokenizer: &'a Tokenizer) -> Self {
        let tokens = prompt[prompt.len().saturating_sub(LOOK_BACK)..].to_vec();
        Self { tokenizer, from: 0, given: tokens.len(), tokens }
    }

    /// The text that is certain now.
    pub fn push(&mut self, token: u32) -> String {
        self.tokens.push(token);
        let (known, all) = self.texts();
        match all.strip_prefix(known.as_str()) {
            Some(new) if !new.is_empty() && !new.ends_with(char::REPLACEMENT_CHARACTER) => {
                (self.from, self.given) = (self.given, self.tokens.len());
                new.to_owned()
            }
            _ => String::new(),
        }
    }

    /// What still waits, bytes of incomplete characters as U+FFFD.
    pub fn finish(self) -> String {
        let (known, all) = self.texts();
        let common = known.chars().zip(all.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
        all[common..].to_owned()
    }

    /// The text of the tokens that are read again, and of these and all that wait.
    fn texts(&self) -> (String, String) {
        let known = self.tokenizer.decode(&self.tokens[self.from..self.given]);
        (known, self.tokenizer.decode(&self.tokens[self.from..]))
    }
}
