use super::*;
use serde_json::Value;
use std::collections::BTreeSet;

const TEXT: &str = include_str!("../../../../tests/data/fixtures/tokenizer/text.txt");

fn pieces(tokenizer: &Tokenizer) -> Vec<String> {
    (FIRST_PIECE as u32..tokenizer.vocab() as u32).map(|id| String::from_utf8(tokenizer.token_bytes(id)).unwrap()).collect()
}

/// The pieces that SentencePiece made of the same text with the same settings: `tests/reference/tokenizer_fixtures.py`.
fn theirs(name: &str) -> Vec<String> {
    let path = std::path::Path::new(name);
    let bytes: &[u8] = match name {
        "llama" => include_bytes!("../../../../tests/data/fixtures/tokenizer/llama.model"),
        _ => include_bytes!("../../../../tests/data/fixtures/tokenizer/llama_plain.model"),
    };
    let model = super::super::sentencepiece::SentencePiece::read(bytes.to_vec(), path).unwrap();
    (FIRST_PIECE as u32..model.vocab() as u32).map(|id| String::from_utf8(model.bytes_of(id).to_vec()).unwrap()).collect()
}

#[test]
fn bpe_makes_the_pieces_of_sentencepiece() {
    // All of them, in the same order: merges by rank, then characters.
    let config = TrainerConfig { vocab_size: 700, allow_whitespace_only_pieces: false, ..TrainerConfig::default() };
    assert_eq!(pieces(&Tokenizer::train(&config, &[TEXT]).unwrap()), theirs("llama_plain"));
    let config = TrainerConfig { vocab_size: 700, ..TrainerConfig::default() };
    let (ours, theirs) = (pieces(&Tokenizer::train(&config, &[TEXT]).unwrap()), theirs("llama"));
    let sets: [BTreeSet<&String>; 2] = [ours.iter().collect(), theirs.iter().collect()];
    let shared = sets[0].intersection(&sets[1]).count();
    // Runs of spaces before words are cut otherwise.
    assert!(shared * 100 >= 95 * theirs.len(), "{shared} of {}: {:?}", theirs.len(), sets[1].difference(&sets[0]).collect::<Vec<_>>());
}

