//! From texts to the tokens that are scored.

use super::{Scorer, Sequence};
use crate::{
    eval::tasks::{Choice, Pair, Span},
    settings::{Error, Result},
};

/// A context and its continuation, as lm-evaluation-harness encodes them (`TemplateLM._encode_pair`): white space at the end
/// of the context goes to the continuation, both are encoded together, and the tokens behind as many as the context has alone
/// are scored. The last token always is.
pub(super) fn pair(scorer: &impl Scorer, pair: &Pair) -> Result<Sequence> {
    let context = pair.context.trim_end();
    let mut tokens = if context.is_empty() || scorer.opens_prompts() { vec![scorer.opening()] } else { vec![] };
    let mut from = tokens.len();
    if !context.is_empty() {
        from += scorer.encode(context).len();
    }
    let text = pair.to_string();
    let encoded = scorer.encode(&text);
    // The harness takes an opening token that the text begins with for the one it would put there.
    let written = context.is_empty() && encoded.len() > 1 && encoded[0] == tokens[0];
    tokens.extend(&encoded[usize::from(written)..]);
    scored(tokens, from, &text)
}

/// The alternatives of a question.
pub(super) fn alternatives(scorer: &impl Scorer, choice: &Choice) -> Result<Vec<Sequence>> {
    let pairs = || choice.options.iter().map(|option| &option.pair);
    if choice.span == Span::Continuation {
        return pairs().map(|option| pair(scorer, option)).collect();
    }
    // The CORE metric encodes whole prompts and looks for what they share.
    let prompts: Vec<Vec<u32>> = pairs().map(|pair| [vec![scorer.opening()], scorer.encode(&pair.to_string())].concat()).collect();
    let shortest = prompts.iter().map(Vec::len).min().unwrap_or(0);
    let alike = |place: &dyn Fn(&Vec<u32>) -> u32| prompts.iter().all(|prompt| place(prompt) == place(&prompts[0]));
    let froms: Vec<usize> = if choice.span == Span::BehindPrefix {
        let prefix = (0..shortest).take_while(|index| alike(&|prompt| prompt[*index])).count();
        vec![prefix; prompts.len()]
    } else {
        let suffix = (1..=shortest).take_while(|index| alike(&|prompt| prompt[prompt.len() - *index])).count();
        prompts.iter().map(|prompt| prompt.len() - suffix).collect()
    };
    prompts.into_iter().zip(froms).zip(pairs()).map(|((tokens, from), pair)| scored(tokens, from, &pair.to_string())).collect()
}

/// A document, scored from its first token on.
pub(super) fn document(scorer: &impl Scorer, text: &str) -> Result<Sequence> {
    scored([vec![scorer.opening()], scorer.encode(text)].concat(), 1, text)
}

/// The first token has nothing before it, and the last one is always scored.
fn scored(tokens: Vec<u32>, from: usize, text: &str) -> Result<Sequence> {
    if tokens.len() < 2 {
        let start: String = text.chars().take(40).collect();
        return Err(Error::input(format!("{start:?}"), "the tokenizer gives no tokens to score for this text", "use another tokenizer"));
    }
    let from = from.clamp(1, tokens.len() - 1);
    Ok(Sequence { tokens, from })
}
