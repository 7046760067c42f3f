//! The loop: what is written, where it stops, what is seen of it meanwhile.

use super::{bytes, id, rows, writer};
use ablate::{
    data::Tokenizer,
    eval::{Completion, End, Generation, Prompt, Sampling, Stops, Words, generate},
    model::{Pass, Transformer, position::PositionConfig},
    random::{Purpose, generator},
};
use burn::module::Module;
use rand::Rng;
use std::ops::ControlFlow;

fn prompt(tokenizer: &Tokenizer, text: &str, draw: u64) -> Prompt {
    Prompt { tokens: [vec![tokenizer.bos()], tokenizer.encode(text)].concat(), draw }
}

fn how(tokens: usize, context: usize) -> Generation {
    let sampling = Sampling { temperature: 0.9, top_p: 0.95, repetition_penalty: 1.1, seed: 4, ..Sampling::greedy() };
    Generation { tokens, sampling, stops: Stops::default(), ends: vec![1], context, batch: 8 }
}

/// All completions, and what was seen of each.
fn write(model: &Transformer, tokenizer: &Tokenizer, prompts: &[Prompt], how: &Generation) -> (Vec<Completion>, Vec<String>) {
    let mut seen = vec![String::new(); prompts.len()];
    let mut watch = |index: usize, new: &str| {
        seen[index].push_str(new);
        ControlFlow::Continue(())
    };
    let completions = generate(model, tokenizer, prompts, how, &mut watch).unwrap();
    (completions, seen)
}

/// The same without a cache: the whole of what is seen is computed for every token.
fn slowly(model: &Transformer, prompt: &Prompt, how: &Generation) -> Vec<u32> {
    let (mut tokens, mut begin) = (prompt.tokens.clone(), 0);
    let first = tokens.len();
    while tokens.len() - first < how.tokens {
        if tokens.len() - begin > how.context {
            begin = tokens.len() - how.context.div_ceil(2);
        }
        let logits = model.forward(rows(&[&tokens[begin..]]), &Pass::default());
        let logits: Vec<f32> = logits.into_data().try_to_vec().unwrap();
        let key = format!("{}/{}", prompt.draw, tokens.len() - first);
        let draw = generator(how.sampling.seed, Purpose::Sampling, &key).next_u64();
        let uniform = (draw >> 11) as f64 / (1u64 << 53) as f64;
        let token = how.sampling.choose(&logits[logits.len() - 259..], &tokens, uniform).unwrap();
        if how.ends.contains(&token) {
            break;
        }
        tokens.push(token);
    }
    tokens.split_off(first)
}

#[test]
fn texts_are_the_same_alone_together_and_without_a_cache() {
    let tokenizer = bytes();
    let kinds = ["rope", "learned", "sinusoidal", "alibi", "t5", "none"];
    for (index, kind) in kinds.into_iter().enumerate() {
        let (spec, model) = writer(24, -2.0, |config| {
            config.position = toml::from_str::<PositionConfig>(&format!("kind = \"{kind}\"")).unwrap();
            if index % 2 == 1 {
                (config.attention.window, config.attention.pattern) = (
                    Some(5),
                    toml::from_str::<std::collections::BTreeMap<String, _>>("p = [\"window\", \"full\"]").unwrap().remove("p").unwrap(),
                );
            }
        });
        // Beyond the context twice, and each at a time of its own.
        let prompts: Vec<Prompt> =
            ["", "ab", "head bag", "a", "a", "fed a cabbage"].iter().zip(0..).map(|(text, draw)| prompt(&tokenizer, text, draw)).collect();
        for sampling in [how(50, spec.context).sampling, Sampling { repetition_penalty: 1.3, ..Sampling::greedy() }] {
            let how = Generation { sampling, ..how(50, spec.context) };
            let (together, _) = write(&model, &tokenizer, &prompts, &how);
            let (two_by_two, _) = write(&model, &tokenizer, &prompts, &Generation { batch: 2, ..how.clone() });
            assert_eq!(together, two_by_two, "{kind}");
            for (prompt, completion) in prompts.iter().zip(&together) {
                let (alone, _) = write(&model, &tokenizer, std::slice::from_ref(prompt), &how);
                assert_eq!(&alone[0], completion, "{kind}");
                assert_eq!(slowly(&model, prompt, &how), completion.tokens, "{kind}");
            }
        }
    }
}

#[test]
fn a_seed_is_its_text_and_draws_differ() {
    let tokenizer = bytes();
    let (spec, model) = writer(64, -40.0, |_| ());
    let prompts = [0, 1, 0].map(|draw| prompt(&tokenizer, "bad", draw));
    let (written, seen) = write(&model, &tokenizer, &prompts, &how(40, spec.context));
    assert_eq!(written[0], written[2]);
    assert_ne!(written[0], written[1]);
    for (completion, seen) in written.iter().zip(&seen) {
        assert_eq!((completion.end, completion.tokens.len(), completion.text.len()), (End::Length, 40, 40));
        assert_eq!(&completion.text, seen);
        assert_eq!(tokenizer.decode(&completion.tokens), completion.text);
    }
    let mut other = how(40, spec.context);
    other.sampling.seed = 5;
    assert_ne!(write(&model, &tokenizer, &prompts[..1], &other).0[0], written[0]);
    let (nothing, _) = write(&model, &tokenizer, &prompts, &how(0, spec.context));
    assert!(nothing.iter().all(|completion| completion.text.is_empty() && completion.end == End::Length));
}

