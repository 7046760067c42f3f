use super::super::tests::edges;
use super::*;
use proptest::prelude::*;

const PATTERNS: [Pattern; 3] = [Pattern::Gpt2, Pattern::Gpt4, Pattern::Qwen2];
const TEXT: &str = include_str!("../../../../tests/data/fixtures/tokenizer/text.txt");
const RANKS: &[u8] = include_bytes!("../../../../tests/data/fixtures/tokenizer/gpt4.tiktoken");

fn encode(tokenizer: &ByteLevel, text: &str) -> Vec<u32> {
    let mut ids = Vec::new();
    tokenizer.encode(text, &mut Seen::default(), &mut ids);
    ids
}

fn words(pattern: Pattern, text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    pattern.split(text, |word| words.push(word));
    words
}

/// The library's engine for such patterns.
fn matched(pattern: Pattern, text: &str) -> Vec<String> {
    use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, pre_tokenizers::split};
    static SPLITTERS: std::sync::LazyLock<Vec<split::Split>> = std::sync::LazyLock::new(|| {
        let split = |pattern: &Pattern| {
            let behavior = tokenizers::SplitDelimiterBehavior::Isolated;
            split::Split::new(split::SplitPattern::Regex(pattern.text().into()), behavior, false).unwrap()
        };
        PATTERNS.iter().map(split).collect()
    });
    let splitter = &SPLITTERS[PATTERNS.iter().position(|other| *other == pattern).unwrap()];
    let mut parts = PreTokenizedString::from(text);
    splitter.pre_tokenize(&mut parts).unwrap();
    parts.get_splits(OffsetReferential::Original, OffsetType::Byte).into_iter().map(|(word, ..)| word.to_string()).collect()
}

#[test]
fn ids_are_those_of_tiktoken() {
    let expected: Value = serde_json::from_str(include_str!("../../../../tests/data/fixtures/tokenizer/tiktoken.json")).unwrap();
    let ids = |value: &Value| value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect::<Vec<_>>();
    let tokenizer = ByteLevel::from_ranks(RANKS, Path::new("ranks")).unwrap();
    assert_eq!((tokenizer.vocab(), tokenizer.bos()), (501, 500));
    for (text, row) in edges().iter().zip(expected["gpt4"]["ids"].as_array().unwrap()) {
        assert_eq!(encode(&tokenizer, text), ids(row), "{text:?}");
        assert_eq!(tokenizer.decode(&ids(row)), text.as_bytes());
    }
    assert_eq!(encode(&tokenizer, TEXT), ids(&expected["gpt4"]["text"]));
    for (name, pattern) in [("gpt2", Pattern::Gpt2), ("gpt4", Pattern::Gpt4)] {
        for (text, row) in edges().iter().zip(expected[name]["words"].as_array().unwrap()) {
            let row: Vec<&str> = row.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
            assert_eq!(words(pattern, text), row, "{name}: {text:?}");
        }
    }
    let library = tokenizers::Tokenizer::from_bytes(tokenizer.to_json().as_bytes()).unwrap();
    for text in edges().iter().map(String::as_str).chain([TEXT]).filter(|text| !text.contains("<|endoftext|>")) {
        assert_eq!(library.encode_fast(text, false).unwrap().get_ids(), encode(&tokenizer, text), "{text:?}");
    }
}

#[test]
fn special_tokens_count_where_they_are_asked_for() {
    let tokenizer = ByteLevel::from_ranks(RANKS, Path::new("ranks")).unwrap();
    let mut ids = Vec::new();
    tokenizer.encode_marked("a<|endoftext|>b<|endoftext|>", &mut ids);
    assert_eq!(ids, [&encode(&tokenizer, "a")[..], &[500], &encode(&tokenizer, "b"), &[500]].concat());
    assert!(encode(&tokenizer, "<|endoftext|>").len() > 1);
    assert_eq!((tokenizer.id_of("<|endoftext|>"), tokenizer.id_of("a")), (Some(500), Some(encode(&tokenizer, "a")[0])));
}

#[test]
fn patterns_cut_as_their_expressions() {
    let some: String = ('\0'..'\u{2100}').chain(('\u{2100}'..=char::MAX).step_by(97)).flat_map(|c| [c, 'a']).collect();
    for pattern in PATTERNS {
        for text in edges().iter().map(String::as_str).chain([TEXT]) {
            assert_eq!(words(pattern, text), matched(pattern, text), "{pattern:?}: {text:?}");
        }
    }
    assert!(words(Pattern::Gpt4, &some) == matched(Pattern::Gpt4, &some), "some character is of another kind");
}

proptest! {
    #[test]
    fn patterns_cut_any_text_as_their_expressions(text in "[ \\n\\r\\ta-cſK'strevmldTLD.1234½éя日\u{a0}\u{301}-]{0,40}|\\PC{0,30}") {
        for pattern in PATTERNS {
            prop_assert_eq!(words(pattern, &text), matched(pattern, &text));
        }
    }
}

#[test]
fn patterns_are_known_in_files() {
    for pattern in PATTERNS {
        let tokenizer = ByteLevel::own(vec![(3 + 97, 3 + 98)], pattern).unwrap();
        let json: Value = serde_json::from_str(&tokenizer.to_json()).unwrap();
        assert_eq!(Pattern::of_json(&json), Some(pattern));
        assert_eq!(encode(&tokenizer, "xab"), [3 + 120, 259]);
    }
    assert!(ByteLevel::own(vec![(0, 5)], Pattern::Gpt2).is_err());
}
