use super::*;
use proptest::prelude::*;
use std::sync::LazyLock;

/// Text of this repository, with some other scripts.
static SAMPLE: LazyLock<Vec<Document>> = LazyLock::new(|| {
    let sources = [
        include_str!("mod.rs"),
        include_str!("bpe.rs"),
        include_str!("trainer/mod.rs"),
        include_str!("words.rs"),
        include_str!("../spec.rs"),
    ];
    let foreign =
        "Привет, мир! Ещё раз: привет. 日本語のテキスト、日本語。 naïve café e\u{301}te\u{301} ٣٤٥ 🙂🙂\r\n\tx = 10 ** 12;\n".repeat(20);
    // Without U+2581, which only our encoder keeps apart from the space.
    let texts = sources.into_iter().map(|text| text.replace('▁', "_")).chain([foreign]);
    texts.enumerate().map(|(i, text)| Document::new(i.to_string(), text)).collect()
});
static BPE: LazyLock<Tokenizer> = LazyLock::new(|| Tokenizer::create(&TokenizerConfig::Bpe { vocab: 800 }, &SAMPLE).unwrap());
static CHARACTERS: LazyLock<Tokenizer> = LazyLock::new(|| Tokenizer::create(&TokenizerConfig::Characters { vocab: 330 }, &SAMPLE).unwrap());
static BYTES: LazyLock<Tokenizer> = LazyLock::new(|| Tokenizer::create(&TokenizerConfig::Bytes {}, &[]).unwrap());

static UNIGRAM: LazyLock<Tokenizer> = LazyLock::new(|| trained(ModelType::Unigram, 600));
static GPT2: LazyLock<Tokenizer> = LazyLock::new(|| {
    let config = TrainerConfig { model_type: ModelType::ByteLevel, vocab_size: 700, pattern: Pattern::Gpt2, ..TrainerConfig::default() };
    Tokenizer::train(&config, &texts()).unwrap()
});
static GPT4: LazyLock<Tokenizer> = LazyLock::new(|| trained(ModelType::ByteLevel, 700));

fn texts() -> Vec<&'static str> {
    SAMPLE.iter().map(|document| document.text.as_str()).collect()
}

fn trained(model_type: ModelType, vocab_size: usize) -> Tokenizer {
    Tokenizer::train(&TrainerConfig { model_type, vocab_size, ..TrainerConfig::default() }, &texts()).unwrap()
}

fn own() -> [&'static Tokenizer; 6] {
    [&BPE, &CHARACTERS, &BYTES, &UNIGRAM, &GPT2, &GPT4]
}

/// Texts with edges, see `tests/reference/tokenizer_fixtures.py`.
pub(super) fn edges() -> Vec<String> {
    serde_json::from_str(include_str!("../../../tests/data/fixtures/tokenizer/edges.json")).unwrap()
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
    edges().iter().for_each(|text| round_trip(text));
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
    for tokenizer in own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, tokenizer.to_json()).unwrap();
        let mut library = tokenizers::Tokenizer::from_file(&path).unwrap();
        library.set_encode_special_tokens(true);
        let spaced = matches!(tokenizer.kind(), "bpe" | "unigram");
        let mut compared = 0;
        for text in edges().iter().map(String::as_str).chain(texts()).filter(|text| !(spaced && text.contains('▁'))) {
            let theirs = library.encode_fast(text, false).unwrap();
            assert_eq!(theirs.get_ids(), tokenizer.encode(text), "{}: {text:.40?}", tokenizer.kind());
            assert_eq!(library.decode(theirs.get_ids(), true).unwrap(), text);
            compared += theirs.len();
        }
        assert!(compared > 5000, "{compared}");
    }
}

#[test]
fn pieces_follow_llamas_trainer() {
    let json: serde_json::Value = serde_json::from_str(&BPE.to_json()).unwrap();
    let vocab = json["model"]["vocab"].as_object().unwrap();
    assert_eq!(vocab.len(), 800);
    let pieces: Vec<&str> = vocab.iter().filter(|(_, id)| id.as_u64() >= Some(259)).map(|(text, _)| text.as_str()).collect();
    assert!(pieces.iter().all(|piece| piece.chars().count() <= 16));
    assert!(pieces.iter().all(|piece| !piece.contains('\n') && !piece.trim_start_matches('▁').contains('▁')));
    assert!(pieces.iter().all(|piece| piece.chars().count() == 1 || !piece.contains(words::digit)));
    assert!(pieces.iter().all(|piece| !piece.contains('\t')), "SentencePiece marks boundaries by tabs");
    assert!(pieces.contains(&"▁▁▁▁"), "runs of spaces are pieces");
    assert!(pieces.contains(&"▁let"));
    // A piece of just the limit's length exists where the text is nothing else.
    let text = "abcdefghijklmnopqrstuvwxyz\n".repeat(50);
    let config = TrainerConfig { vocab_size: 400, add_dummy_prefix: false, ..TrainerConfig::default() };
    let long = Tokenizer::train(&config, &[text]).unwrap();
    assert_eq!((259..long.vocab() as u32).map(|id| long.token_bytes(id).len()).max(), Some(16));
}

