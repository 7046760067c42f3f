//! SentencePiece itself as the reference, on as much text as one likes.
//!
//! `ABLATE_SENTENCEPIECE_PYTHON`, a Python that has sentencepiece, and `ABLATE_TOKENIZER_TEXT`, a file of documents separated by
//! zero bytes, ask it; `--nocapture` shows speeds.

use super::*;
use std::{collections::BTreeSet, path::PathBuf, process::Command, time::Duration};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/tokenizer_against.py");

fn variable(name: &str) -> Option<PathBuf> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty());
    if value.is_none() {
        eprintln!("skipped: set ABLATE_SENTENCEPIECE_PYTHON and ABLATE_TOKENIZER_TEXT");
    }
    value.map(PathBuf::from)
}

/// Rows of numbers, each after its length.
fn rows(bytes: &[u8]) -> Vec<Vec<u32>> {
    let mut numbers = bytes.chunks_exact(4).map(|four| u32::from_le_bytes(four.try_into().unwrap()));
    let mut rows = Vec::new();
    while let Some(count) = numbers.next() {
        rows.push(numbers.by_ref().take(count as usize).collect());
    }
    rows
}

/// How long this thread has been at work: the machine may have others.
fn busy() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0))
}

fn speed(what: &str, bytes: usize, start: Duration) {
    println!("{what}: {:.1} MB/s", bytes as f64 / 1e6 / (busy() - start).as_secs_f64());
}

#[test]
fn sentencepiece_gives_the_same_ids() {
    let (Some(python), Some(text)) = (variable("ABLATE_SENTENCEPIECE_PYTHON"), variable("ABLATE_TOKENIZER_TEXT")) else { return };
    let script = std::env::var_os("ABLATE_TOKENIZER_SCRIPT").map_or_else(|| PathBuf::from(SCRIPT), PathBuf::from);
    let kept = std::env::var_os("ABLATE_TOKENIZER_OUT").map(PathBuf::from);
    let temporary = tempfile::tempdir().unwrap();
    let out = kept.unwrap_or_else(|| temporary.path().to_path_buf());
    if !out.join("seconds.json").exists() {
        assert!(Command::new(python).arg(script).arg(&text).arg(&out).status().unwrap().success());
    }
    let content = std::fs::read_to_string(text).unwrap();
    let documents: Vec<&str> = content.split('\0').collect();
    println!("SentencePiece, seconds: {}", std::fs::read_to_string(out.join("seconds.json")).unwrap().trim());
    for name in ["llama", "unigram_llama", "unigram"] {
        let model = Tokenizer::read(&out.join(format!("{name}.model"))).unwrap();
        let theirs = rows(&std::fs::read(out.join(format!("{name}.ids"))).unwrap());
        assert_eq!(theirs.len(), documents.len());
        let start = busy();
        let mut encoder = model.encoder();
        let mut ours = Vec::new();
        let mut wrong = 0;
        for (document, theirs) in documents.iter().zip(&theirs) {
            ours.clear();
            encoder.encode(document, &mut ours);
            wrong += usize::from(ours != *theirs);
            if ours != *theirs && wrong <= 5 {
                let at = ours.iter().zip(theirs).position(|(a, b)| a != b).unwrap_or(0);
                let shown = |ids: &[u32]| {
                    ids.iter()
                        .skip(at.saturating_sub(2))
                        .take(8)
                        .map(|id| String::from_utf8_lossy(&model.token_bytes(*id)).into_owned())
                        .collect::<Vec<_>>()
                };
                println!("{name}, token {at}: {:?}, theirs {:?}", shown(&ours), shown(theirs));
            }
        }
        speed(&format!("encode {name}"), content.len(), start);
        println!("{name}: {wrong} of {} documents differ", documents.len());
        // Of unigram, long texts differ in a few tokens: see `sentencepiece/viterbi.rs`.
        let allowed = if name == "llama" { 0 } else { documents.len().div_ceil(100) };
        assert!(wrong <= allowed, "{name}: {wrong} of {} documents differ", documents.len());
    }
    for (name, model_type) in [("llama", ModelType::Bpe), ("unigram_llama", ModelType::Unigram)] {
        let theirs = Tokenizer::read(&out.join(format!("{name}.model"))).unwrap();
        let config = TrainerConfig { model_type, vocab_size: theirs.vocab(), sample_bytes: SAMPLE, ..TrainerConfig::default() };
        let start = busy();
        let ours = Tokenizer::train(&config, &documents).unwrap();
        println!("train {name}: {:.1} s", (busy() - start).as_secs_f64());
        let pieces = |tokenizer: &Tokenizer| (259..tokenizer.vocab() as u32).map(|id| tokenizer.token_bytes(id)).collect::<BTreeSet<_>>();
        let (a, b) = (pieces(&ours), pieces(&theirs));
        let only: Vec<String> = b.difference(&a).take(40).map(|piece| String::from_utf8_lossy(piece).into_owned()).collect();
        println!("{name}: {} pieces, {} in common; only theirs: {only:?}", a.len(), a.intersection(&b).count());
        let start = busy();
        let mut encoder = ours.encoder();
        let (mut ids, mut tokens) = (Vec::new(), [0, 0]);
        let part = &documents[..documents.len().min(2000)];
        for document in part {
            ids.clear();
            encoder.encode(document, &mut ids);
            tokens[0] += ids.len();
        }
        speed(&format!("encode {name} trained here"), part.iter().map(|document| document.len()).sum(), start);
        tokens[1] = theirs.encode_many(part).iter().map(Vec::len).sum();
        println!("{name}: {tokens:?} tokens, ours and theirs");
        library(&ours, part);
    }
    let config = TrainerConfig { model_type: ModelType::ByteLevel, vocab_size: 8000, sample_bytes: SAMPLE, ..TrainerConfig::default() };
    let start = busy();
    let levels = Tokenizer::train(&config, &documents).unwrap();
    println!("train byte_level: {:.1} s", (busy() - start).as_secs_f64());
    library(&levels, &documents[..documents.len().min(2000)]);
}

/// The `tokenizers` library on our file: the same ids, and its speed beside ours.
fn library(tokenizer: &Tokenizer, documents: &[&str]) {
    let mut library = tokenizers::Tokenizer::from_bytes(tokenizer.to_json().as_bytes()).unwrap();
    library.set_encode_special_tokens(true);
    let documents: Vec<&str> = documents.iter().copied().filter(|document| !document.contains('▁')).take(300).collect();
    let bytes = documents.iter().map(|document| document.len()).sum();
    let start = busy();
    let theirs: Vec<_> = documents.iter().map(|document| library.encode_fast(*document, false).unwrap().get_ids().to_vec()).collect();
    speed(&format!("  {} by tokenizers", tokenizer.kind()), bytes, start);
    let mut encoder = tokenizer.encoder();
    let start = busy();
    for (document, theirs) in documents.iter().zip(&theirs) {
        let mut ours = Vec::new();
        encoder.encode(document, &mut ours);
        assert!(ours == *theirs, "{}: {document:.60}", tokenizer.kind());
    }
    speed(&format!("  {} here", tokenizer.kind()), bytes, start);
}
