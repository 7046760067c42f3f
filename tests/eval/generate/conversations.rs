//! Conversations, and readers that know what they have read.

use super::{bytes, numbers, rows, text, writer};
use ablate::{
    eval::{Conversation, End, Generation, Message, Prompt, Reader, Sampling, Stops, Template, ends, generate, opening},
    model::{ModelConfig, Pass},
};
use std::ops::ControlFlow;

fn close(found: &[f32], expected: &[f32]) {
    let largest = expected.iter().fold(0f32, |most, x| most.max(x.abs()));
    for (a, b) in found.iter().zip(expected) {
        // Terms of the sums on the way to a logit: two layers of 16 channels and 40 keys.
        assert!((a - b).abs() <= 400.0 * f32::EPSILON * largest, "{a} {b}");
    }
}

#[test]
fn what_is_known_is_not_read_again_and_makes_no_difference() {
    let changes: [fn(&mut ModelConfig); 3] = [
        |_| (),
        |config| config.position = toml::from_str("kind = \"learned\"").unwrap(),
        |config| {
            config.attention.window = Some(4);
            config.attention.pattern = vec![ablate::model::attention::Span::Window, ablate::model::attention::Span::Full];
        },
    ];
    for change in changes {
        let (spec, model) = writer(40, 0.0, change);
        let (one, other) = (text(259, 1, 35), text(259, 2, 35));
        let mut reader = Reader::new(&model, spec.context);
        // Longer, the same, shorter, another end, another beginning, one token.
        let texts = [&one[..20], &one[..35], &one[..35], &one[..12], &[&one[..8], &other[..9]].concat(), &other[..30], &other[..1]];
        for text in texts {
            let found = reader.read_on(text);
            assert_eq!(reader.tokens(0), text);
            let whole = numbers(model.forward(rows(&[text]), &Pass::default()));
            close(found.row(0), &whole[(text.len() - 1) * 259..]);
        }
        // More than the context: the end of it, from the front.
        let long = text(259, 3, 100);
        let whole = numbers(model.forward(rows(&[&long[80..]]), &Pass::default()));
        close(reader.read_on(&long).row(0), &whole[19 * 259..]);
        // And on from there.
        let more = [long, vec![7, 8]].concat();
        let whole = numbers(model.forward(rows(&[&more[80..]]), &Pass::default()));
        close(reader.read_on(&more).row(0), &whole[21 * 259..]);
    }
}

fn how(context: usize) -> Generation {
    let sampling = Sampling { temperature: 1.0, seed: 9, ..Sampling::greedy() };
    Generation { tokens: 12, sampling, stops: Stops::new(["b"]), ends: vec![1], context, batch: 1 }
}

#[test]
fn an_answer_is_what_follows_the_conversation() {
    let tokenizer = bytes();
    for context in [300, 48] {
        let (_, model) = writer(context, -3.0, |_| ());
        let mut talk = Conversation::new(&model, &tokenizer, Template::Plain, Some("Be kind.".into()), how(context));
        for (turn, said) in ["hello", "and?", "/reset", "hello"].into_iter().enumerate() {
            if said == "/reset" {
                talk.reset();
                assert_eq!(talk.messages(), [Message::new("system", "Be kind.")]);
                continue;
            }
            let mut seen = String::new();
            let answer = talk
                .say(said, &mut |new| {
                    seen.push_str(new);
                    ControlFlow::Continue(())
                })
                .unwrap();
            assert_eq!((&seen, talk.messages().last().unwrap()), (&answer.text, &Message::new("assistant", &answer.text)));
            // The same as a text that is continued, where it fits.
            let before = &talk.messages()[..talk.messages().len() - 1];
            let tokens = Template::Plain.tokens(before, &tokenizer).unwrap();
            if tokens.len() <= context {
                let prompt = Prompt { tokens, draw: before.len() as u64 };
                let how = Generation { stops: Stops::new(["b", "\nUser:"]), ..how(context) };
                let expected = generate(&model, &tokenizer, &[prompt], &how, &mut |_, _| ControlFlow::Continue(())).unwrap();
                assert_eq!(answer, expected[0], "turn {turn}");
            }
        }
        assert_eq!(talk.messages().len(), 3);
    }
}

#[test]
fn an_answer_that_is_broken_off_stays_as_far_as_it_came() {
    let tokenizer = bytes();
    let (_, model) = writer(300, -40.0, |_| ());
    let how = Generation { stops: Stops::default(), ..how(300) };
    let mut talk = Conversation::new(&model, &tokenizer, Template::Plain, None, how);
    let mut count = 0;
    let answer = talk.say("go", &mut |_| {
        count += 1;
        if count == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let answer = answer.unwrap();
    assert_eq!((answer.end, answer.text.len()), (End::Interrupted, 5));
    assert_eq!(talk.messages(), [Message::new("user", "go"), Message::new("assistant", &answer.text)]);
}

#[test]
fn models_say_which_tokens_open_and_end_a_text() {
    let (tokenizer, folder) = (bytes(), tempfile::tempdir().unwrap());
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let found = || ends(folder.path(), &tokenizer);
    assert_eq!(found().unwrap(), [1]);
    write("tokenizer_config.json", r#"{"eos_token": {"content": "</s>", "special": true}}"#);
    assert_eq!(found().unwrap(), [1, 2]);
    write("generation_config.json", r#"{"eos_token_id": [128001, 2, 128009]}"#);
    assert_eq!(found().unwrap(), [1, 2, 128_001, 128_009]);
    write("generation_config.json", r#"{"eos_token_id": 0}"#);
    assert_eq!(found().unwrap(), [0, 1, 2]);
    assert_eq!(opening(folder.path(), &tokenizer).unwrap(), [1]);
    write("tokenizer_config.json", r#"{"add_bos_token": false}"#);
    assert!(opening(folder.path(), &tokenizer).unwrap().is_empty());
    assert_eq!(found().unwrap(), [0, 1]);
    write("generation_config.json", "[");
    assert!(found().unwrap_err().to_string().contains("generation_config.json"));
}
