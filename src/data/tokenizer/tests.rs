use super::*;
use proptest::prelude::*;
use std::sync::LazyLock;

/// Text of this repository, with some other scripts.
static SAMPLE: LazyLock<Vec<Document>> = LazyLock::new(|| {
    let sources =
        [include_str!("mod.rs"), include_str!("bpe.rs"), include_str!("train.rs"), include_str!("words.rs"), include_str!("../spec.rs")];
    let foreign =
        "Привет, мир! Ещё раз: привет. 日本語のテキスト、日本語。 naïve café e\u{301}te\u{301} ٣٤٥ 🙂🙂\r\n\tx = 10 ** 12;\n".repeat(20);
    // Without U+2581, which only our encoder keeps apart from the space.
    let texts = sources.into_iter().map(|text| text.replace('▁', "_")).chain([foreign]);
    texts.enumerate().map(|(i, text)| Document::new(i.to_string(), text)).collect()
});
static BPE: LazyLock<Tokenizer> = LazyLock::new(|| Tokenizer::create(&TokenizerConfig::Bpe { vocab: 800 }, &SAMPLE).unwrap());
static CHARACTERS: LazyLock<Tokenizer> = LazyLock::new(|| Tokenizer::create(&TokenizerConfig::Characters { vocab: 330 }, &SAMPLE).unwrap());
static BYTES: LazyLock<Tokenizer> = LazyLock::new(|| Tokenizer::create(&TokenizerConfig::Bytes {}, &[]).unwrap());

fn own() -> [&'static Tokenizer; 3] {
    [&BPE, &CHARACTERS, &BYTES]
}

fn round_trip(text: &str) {
    for tokenizer in own() {
        let ids = tokenizer.encode(text);
        assert!(ids.iter().all(|&id| (3..tokenizer.vocab() as u32).contains(&id)));
        assert_eq!(tokenizer.decode(&ids), text, "{ids:?}");
    }
}

#[test]
fn hard_texts_come_back() {
    for text in [
        "",
        " ",
        "  ",
        "▁",
        "▁▁a",
        " ▁",
        "▁ x",
        " leading",
        "\n",
        "\r\n",
        "\t",
        "\0\u{1}",
        "</s><s><unk>",
        "<0x41>",
        "a\u{301}",
        "e\n   ▁  ",
        "\u{FEFF}x",
        "🙂 123",
    ] {
        round_trip(text);
    }
    SAMPLE.iter().for_each(|document| round_trip(&document.text));
}

proptest! {
    #[test]
    fn any_text_comes_back(text in "\\PC{0,40}|[ ▁\\n\\r\\t<s>/a0é\u{301}あ٣]{0,40}|.{0,30}", any in proptest::collection::vec(any::<char>(), 0..20)) {
        round_trip(&text);
        round_trip(&any.into_iter().collect::<String>());
    }

    #[test]
    fn any_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for tokenizer in own() {
            prop_assert_eq!(&tokenizer.decode_bytes(&tokenizer.encode_bytes(&bytes).unwrap()), &bytes);
        }
    }
}

#[test]
fn the_library_gives_the_same_ids() {
    let folder = tempfile::tempdir().unwrap();
    BPE.save(folder.path()).unwrap();
    let mut library = tokenizers::Tokenizer::from_file(folder.path().join("tokenizer.json")).unwrap();
    library.set_encode_special_tokens(true);
    let texts = SAMPLE.iter().map(|document| document.text.as_str());
    let mut compared = 0;
    for text in texts.chain([
        "",
        " lead",
        "   lead  ",
        "a    b\n\n      c 12",
        "</s> <s>",
        "========================================",
        "\u{200D}字x",
    ]) {
        let theirs = library.encode_fast(text, false).unwrap();
        assert_eq!(theirs.get_ids(), BPE.encode(text), "{text:.40}");
        assert_eq!(library.decode(theirs.get_ids(), true).unwrap(), text);
        compared += theirs.len();
    }
    assert!(compared > 5000, "{compared}");
}