#[test]
fn training_is_deterministic() {
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let again = Tokenizer::create(&TokenizerConfig::Bpe { vocab: 800 }, &SAMPLE).unwrap();
            assert_eq!(again.to_json(), BPE.to_json());
            assert_eq!(trained(ModelType::Unigram, 600).to_json(), UNIGRAM.to_json());
            assert_eq!(trained(ModelType::ByteLevel, 700).to_json(), GPT4.to_json());
        });
    }
}

#[test]
fn many_texts_encode_as_one_by_one() {
    let documents: Vec<Document> = SAMPLE.iter().cycle().take(80).cloned().collect();
    for tokenizer in own() {
        let all = tokenizer.encode_all(&documents, &|_| ());
        assert_eq!(all.len(), 80);
        for (ids, document) in all.iter().zip(&documents).take(7) {
            assert_eq!(*ids, tokenizer.encode(&document.text));
        }
        assert_eq!(tokenizer.encode_many(&texts()), all[..SAMPLE.len()]);
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
    assert_eq!((imported.special(), imported.token_bytes(13), imported.token_bytes(1)), (BPE.special(), vec![10], vec![]));
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

#[test]
fn every_kind_is_saved_as_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let fixtures = [
        ("llama.model", &include_bytes!("../../../tests/data/fixtures/tokenizer/llama.model")[..], "sentencepiece"),
        ("gpt4.tiktoken", &include_bytes!("../../../tests/data/fixtures/tokenizer/gpt4.tiktoken")[..], "tiktoken"),
    ];
    for (name, content, kind) in fixtures {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let read = Tokenizer::create(&TokenizerConfig::File { path: path.display().to_string() }, &[]).unwrap();
        assert_eq!((read.kind(), vocab_of_file(&path).unwrap()), (kind, read.vocab()));
        read.save(&folder.path().join(kind)).unwrap();
        let loaded = Tokenizer::load(&folder.path().join(kind)).unwrap();
        assert_eq!((loaded.kind(), loaded.vocab(), loaded.bos()), (kind, read.vocab(), read.bos()));
        assert_eq!(loaded.encode("the train"), read.encode("the train"));
    }
    let config =
        TrainerConfig { split_digits: false, add_dummy_prefix: false, byte_fallback: false, vocab_size: 500, ..TrainerConfig::default() };
    for model_type in [ModelType::Bpe, ModelType::Unigram] {
        let tokenizer = Tokenizer::train(&TrainerConfig { model_type, ..config.clone() }, &texts()).unwrap();
        tokenizer.save(folder.path()).unwrap();
        let loaded = Tokenizer::load(folder.path()).unwrap();
        let library = tokenizers::Tokenizer::from_file(folder.path().join("tokenizer.json")).unwrap();
        for text in ["let x = 1984;\n", "  a 12", "한국 x", ""] {
            assert_eq!(loaded.encode(text), tokenizer.encode(text));
            assert_eq!(library.encode_fast(text, false).unwrap().get_ids(), tokenizer.encode(text), "{text}");
        }
        assert_eq!(tokenizer.encode("한국").iter().filter(|id| **id == 0).count(), 1, "the unknown is one token");
    }
}

#[test]
fn broken_files_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let model = include_bytes!("../../../tests/data/fixtures/tokenizer/llama.model");
    let ranks = include_bytes!("../../../tests/data/fixtures/tokenizer/gpt4.tiktoken");
    let cases: [(&[u8], &str); 9] = [
        (b"", "not a tokenizer"),
        (b"{\"model\": {}}", "no vocabulary"),
        (b"{", "not a tokenizer"),
        (&model[..model.len() - 3], "it ends within a field"),
        (&model[..1000], "it ends within a field"),
        (&ranks[..40], "in base64"),
        (b"IQ== 0\n", "the byte 0x00 has no token"),
        (b"IQ== 0\nIQ== 1\n", "twice"),
        (b"IQ== 99999999\n", "beyond any vocabulary"),
    ];
    for (content, reason) in cases {
        std::fs::write(&path, content).unwrap();
        let error = Tokenizer::read(&path).unwrap_err().to_string();
        assert!(error.contains(reason), "{reason}: {error}");
        let _ = vocab_of_file(&path);
    }
}

proptest! {
    #[test]
    fn damaged_files_do_no_harm(at in 0_usize..9000, byte in any::<u8>(), cut in 0_usize..9000, which in 0_usize..3) {
        let files = [
            &include_bytes!("../../../tests/data/fixtures/tokenizer/unigram.model")[..],
            &include_bytes!("../../../tests/data/fixtures/tokenizer/bpe_user.model")[..],
            &include_bytes!("../../../tests/data/fixtures/tokenizer/gpt4.tiktoken")[..],
        ];
        let mut content = files[which].to_vec();
        let at = at % content.len();
        content[at] = byte;
        if cut % 3 == 0 {
            content.truncate(cut);
        }
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), &content).unwrap();
        let _ = vocab_of_file(path.path());
        if let Ok(tokenizer) = Tokenizer::read(path.path()) {
            for text in ["the train <sep> of ﬁ", "▁ é", "🙂\0\t"] {
                let ids = tokenizer.encode(text);
                prop_assert!(ids.iter().all(|id| (*id as usize) < tokenizer.vocab()));
                tokenizer.decode(&ids);
            }
        }
    }
}
