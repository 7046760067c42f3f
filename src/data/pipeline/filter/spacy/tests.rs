use super::*;
use sha2::{Digest, Sha256};

fn tokens_of(text: &str) -> Vec<&str> {
    let mut found = vec![];
    tokens(text, &mut |token| {
        found.push(token);
        ControlFlow::Continue(())
    });
    found
}

/// All that spaCy 3.8 has for English, by a hash over them in order: `tests/reference/filters_datatrove.py`.
#[test]
fn the_exceptions_are_those_of_spacy() {
    let fixture: serde_json::Value = serde_json::from_str(include_str!("../../../../../tests/data/fixtures/filters/spacy.json")).unwrap();
    let mut all: Vec<_> = exceptions::ENGLISH.all().map(|(_, parts)| parts.join("|")).collect();
    all.sort();
    assert_eq!(all.len() as u64, fixture["exceptions"].as_u64().unwrap());
    let hash: String = Sha256::digest(all.join("\n")).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, fixture["hash"].as_str().unwrap());
}

#[test]
fn the_classes_of_characters_are_those_of_spacy() {
    let fixture: serde_json::Value = serde_json::from_str(include_str!("../../../../../tests/data/fixtures/filters/spacy.json")).unwrap();
    let classes = &*classes::CLASSES;
    for (name, class) in [
        ("ALPHA", &classes.alpha),
        ("ALPHA_LOWER", &classes.lower),
        ("ALPHA_UPPER", &classes.upper),
        ("ICONS", &classes.icons),
        ("QUOTES", &classes.quotes),
        ("ENDS", &classes.ends),
    ] {
        let all: Vec<String> = ('\0'..=char::MAX).filter(|&c| class.has(c)).map(|c| (c as u32).to_string()).collect();
        let hash: String = Sha256::digest(all.join(" ")).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((all.len() as u64, hash.as_str()), (fixture[name][0].as_u64().unwrap(), fixture[name][1].as_str().unwrap()), "{name}");
    }
}

#[test]
fn affixes_are_taken_from_both_ends_and_infixes_split_the_rest() {
    for (text, tokens) in [
        ("(\"Hello,\"", "( \" Hello , \""),
        ("well-known...", "well - known ..."),
        ("x=y a:b 1+2 1-2", "x = y a : b 1 + 2 1 - 2"),
        ("lower.Upper Upper.Upper", "lower . Upper Upper . Upper"),
        ("$5 US$7 5km 10% 3.5kg", "$ 5 US$ 7 5 km 10 % 3.5 kg"),
        ("U.S. U.S.A. AB. A.", "U.S. U.S.A. AB . A."),
        ("dog's dogs' they've", "dog 's dogs ' they 've"),
        ("can't. cannot (isn’t)", "ca n't . can not ( is n’t )"),
        (":-) x:) e.g., Mr. (Mr.)", ":-) x :) e.g. , Mr. ( Mr. )"),
        ("option-a. the a.", "option - a. the a."),
        ("a——b a--b a---b é–é", "a —— b a -- b a --- b é – é"),
        ("http://a.bc/d?e=f, a@b.cd; 8.8.8.8:80", "http://a.bc/d?e=f , a@b.cd ; 8.8.8.8:80"),
        ("http://10.0.0.1/a-b", "http://10.0.0.1 / a - b"),
        ("😀a😀b 5°C. 5°c.", "😀 a 😀 b 5 ° C . 5 ° c ."),
        ("Привет,мир.", "Привет , мир ."),
    ] {
        assert_eq!(tokens_of(text), tokens.split(' ').collect::<Vec<_>>(), "{text}");
    }
}

#[test]
fn one_space_is_no_token_and_other_white_space_is() {
    assert_eq!(tokens_of(" a b  c\n\nd\u{a0}e "), [" ", "a", "b", " ", "c", "\n\n", "d", "\u{a0}", "e"]);
    assert_eq!(tokens_of(""), [""; 0]);
}

#[test]
fn hostile_chunks_take_linear_time() {
    for piece in ["(", ".", "a.", "@", "a@", "-", "a-b", "'", ":)", "…", "é", "5", "://", "日", ")'", "\u{a0}"] {
        let text = piece.repeat(1 << 18);
        assert_eq!(tokens_of(&text).iter().map(|token| token.len()).sum::<usize>(), text.len(), "{piece}");
    }
}
