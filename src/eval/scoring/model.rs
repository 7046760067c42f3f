//! A model and its tokenizer as a scorer and a generator.

use super::{Decoding, Generator, Likelihood, Scorer, Sequence};
use crate::{
    data::Tokenizer,
    eval::{Generation, Prompt, Sampling, Stops, generate},
    model::{Pass, Transformer},
    ops::Precision,
    pulse,
    settings::Result,
};
use burn::{
    module::Module,
    tensor::{Int, Tensor, TensorData},
};
use rayon::prelude::*;
use std::{collections::HashMap, ops::ControlFlow};

/// Logits that are looked at in one piece: 64 MiB.
const CHUNK: usize = 1 << 24;

/// A model and its tokenizer.
#[derive(Debug)]
pub struct LanguageModel<'a> {
    /// The model.
    pub model: &'a Transformer,
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// Tokens that the model looks back at.
    pub context: usize,
    /// Sequences of one context per forward pass; more of shorter ones.
    pub batch: usize,
    /// The type of the operands of matrix products.
    pub precision: Precision,
    /// Whether prompts start with the token that opens a document, as in training.
    pub opens_prompts: bool,
}

/// Inputs of a forward pass of which the last `scored` predictions count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    start: usize,
    inputs: usize,
    scored: usize,
}

/// A sequence in pieces of at most `context` inputs. What is too long loses its beginning; scored tokens that do not fit into
/// one context are scored block by block, as documents are.
fn pieces(sequence: &Sequence, context: usize) -> Vec<Piece> {
    let (length, from) = (sequence.tokens.len(), sequence.from);
    let scored = length - from;
    if scored <= context {
        let inputs = (length - 1).min(context);
        return vec![Piece { start: length - 1 - inputs, inputs, scored }];
    }
    (from..length)
        .step_by(context)
        .map(|target| {
            let scored = context.min(length - target);
            Piece { start: target - 1, inputs: scored, scored }
        })
        .collect()
}

/// A row of a batch: what is read, and which token of which sequence is predicted where.
#[derive(Default)]
struct Line<'a> {
    inputs: &'a [u32],
    /// Position in the row, sequence, token.
    wanted: Vec<(usize, usize, u32)>,
}

impl LanguageModel<'_> {
    /// Adds to `found` what one batch says.
    fn add(&self, lines: &[Line<'_>], found: &mut [Likelihood]) {
        pulse::beat();
        let device = &self.model.devices()[0];
        let seq = lines.iter().map(|line| line.inputs.len()).max().unwrap_or(0);
        // What stands behind the end of a row is seen by no token of it.
        let padded = lines.iter().flat_map(|line| line.inputs.iter().chain(std::iter::repeat_n(&0, seq - line.inputs.len())));
        let tokens: Vec<i32> = padded.map(|token| *token as i32).collect();
        let tokens: Tensor<2, Int> = Tensor::from_data(TensorData::new(tokens, [lines.len(), seq]), device);
        let mut wanted: Vec<(usize, usize, u32)> = vec![];
        for (row, line) in lines.iter().enumerate() {
            wanted.extend(line.wanted.iter().map(|(position, sequence, token)| (row * seq + position, *sequence, *token)));
        }
        wanted.sort_unstable();
        let mut places: Vec<usize> = wanted.iter().map(|(place, ..)| *place).collect();
        places.dedup();
        let chunk = CHUNK / self.tokenizer.vocab().max(1);
        let pass = Pass { precision: self.precision, ..Pass::default() };
        self.model.logits_at(tokens, &places, chunk, &pass, |places, logits| {
            let vocab = logits.dims()[1];
            let logits = logits.into_data().convert::<f32>();
            let rows: Vec<&[f32]> = logits.as_slice::<f32>().expect("logits were converted to f32").chunks_exact(vocab).collect();
            let normalisers: Vec<(f64, usize)> = rows.par_iter().map(|row| normaliser(row)).collect();
            let first = wanted.partition_point(|(place, ..)| *place < places[0]);
            let mut index = 0;
            for (place, sequence, token) in wanted[first..].iter().take_while(|(place, ..)| *place <= places[places.len() - 1]) {
                while places[index] != *place {
                    index += 1;
                }
                let (normaliser, likeliest) = normalisers[index];
                let likelihood = &mut found[*sequence];
                likelihood.log += f64::from(rows[index][*token as usize]) - normaliser;
                likelihood.greedy &= likeliest == *token as usize;
            }
        });
    }
}