#[test]
fn settings_are_those_of_llama() {
    let config = serde_json::to_value(TrainerConfig::default()).unwrap();
    let expected = serde_json::json!({
        "model_type": "bpe", "vocab_size": 32000, "character_coverage": 0.99995, "max_sentencepiece_length": 16,
        "max_sentence_length": 4192, "split_by_unicode_script": true, "split_by_whitespace": true, "split_by_number": true,
        "split_digits": true, "allow_whitespace_only_pieces": true, "byte_fallback": true, "add_dummy_prefix": true,
        "seed_sentencepiece_size": 1_000_000, "shrinking_factor": 0.75
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(config[key], *value, "{key}");
    }
    assert!(serde_json::from_value::<TrainerConfig>(serde_json::json!({"vocab": 3})).is_err());
}

#[test]
fn settings_out_of_range_are_named() {
    let problems = |value: Value| {
        let config: TrainerConfig = serde_json::from_value(value).unwrap();
        config.problems("tokenizer.").into_iter().map(|problem| problem.key).collect::<Vec<_>>()
    };
    assert_eq!(problems(serde_json::json!({"vocab_size": 259})), ["tokenizer.vocab_size"]);
    let all = serde_json::json!({
        "character_coverage": 0.5, "max_sentencepiece_length": 0, "max_sentence_length": 1, "shrinking_factor": 1.0,
        "num_sub_iterations": 0, "seed_sentencepiece_size": 0, "sample_bytes": 0
    });
    assert_eq!(problems(all).len(), 7);
    let error = Tokenizer::train(&TrainerConfig { vocab_size: 3, ..TrainerConfig::default() }, &[TEXT]).unwrap_err();
    assert!(error.to_string().contains("vocab_size"));
    let small = TrainerConfig { model_type: ModelType::Unigram, vocab_size: 265, ..TrainerConfig::default() };
    assert!(Tokenizer::train(&small, &[TEXT]).unwrap_err().to_string().contains("characters"));
}

#[test]
fn every_setting_changes_the_pieces() {
    let train = |config: TrainerConfig| pieces(&Tokenizer::train(&TrainerConfig { vocab_size: 1000, ..config }, &[TEXT]).unwrap());
    let llama = TrainerConfig::default();
    let has = |pieces: &[String], test: fn(&str) -> bool| pieces.iter().any(|piece| test(piece));
    let usual = train(llama.clone());
    let two_digits = |piece: &str| piece.chars().filter(char::is_ascii_digit).count() > 1;
    let mixed = |piece: &str| piece.contains(char::is_alphabetic) && piece.contains(['.', ',', '(', '_', ':']);
    let inner = |piece: &str| piece.trim_start().contains(' ');
    let run = |piece: &str| piece == "  ";
    assert!(!has(&usual, two_digits) && !has(&usual, mixed) && !has(&usual, inner) && has(&usual, run));
    assert!(has(&train(TrainerConfig { split_digits: false, ..llama.clone() }), two_digits));
    assert!(has(&train(TrainerConfig { split_by_unicode_script: false, ..llama.clone() }), mixed));
    assert!(has(&train(TrainerConfig { split_by_whitespace: false, ..llama.clone() }), inner));
    assert!(!has(&train(TrainerConfig { allow_whitespace_only_pieces: false, ..llama.clone() }), run));
    assert!(train(TrainerConfig { max_sentencepiece_length: 3, ..llama.clone() }).iter().all(|piece| piece.chars().count() <= 3));
    let single = |pieces: &[String]| pieces.iter().filter(|piece| piece.chars().count() == 1).count();
    assert!(single(&train(TrainerConfig { character_coverage: 0.98, ..llama.clone() })) < single(&usual));
    assert_ne!(train(TrainerConfig { add_dummy_prefix: false, ..llama.clone() }), usual);
    assert_ne!(train(TrainerConfig { max_sentence_length: 60, ..llama.clone() }), usual);
    assert!(train(TrainerConfig { sample_bytes: 1, min_frequency: 1000, ..llama }).iter().all(|piece| piece.chars().count() == 1));
}

#[test]
fn the_sample_ends_with_the_document_that_fills_it() {
    let config = TrainerConfig { sample_bytes: 10, vocab_size: 400, ..TrainerConfig::default() };
    let mut trainer = Trainer::new(&config).unwrap();
    assert!(trainer.add(&["aaaa"]));
    assert!(!trainer.add(&["bbbbbbb", "cccc"]));
    assert_eq!(trainer.bytes(), 11);
    let pieces = pieces(&trainer.finish().unwrap());
    assert!(pieces.iter().any(|piece| piece == "b") && !pieces.iter().any(|piece| piece.contains('c')), "{pieces:?}");
}

#[test]
fn unigram_keeps_what_text_is_made_of() {
    let config = TrainerConfig { model_type: ModelType::Unigram, vocab_size: 500, ..TrainerConfig::default() };
    let tokenizer = Tokenizer::train(&config, &[TEXT]).unwrap();
    assert_eq!(tokenizer.vocab(), 500);
    let found = pieces(&tokenizer);
    assert!(found.iter().collect::<BTreeSet<_>>().len() == found.len());
    for word in [" the", " that", " of"] {
        assert!(found.iter().any(|piece| piece == word), "{word}: {found:?}");
    }
    assert!(found.iter().all(|piece| piece.chars().count() == 1 || !piece.contains(|c: char| c.is_ascii_digit())));
    // Fewer tokens than characters by far, and text that spells special tokens out is text.
    let ids = tokenizer.encode(TEXT);
    assert!(ids.len() * 10 < TEXT.chars().count() * 7, "{}", ids.len());
    assert!(tokenizer.encode("<s></s><0x41><unk>").iter().all(|id| *id > 2 && *id != 3 + 0x41));
}

#[test]
fn text_without_anything_to_learn_is_no_harm() {
    for model_type in [ModelType::Bpe, ModelType::Unigram, ModelType::ByteLevel, ModelType::Characters, ModelType::Bytes] {
        for text in ["", "\n\n", "a", "\t", "▁▁", "12"] {
            let config = TrainerConfig { model_type, vocab_size: 300, ..TrainerConfig::default() };
            let tokenizer = Tokenizer::train(&config, &[text]).unwrap();
            assert_eq!(tokenizer.decode(&tokenizer.encode("a 12\n▁")), "a 12\n▁");
        }
    }
}
