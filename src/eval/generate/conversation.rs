//! A conversation whose text stays in the cache from turn to turn.

use super::{Completion, Generation, Message, Prompt, Reader, Stops, Template, writing};
use crate::{data::Tokenizer, model::Transformer, settings::Result};
use std::ops::ControlFlow;

/// A conversation with a model.
#[derive(Debug)]
pub struct Conversation<'a> {
    reader: Reader<'a>,
    tokenizer: &'a Tokenizer,
    template: Template,
    system: Option<Message>,
    messages: Vec<Message>,
    how: Generation,
}

impl<'a> Conversation<'a> {
    /// Nothing said yet, but perhaps what the model is told before all. What ends a turn by the
    /// template ends an answer beside the stop strings of `how`.
    pub fn new(model: &'a Transformer, tokenizer: &'a Tokenizer, template: Template, system: Option<String>, how: Generation) -> Self {
        let mut how = how;
        how.stops = how.stops.and(Stops::new(template.stops()));
        let reader = Reader::new(model, how.context);
        let system = system.map(|text| Message::new("system", text));
        Self { reader, tokenizer, template, messages: system.iter().cloned().collect(), system, how }
    }

    /// Says something; the answer, as it comes to `watch`, which can end it.
    ///
    /// # Errors
    ///
    /// What the template refuses; logits that are no numbers. The conversation is then as before.
    pub fn say(&mut self, text: &str, watch: &mut dyn FnMut(&str) -> ControlFlow<()>) -> Result<Completion> {
        self.messages.push(Message::new("user", text));
        let answer = self.answer(watch);
        match &answer {
            Ok(answer) => self.messages.push(Message::new("assistant", &answer.text)),
            Err(_) => drop(self.messages.pop()),
        }
        answer
    }

    fn answer(&mut self, watch: &mut dyn FnMut(&str) -> ControlFlow<()>) -> Result<Completion> {
        let tokens = self.template.tokens(&self.messages, self.tokenizer)?;
        let logits = self.reader.read_on(&tokens);
        let prompt = Prompt { tokens, draw: self.messages.len() as u64 };
        let writer = writing::Writer::new(0, &prompt, self.tokenizer);
        let mut written = writing::write(&mut self.reader, Some(logits), vec![writer], &self.how, &mut |_, text| watch(text))?;
        Ok(written.remove(0).1)
    }

    /// Forgets what was said.
    pub fn reset(&mut self) {
        self.messages = self.system.iter().cloned().collect();
    }

    /// What was said so far.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }
}