/// log Σ exp of a row of logits in f64, and the place of the first of its largest ones.
fn normaliser(row: &[f32]) -> (f64, usize) {
    let likeliest = row.iter().enumerate().fold(0, |best, (index, logit)| if *logit > row[best] { index } else { best });
    let largest = f64::from(row[likeliest]);
    (largest + row.iter().map(|logit| (f64::from(*logit) - largest).exp()).sum::<f64>().ln(), likeliest)
}

impl Scorer for LanguageModel<'_> {
    fn encode(&self, text: &str) -> Vec<u32> {
        self.tokenizer.encode(text)
    }

    fn opening(&self) -> u32 {
        self.tokenizer.bos()
    }

    fn opens_prompts(&self) -> bool {
        self.opens_prompts
    }

    fn score(&mut self, sequences: &[Sequence]) -> Result<Vec<Likelihood>> {
        let mut found: Vec<Likelihood> =
            sequences.iter().map(|sequence| Likelihood { log: 0.0, tokens: sequence.tokens.len() - sequence.from, greedy: true }).collect();
        // Sequences that differ in their last token alone, like the letters of a choice, are one row.
        let (mut lines, mut places): (Vec<Line<'_>>, HashMap<&[u32], usize>) = Default::default();
        for (index, sequence) in sequences.iter().enumerate() {
            for Piece { start, inputs, scored } in pieces(sequence, self.context) {
                let row = &sequence.tokens[start..start + inputs];
                let line = *places.entry(row).or_insert_with(|| {
                    lines.push(Line { inputs: row, wanted: vec![] });
                    lines.len() - 1
                });
                let wanted = (inputs - scored..inputs).map(|position| (position, index, sequence.tokens[start + position + 1]));
                lines[line].wanted.extend(wanted);
            }
        }
        // Rows of like length together: little padding, and the longest first, so that memory runs out at once or never.
        lines.sort_by_key(|line| std::cmp::Reverse(line.inputs.len()));
        let mut rest = lines.as_slice();
        while let Some(longest) = rest.first() {
            let rows = (self.batch * self.context / longest.inputs.len()).clamp(1, rest.len());
            let (batch, others) = rest.split_at(rows);
            self.add(batch, &mut found);
            rest = others;
        }
        Ok(found)
    }
}

impl Generator for LanguageModel<'_> {
    fn generate(&mut self, prompts: &[String], how: &Decoding) -> Result<Vec<String>> {
        // As much of the beginning as leaves no room for what is written is lost, as of a context that is too long.
        let room = self.context - how.tokens.min(self.context / 2);
        let prompt = |(index, text): (usize, &String)| {
            let mut tokens = self.tokenizer.encode(text);
            if self.opens_prompts || tokens.is_empty() {
                tokens.insert(0, self.tokenizer.bos());
            }
            tokens.drain(..tokens.len().saturating_sub(room));
            Prompt { tokens, draw: index as u64 }
        };
        let prompts: Vec<Prompt> = prompts.iter().enumerate().map(prompt).collect();
        let Decoding { tokens, temperature, top_p, seed, .. } = *how;
        let generation = Generation {
            tokens,
            sampling: Sampling { temperature, top_p, seed, ..Sampling::greedy() },
            stops: Stops::new(how.stop.iter().cloned()),
            ends: vec![self.tokenizer.bos()],
            context: self.context,
            batch: self.batch,
        };
        let mut watch = |_: usize, _: &str| {
            pulse::beat();
            ControlFlow::Continue(())
        };
        let written = generate(self.model, self.tokenizer, &prompts, &generation, &mut watch)?;
        Ok(written.into_iter().map(|completion| completion.text).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scored_token_is_in_one_piece_with_what_fits_before_it() {
        for length in 2..20usize {
            for from in 1..length {
                for context in 1..8 {
                    let sequence = Sequence { tokens: (0..length as u32).collect(), from };
                    let mut seen = vec![0; length];
                    for Piece { start, inputs, scored } in pieces(&sequence, context) {
                        assert!(inputs <= context && scored <= inputs && scored > 0);
                        for position in inputs - scored..inputs {
                            seen[start + position + 1] += 1;
                        }
                        // Nothing that would fit is left out, unless the scored tokens alone are too many.
                        assert!(length - from > context || inputs == context.min(length - 1));
                    }
                    assert!(
                        seen.iter().enumerate().all(|(token, count)| *count == usize::from(token >= from)),
                        "{length} {from} {context}"
                    );
                }
            }
        }
    }

    #[test]
    fn normalisers_of_large_logits() {
        let (normaliser, likeliest) = normaliser(&[1000.0, 1000.0, -1000.0]);
        assert!((normaliser - (1000.0 + 2f64.ln())).abs() < 1e-12);
        assert_eq!(likeliest, 0);
    }
}
