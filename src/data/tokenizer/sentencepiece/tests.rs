use super::super::{Tokenizer, tests::edges};
use super::*;
use serde_json::Value;

/// Models, and what SentencePiece itself makes of texts: `tests/reference/tokenizer_fixtures.py`.
const MODELS: [(&str, &[u8]); 6] = [
    ("llama", include_bytes!("../../../../tests/data/fixtures/tokenizer/llama.model")),
    ("bpe_user", include_bytes!("../../../../tests/data/fixtures/tokenizer/bpe_user.model")),
    ("unigram", include_bytes!("../../../../tests/data/fixtures/tokenizer/unigram.model")),
    ("unigram_identity", include_bytes!("../../../../tests/data/fixtures/tokenizer/unigram_identity.model")),
    ("bpe_open", include_bytes!("../../../../tests/data/fixtures/tokenizer/bpe_open.model")),
    ("bpe_suffix", include_bytes!("../../../../tests/data/fixtures/tokenizer/bpe_suffix.model")),
];
const TEXT: &str = include_str!("../../../../tests/data/fixtures/tokenizer/text.txt");

fn expected() -> Value {
    serde_json::from_str(include_str!("../../../../tests/data/fixtures/tokenizer/sentencepiece.json")).unwrap()
}

fn model(name: &str) -> SentencePiece {
    let (_, bytes) = MODELS.iter().find(|(other, _)| *other == name).unwrap();
    SentencePiece::of(bytes.to_vec()).unwrap()
}

fn encode(model: &SentencePiece, text: &str) -> Vec<u32> {
    let mut ids = Vec::new();
    model.encode(text, &mut Seen::default(), &mut ids);
    ids
}

fn numbers(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

#[test]
fn ids_are_those_of_sentencepiece() {
    let expected = expected();
    for (name, _) in MODELS {
        let (model, expected) = (model(name), &expected[name]);
        assert_eq!(
            (model.vocab() as u64, u64::from(model.bos())),
            (expected["vocab"].as_u64().unwrap(), expected["bos"].as_u64().unwrap())
        );
        for (text, ids) in edges().iter().zip(expected["ids"].as_array().unwrap()) {
            assert_eq!(encode(&model, text), numbers(ids), "{name}: {text:?}");
        }
        assert_eq!(encode(&model, TEXT), numbers(&expected["text"]), "{name}");
        // Far into a text, sums are so large that rounding decides between cuts, there otherwise than here.
        if name.starts_with("unigram") {
            continue;
        }
        let digest = encode(&model, &TEXT.repeat(60)).into_iter().fold(0, |sum, id| (sum * 31 + u64::from(id)) % 0x7FFF_FFFF);
        assert_eq!(digest, expected["long"].as_u64().unwrap(), "{name}");
    }
}

#[test]
fn text_is_that_of_sentencepiece() {
    let expected = expected();
    for name in ["llama", "bpe_open", "unigram"] {
        let (model, expected) = (model(name), &expected[name]);
        for (ids, text) in expected["ids"].as_array().unwrap().iter().zip(expected["decoded"].as_array().unwrap()) {
            assert_eq!(String::from_utf8(model.decode(&numbers(ids))).unwrap(), text.as_str().unwrap(), "{name}");
        }
    }
}

#[test]
fn texts_come_back() {
    let (llama, open) = (model("llama"), model("bpe_open"));
    for text in edges().iter().map(String::as_str).chain([TEXT]).filter(|text| !text.contains(SPACE)) {
        for model in [&llama, &open] {
            assert_eq!(model.decode(&encode(model, text)), text.as_bytes());
        }
    }
    assert_eq!(llama.decode(&[&[1][..], &encode(&llama, "one"), &[1], &encode(&llama, " two")].concat()), b"one two");
}

#[test]
fn the_library_gives_the_same_ids() {
    for name in ["llama", "bpe_open"] {
        let model = model(name);
        let mut library = tokenizers::Tokenizer::from_bytes(model.to_json().as_bytes()).unwrap();
        library.set_encode_special_tokens(true);
        for text in edges().iter().map(String::as_str).chain(TEXT.lines()) {
            assert_eq!(library.encode_fast(text, false).unwrap().get_ids(), encode(&model, text), "{name}: {text:?}");
        }
    }
    // Special tokens spelled out in text, ties and runs of spaces aside.
    let model = model("unigram");
    let library = tokenizers::Tokenizer::from_bytes(model.to_json().as_bytes()).unwrap();
    let lines = TEXT.lines().filter(|line| line.is_ascii() && !line.contains('\t')).take(60);
    let same = lines.clone().filter(|line| library.encode_fast(*line, false).unwrap().get_ids() == encode(&model, line)).count();
    assert!(same + 1 >= lines.count(), "{same}");
}

#[test]
fn special_tokens_are_known_by_name() {
    let model = model("bpe_user");
    assert_eq!(model.special().collect::<Vec<_>>(), [("<unk>", 0), ("<s>", 1), ("</s>", 2)]);
    assert_eq!(model.id_of("<sep>").map(|id| model.bytes_of(id).to_vec()), Some(b"<sep>".to_vec()));
    assert_eq!((model.spell(b"a"), model.bytes_of(1).len()), (None, 0));
    assert_eq!(super::base64(b"abcd"), "YWJjZA==");
}

#[test]
fn models_are_refused_by_name() {
    let reason = |bytes: &[u8]| SentencePiece::of(bytes.to_vec()).unwrap_err();
    let piece = |text: &str, kind: u8| [&[0x0A, text.len() as u8 + 4, 0x0A, text.len() as u8], text.as_bytes(), &[0x18, kind]].concat();
    let good = [piece("<unk>", 2), piece("<s>", 3), piece("a", 1)].concat();
    assert!(SentencePiece::of(good.clone()).is_ok());
    for (rest, expected) in [
        (piece("b", 5), "UNUSED"),
        (piece("b", 9), "type 9"),
        (piece("<unk>", 2), "unknown one"),
        (piece("", 1), "empty"),
        (piece("<0x41>", 6), "byte_fallback"),
        (vec![0x12, 2, 0x18, 3], "WORD"),
        (vec![0x12, 2, 0x18, 4], "CHAR"),
        (vec![0x1A, 2, 0x28, 0], "spaces as ▁"),
        (vec![0x1A, 4, 0x12, 2, 0, 0], "table of replacements"),
        (vec![0x0A, 0x80], "within a number"),
        (vec![0x0B], "wire type 3"),
    ] {
        let found = reason(&[good.clone(), rest].concat());
        assert!(found.contains(expected), "{expected}: {found}");
    }
    let twice = [good, vec![0x12, 2, 0x18, 2], piece("a", 1)].concat();
    assert!(reason(&twice).contains("twice"));
    assert!(Tokenizer::read(Path::new("/nowhere")).is_err());
}

proptest::proptest! {
    #[test]
    fn any_text_is_encoded(text in "\\PC{0,40}|[ ▁a-eé<>/sx\\n]{0,60}|.{0,30}") {
        for name in ["llama", "unigram_identity", "bpe_suffix"] {
            let model = model(name);
            let ids = encode(&model, &text);
            proptest::prop_assert!(ids.iter().all(|id| (*id as usize) < model.vocab()));
            if name == "llama" && !text.contains(SPACE) {
                proptest::prop_assert_eq!(model.decode(&ids), text.as_bytes());
            }
        }
    }
}