#[test]
fn pieces_follow_llamas_trainer() {
    let json: serde_json::Value = match &*BPE.inner {
        Inner::Bpe(bpe) => serde_json::from_str(&bpe.to_json()).unwrap(),
        _ => unreachable!(),
    };
    let vocab = json["model"]["vocab"].as_object().unwrap();
    assert_eq!(vocab.len(), 800);
    let pieces: Vec<&str> = vocab.iter().filter(|(_, id)| id.as_u64() >= Some(259)).map(|(text, _)| text.as_str()).collect();
    assert!(pieces.iter().all(|piece| piece.chars().count() <= 16));
    assert!(pieces.iter().all(|piece| !piece.contains('\n') && !piece.trim_start_matches('▁').contains('▁')));
    assert!(pieces.iter().all(|piece| piece.chars().count() == 1 || !piece.contains(char::is_numeric)));
    assert!(pieces.contains(&"▁▁▁▁"), "runs of spaces are pieces");
    assert!(pieces.contains(&"▁let"));
    // A piece of just the limit's length exists where the text is nothing else.
    let text = Document::new("x".into(), "abcdefghijklmnopqrstuvwxyz\n".repeat(50));
    let long = Tokenizer::create(&TokenizerConfig::Bpe { vocab: 400 }, &[text]).unwrap();
    let longest = (259..long.vocab() as u32).map(|id| long.decode_bytes(&[2, 4, id]).len() - 1).max();
    assert_eq!(longest, Some(16));
}

#[test]
fn training_is_deterministic() {
    let again = Tokenizer::create(&TokenizerConfig::Bpe { vocab: 800 }, &SAMPLE).unwrap();
    match (&*again.inner, &*BPE.inner) {
        (Inner::Bpe(a), Inner::Bpe(b)) => assert_eq!(a.to_json(), b.to_json()),
        _ => unreachable!(),
    }
}

#[test]
fn many_texts_encode_as_one_by_one() {
    let documents: Vec<Document> = SAMPLE.iter().cycle().take(80).cloned().collect();
    let all = BPE.encode_all(&documents, &|_| ());
    assert_eq!(all.len(), 80);
    for (ids, document) in all.iter().zip(&documents).take(7) {
        assert_eq!(*ids, BPE.encode(&document.text));
    }
}

#[test]
fn saved_tokenizers_are_the_same() {
    for tokenizer in own() {
        let folder = tempfile::tempdir().unwrap();
        tokenizer.save(folder.path()).unwrap();
        let loaded = Tokenizer::load(folder.path()).unwrap();
        assert_eq!((loaded.vocab(), loaded.bos()), (tokenizer.vocab(), tokenizer.bos()));
        let text = format!("{} ▁ end", SAMPLE[0].text);
        assert_eq!(loaded.encode(&text), tokenizer.encode(&text));
    }
    let folder = tempfile::tempdir().unwrap();
    assert!(Tokenizer::load(folder.path()).unwrap_err().to_string().contains("tokenizer.meta.json"));
}

#[test]
fn a_tokenizer_file_is_used_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    BPE.save(folder.path()).unwrap();
    let path = folder.path().join("tokenizer.json");
    let config = TokenizerConfig::File { path: path.display().to_string() };
    let imported = Tokenizer::create(&config, &[]).unwrap();
    assert_eq!((imported.vocab(), imported.bos(), vocab_of_file(&path).unwrap()), (800, 1, 800));
    assert_eq!(imported.encode("fn main() </s>"), BPE.encode("fn main() </s>"));
    assert_eq!(imported.decode(&imported.encode(" round  trip\n")), " round  trip\n");
    let without = std::fs::read_to_string(&path).unwrap().replace("<s>", "<q>").replace("</s>", "<r>");
    std::fs::write(&path, without).unwrap();
    let error = Tokenizer::create(&config, &[]).unwrap_err().to_string();
    assert!(error.contains("opens a document") && error.contains("<|endoftext|>"), "{error}");
}

#[test]
fn rare_spaces_still_round_trip() {
    // Room for a single piece: the added space must be it.
    let text = Document::new("x".into(), "abcabcabc\n".repeat(100));
    for vocab in [260, 261, 262] {
        let tiny = Tokenizer::create(&TokenizerConfig::Bpe { vocab }, std::slice::from_ref(&text)).unwrap();
        assert!(tiny.vocab() <= vocab);
        assert_eq!(tiny.decode(&tiny.encode("abc  d")), "abc  d");
    }
}

#[test]
fn every_document_loses_its_own_added_space() {
    let ids = [vec![1], BPE.encode("one"), vec![1], BPE.encode(" two")].concat();
    assert_eq!(BPE.decode(&ids), "one two");
}

#[test]
fn a_text_full_of_the_sign_for_spaces_round_trips() {
    let text = "▁a ▁a ▁▁ b▁ c\n".repeat(200);
    let documents = [Document::new("x".into(), text.clone())];
    let tokenizer = Tokenizer::create(&TokenizerConfig::Bpe { vocab: 300 }, &documents).unwrap();
    assert_eq!(tokenizer.decode(&tokenizer.encode(&text)), text);
    let folder = tempfile::tempdir().unwrap();
    tokenizer.save(folder.path()).unwrap();
    assert_eq!(Tokenizer::load(folder.path()).unwrap().encode(&text), tokenizer.encode(&text));
}
