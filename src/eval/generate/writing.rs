//! The loop: read, choose, stop.

use super::{Logits, Reader, Sampling, Stops, Words};
use crate::{
    data::Tokenizer,
    model::Transformer,
    random::{Purpose, generator},
    settings::{Error, Result},
};
use rand::Rng;
use std::ops::ControlFlow;

/// What to write and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// Tokens to add at most.
    pub tokens: usize,
    /// How each is chosen.
    pub sampling: Sampling,
    /// Strings that end a text; they are no part of it.
    pub stops: Stops,
    /// Tokens that end a text: that which opens documents, and others that the model was trained to end with.
    pub ends: Vec<u32>,
    /// Tokens that the model sees at most: its training context, or more where its positions allow. A text that fills it
    /// goes on from its last half, as if it began there.
    pub context: usize,
    /// Texts that are written at the same time.
    pub batch: usize,
}

/// A text to continue.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// Its tokens, the one that opens a document included.
    pub tokens: Vec<u32>,
    /// Which of the possible continuations: prompts with the same tokens and number are continued in the same way, whatever
    /// else is written at the same time.
    pub draw: u64,
}

/// What was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// The tokens that were chosen, without that which ended the text, with those of a stop string.
    pub tokens: Vec<u32>,
    /// Their text up to the stop string.
    pub text: String,
    /// Why it ended.
    pub end: End,
}

/// Why a text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It has as many tokens as were asked for.
    Length,
    /// The model ended it.
    Token,
    /// By a stop string.
    Stop,
    /// Whoever watched wanted no more.
    Interrupted,
}

impl End {
    /// Its name in output for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Token => "token",
            Self::Stop => "stop",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Continues each prompt. `watch` is called for every token with the number of the prompt and what came to its text, which may
/// be nothing, and can end that text.
///
/// # Errors
///
/// A prompt without a token, or with more than the context; logits that are no numbers.
pub fn generate(
    model: &Transformer,
    tokenizer: &Tokenizer,
    prompts: &[Prompt],
    how: &Generation,
    watch: &mut dyn FnMut(usize, &str) -> ControlFlow<()>,
) -> Result<Vec<Completion>> {
    for (index, prompt) in prompts.iter().enumerate() {
        let place = || format!("prompt {}", index + 1);
        if prompt.tokens.is_empty() {
            return Err(Error::input(place(), "it holds no token", "give the token that opens a document at least"));
        }
        if prompt.tokens.len() > how.context {
            let message = format!("{} tokens are more than the {} that the model sees", prompt.tokens.len(), how.context);
            return Err(Error::input(place(), message, "shorten it, or let the model see more if its positions allow it"));
        }
    }
    // Prompts of similar lengths together: filling costs as much as text.
    let mut order: Vec<usize> = (0..prompts.len()).collect();
    order.sort_by_key(|index| prompts[*index].tokens.len());
    let mut written: Vec<Option<Completion>> = vec![None; prompts.len()];
    let mut reader = Reader::new(model, how.context);
    for group in order.chunks(how.batch.max(1)) {
        let rows: Vec<&[u32]> = group.iter().map(|index| &prompts[*index].tokens[..]).collect();
        let writers = group.iter().map(|index| Writer::new(*index, &prompts[*index], tokenizer)).collect();
        let logits = if how.tokens > 0 { Some(reader.read(&rows)) } else { None };
        for (index, completion) in write(&mut reader, logits, writers, how, watch)? {
            written[index] = Some(completion);
        }
    }
    Ok(written.into_iter().map(|completion| completion.expect("every prompt is in a group")).collect())
}

/// Continues what `reader` has read, whose next logits these are; completions by the number of their prompt.
pub(super) fn write(
    reader: &mut Reader,
    logits: Option<Logits>,
    mut writers: Vec<Writer>,
    how: &Generation,
    watch: &mut dyn FnMut(usize, &str) -> ControlFlow<()>,
) -> Result<Vec<(usize, Completion)>> {
    let mut done = vec![];
    let Some(mut logits) = logits else {
        return Ok(writers.into_iter().map(|writer| writer.close(End::Length, watch)).collect());
    };
    loop {
        let (mut alive, mut rows, mut next) = (vec![], vec![], vec![]);
        for (row, mut writer) in writers.into_iter().enumerate() {
            let token = writer.choose(logits.row(row), reader.tokens(row), &how.sampling)?;
            match writer.add(token, how, watch) {
                Some(end) => done.push(writer.close(end, watch)),
                None => {
                    alive.push(writer);
                    rows.push(row);
                    next.push(token);
                }
            }
        }
        if alive.is_empty() {
            return Ok(done);
        }
        if alive.len() < reader.rows() {
            reader.select(&rows);
        }
        writers = alive;
        logits = reader.push(&next);
    }
}

/// A text that is being written.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    index: usize,
    draw: u64,
    words: Words<'a>,
    tokens: Vec<u32>,
    text: String,
    /// Bytes of the text that were shown.
    shown: usize,
    /// Where a stop string cuts the text.
    cut: Option<usize>,
}

impl<'a> Writer<'a> {
    /// The text that follows prompt number `index`.
    pub(super) fn new(index: usize, prompt: &Prompt, tokenizer: &'a Tokenizer) -> Self {
        let words = Words::after(&prompt.tokens, tokenizer);
        Self { index, draw: prompt.draw, words, tokens: vec![], text: String::new(), shown: 0, cut: None }
    }

    fn choose(&self, logits: &[f32], before: &[u32], sampling: &Sampling) -> Result<u32> {
        let key = format!("{}/{}", self.draw, self.tokens.len());
        let draw = generator(sampling.seed, Purpose::Sampling, &key).next_u64();
        let uniform = (draw >> 11) as f64 / (1u64 << 53) as f64;
        sampling.choose(logits, before, uniform).ok_or_else(|| {
            let help = "the run diverged, or its weights are damaged: take another checkpoint";
            Error::input("the model", "its logits are no finite numbers", help)
        })
    }

    /// Adds a token and shows what is certain; the reason if the text ends with it.
    fn add(&mut self, token: u32, how: &Generation, watch: &mut dyn FnMut(usize, &str) -> ControlFlow<()>) -> Option<End> {
        if how.ends.contains(&token) {
            return Some(End::Token);
        }
        self.tokens.push(token);
        let new = self.words.push(token);
        self.text.push_str(&new);
        // What was shown holds no beginning of a stop string.
        if let Some(place) = how.stops.find(&self.text[self.shown..]) {
            self.cut = Some(self.shown + place);
            return Some(End::Stop);
        }
        let certain = self.text.len() - how.stops.undecided(&self.text);
        let shown = self.shown;
        self.shown = certain.max(shown);
        if watch(self.index, &self.text[shown..self.shown]).is_break() {
            return Some(End::Interrupted);
        }
        (self.tokens.len() >= how.tokens).then_some(End::Length)
    }

    /// Shows the rest, and gives all.
    fn close(mut self, end: End, watch: &mut dyn FnMut(usize, &str) -> ControlFlow<()>) -> (usize, Completion) {
        match self.cut {
            Some(place) => self.text.truncate(place),
            None => self.text.push_str(&self.words.finish()),
        }
        if self.text.len() > self.shown && end != End::Interrupted {
            let _ = watch(self.index, &self.text[self.shown..]);
        }
        (self.index, Completion { tokens: self.tokens, text: self.text, end })
    }
}