#[test]
fn stop_strings_cut_where_they_begin_and_are_never_seen() {
    let tokenizer = bytes();
    let (spec, model) = writer(64, -40.0, |_| ());
    let prompts = [0, 1, 2].map(|draw| prompt(&tokenizer, "cab ", draw));
    let free = write(&model, &tokenizer, &prompts, &how(60, spec.context)).0;
    // Three bytes, each a token, from the middle of each text; and one that begins but does not go on.
    for (index, Completion { text, tokens, .. }) in free.iter().enumerate() {
        let stop = &text[30..33];
        let stops = Stops::new([stop.to_owned(), format!("{}Z", &text[10..14])]);
        let (stopped, seen) = write(&model, &tokenizer, &prompts, &Generation { stops, ..how(60, spec.context) });
        let place = text.find(stop).unwrap();
        assert_eq!((stopped[index].text.as_str(), stopped[index].end), (&text[..place], End::Stop));
        assert_eq!(stopped[index].tokens, tokens[..place + 3]);
        assert_eq!(seen[index], stopped[index].text);
        // The others stop where they hold it, or not at all.
        for (other, completion) in free.iter().zip(&stopped) {
            assert_eq!(completion.text, other.text[..other.text.find(stop).unwrap_or(60)]);
        }
    }
}

#[test]
fn the_token_of_the_end_ends_a_text() {
    let tokenizer = bytes();
    let (spec, model) = writer(64, 1.0, |_| ());
    let prompts: Vec<Prompt> = (0..12).map(|draw| prompt(&tokenizer, "dad", draw)).collect();
    let (written, _) = write(&model, &tokenizer, &prompts, &how(200, spec.context));
    assert!(written.iter().all(|completion| completion.end == End::Token && !completion.tokens.contains(&1)));
    let lengths: std::collections::BTreeSet<usize> = written.iter().map(|completion| completion.tokens.len()).collect();
    assert!(lengths.len() > 3, "{lengths:?}");
    // Another token can be the end as well.
    let ends = vec![1, id('a') as u32];
    let (written, _) = write(&model, &tokenizer, &prompts, &Generation { ends, ..how(200, spec.context) });
    assert!(written.iter().all(|completion| !completion.text.contains('a')));
}

#[test]
fn who_watches_can_end_a_text() {
    let tokenizer = bytes();
    let (spec, model) = writer(64, -40.0, |_| ());
    let prompts = [0, 1].map(|draw| prompt(&tokenizer, "bed", draw));
    let free = write(&model, &tokenizer, &prompts, &how(30, spec.context)).0;
    let mut count = [0; 2];
    let mut watch = |index: usize, _: &str| {
        count[index] += 1;
        if index == 0 && count[0] == 7 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let ended = generate(&model, &tokenizer, &prompts, &how(30, spec.context), &mut watch).unwrap();
    assert_eq!((ended[0].end, ended[0].text.as_str()), (End::Interrupted, &free[0].text[..7]));
    assert_eq!(ended[1], free[1]);
}

#[test]
fn what_cannot_be_continued_is_refused() {
    let tokenizer = bytes();
    let (spec, model) = writer(8, -40.0, |_| ());
    let refusal = |prompts: &[Prompt], model: &Transformer| {
        let how = how(5, spec.context);
        generate(model, &tokenizer, prompts, &how, &mut |_, _| ControlFlow::Continue(())).unwrap_err().to_string()
    };
    let fine = prompt(&tokenizer, "a", 0);
    let empty = Prompt { tokens: vec![], draw: 0 };
    let long = refusal(&[fine.clone(), prompt(&tokenizer, "too long a text", 0)], &model);
    assert!(long.contains("prompt 2") && long.contains("16 tokens") && long.contains('8'), "{long}");
    assert!(refusal(&[empty], &model).contains("prompt 1"));
    let broken = model.clone().map(&mut super::Prefer(vec![f32::NAN; 259]));
    assert!(refusal(&[fine], &broken).contains("finite"));
}

#[test]
fn characters_are_seen_whole() {
    let tokenizer = bytes();
    let text = "né ▁日本 🦀!";
    let mut words = Words::after(&tokenizer.encode("日"), &tokenizer);
    let pieces: Vec<String> = tokenizer.encode(text).into_iter().map(|token| words.push(token)).collect();
    assert_eq!(
        pieces.iter().filter(|piece| !piece.is_empty()).cloned().collect::<Vec<_>>(),
        text.chars().map(String::from).collect::<Vec<_>>()
    );
    assert_eq!(words.finish(), "");
    // What never becomes whole is marked at the end, and what follows it is not lost.
    let mut words = Words::after(&[], &tokenizer);
    let crab = tokenizer.encode("🦀");
    assert_eq!([words.push(crab[0]), words.push(crab[1])].concat(), "");
    assert_eq!(words.clone().finish(), "\u{fffd}");
    assert_eq!(words.push(id('x') as u32), "\u{fffd}x");
}
