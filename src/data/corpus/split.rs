//! Documents, their order, and which of them are held out.

use crate::settings::{Error, Result};
use sha2::{Digest, Sha256};
use std::collections::HashSet;

/// Of 10,000 documents of a user's corpus, so many are validation text.
const HELD_OUT: u64 = 500;
/// The same in words, for manifests.
pub(in crate::data) const HELD_OUT_RULE: &str =
    "documents whose first eight bytes of SHA-256, little-endian, are below 500 modulo 10,000; of the default corpus, families of crates";
/// With fewer documents than this, they are cut into pieces, so that one file of text has a validation part too.
const FEW: usize = 100;

/// A text that is read, tokenised and held out as a whole.
#[derive(Clone, Debug)]
pub struct Document {
    /// Where it comes from: a path, with the line or byte where that is not all of it.
    pub name: String,
    /// The text; never empty.
    pub text: String,
    /// SHA-256 of the text.
    pub hash: [u8; 32],
}

impl Document {
    /// A document with its hash.
    pub fn new(name: String, text: String) -> Self {
        let hash = Sha256::digest(text.as_bytes()).into();
        Self { name, text, hash }
    }

    fn number(&self) -> u64 {
        u64::from_le_bytes(self.hash[..8].try_into().expect("eight bytes"))
    }
}

/// Documents for training and for validation, no text in both.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// Training documents, in the order in which they are packed.
    pub train: Vec<Document>,
    /// Documents that may serve as validation text, in the order in which they are chosen.
    pub validation: Vec<Document>,
}

impl Corpus {
    /// Puts both parts into an order that depends on the documents' content only.
    pub(super) fn shuffled(mut train: Vec<Document>, mut validation: Vec<Document>) -> Self {
        train.sort_by_key(|document| document.hash);
        validation.sort_by_key(|document| document.hash);
        Self { train, validation }
    }

    /// Keeps some documents of both parts.
    pub(super) fn retain(&mut self, keep: impl Fn(&Document) -> bool) {
        self.train.retain(&keep);
        self.validation.retain(&keep);
    }

    /// Bytes of the training text.
    pub fn train_bytes(&self) -> u64 {
        bytes(&self.train)
    }

    /// Bytes of the documents that may serve as validation text.
    pub fn held_out_bytes(&self) -> u64 {
        bytes(&self.validation)
    }

    /// Drops training documents beyond `limit` bytes. Documents stay whole: the first that would go beyond the limit ends the
    /// text; at least one stays.
    pub fn limit_train(&mut self, limit: Option<u64>) {
        if let Some(limit) = limit {
            let mut sum = 0;
            let kept = self.train.iter().take_while(|document| add_within(&mut sum, document.text.len() as u64, limit)).count();
            self.train.truncate(kept.max(1));
        }
    }
}

/// Drops validation documents that do not fit into `limit` bytes.
///
/// Documents stay whole: one that does not fit is passed over, and those that would be more than a sixteenth of the text come
/// last, so that it is a text of many documents. At least one document stays.
pub(in crate::data) fn limit_validation(documents: &mut Vec<Document>, limit: u64) {
    let shortest = documents.iter().min_by_key(|document| (document.text.len(), document.hash)).cloned();
    documents.sort_by_key(|document| (document.text.len() as u64 > limit / 16, document.hash));
    // Sources of a mixture may hold out the same text.
    documents.dedup_by_key(|document| document.hash);
    let mut sum = 0;
    documents.retain(|document| add_within(&mut sum, document.text.len() as u64, limit));
    if documents.is_empty() {
        documents.extend(shortest);
    }
}

fn add_within(sum: &mut u64, bytes: u64, limit: u64) -> bool {
    let fits = *sum + bytes <= limit;
    if fits {
        *sum += bytes;
    }
    fits
}

/// Bytes of the text of some documents.
fn bytes(documents: &[Document]) -> u64 {
    documents.iter().map(|document| document.text.len() as u64).sum()
}

/// Splits by a hash of the content: a document keeps its side when others come or go, and copies are on one side.
///
/// # Errors
///
/// No text, or so little that nothing can be held out.
pub(in crate::data) fn by_content(documents: Vec<Document>, subject: &str) -> Result<Corpus> {
    let mut documents: Vec<Document> = documents.into_iter().filter(|document| !document.text.is_empty()).collect();
    if documents.is_empty() {
        return Err(Error::input(subject, "the corpus is empty", "name files with text in data.corpus.paths"));
    }
    if documents.len() < FEW {
        let size = (bytes(&documents) / 400).clamp(256, 32 << 10) as usize;
        documents = documents.iter().flat_map(|document| pieces(document, size)).collect();
    }
    let mut seen = HashSet::new();
    documents.retain(|document| seen.insert(document.hash));
    let (mut validation, mut train): (Vec<_>, Vec<_>) = documents.into_iter().partition(|document| document.number() % 10_000 < HELD_OUT);
    // In a small corpus chance may leave one side empty.
    if validation.is_empty() {
        move_one(&mut train, &mut validation);
    } else if train.is_empty() {
        move_one(&mut validation, &mut train);
    }
    if train.is_empty() || validation.is_empty() {
        let help = "name more text in data.corpus.paths: at least some kilobytes";
        return Err(Error::input(subject, "the corpus is too short to hold out validation text", help));
    }
    Ok(Corpus::shuffled(train, validation))
}

/// Moves the document of lowest hash, unless it is the only one.
fn move_one(from: &mut Vec<Document>, to: &mut Vec<Document>) {
    if from.len() > 1 {
        from.sort_by_key(|document| document.hash);
        to.push(from.swap_remove(0));
    }
}

/// Cuts a document into pieces of about `size` bytes, at ends of lines where there are some, else after a space, else
/// between characters.
fn pieces(document: &Document, size: usize) -> Vec<Document> {
    let mut rest = document.text.as_str();
    let mut out = Vec::new();
    let mut start = 0;
    while !rest.is_empty() {
        let end = cut(rest, size);
        out.push(Document::new(format!("{}@{start}", document.name), rest[..end].to_string()));
        start += end;
        rest = &rest[end..];
    }
    out
}

fn cut(text: &str, size: usize) -> usize {
    if text.len() <= size + size / 2 {
        return text.len();
    }
    let boundary = |mut at: usize| {
        while !text.is_char_boundary(at) {
            at += 1;
        }
        at
    };
    let (from, to) = (boundary(size), boundary((4 * size).min(text.len())));
    let window = &text[from..to];
    window.find('\n').or_else(|| window.find(' ')).map_or(from, |at| from + at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(count: usize) -> Vec<Document> {
        (0..count).map(|i| Document::new(format!("{i}"), format!("document number {i}\n"))).collect()
    }

    #[test]
    fn the_split_is_a_function_of_content() {
        let all = by_content(documents(3000), "x").unwrap();
        let fewer = by_content(documents(2000), "x").unwrap();
        let held: HashSet<_> = all.validation.iter().map(|d| d.hash).collect();
        assert!(all.train.iter().all(|d| !held.contains(&d.hash)));
        assert!(fewer.validation.iter().all(|d| held.contains(&d.hash)));
        let share = all.validation.len() as f64 / 3000.0;
        assert!((0.03..0.07).contains(&share), "{share}");
        let mut reversed = documents(3000);
        reversed.reverse();
        let again = by_content(reversed, "x").unwrap();
        assert!(again.train.iter().map(|d| d.hash).eq(all.train.iter().map(|d| d.hash)));
    }

    #[test]
    fn one_file_is_cut_into_pieces_that_make_it_up_again() {
        for text in ["line after line\n".repeat(2000), "no line ends here ".repeat(2000), "äöü€".repeat(3000)] {
            let whole = Document::new("f".into(), text.clone());
            let cut = pieces(&whole, 300);
            assert_eq!(cut.iter().map(|d| d.text.as_str()).collect::<String>(), text);
            assert!(cut.len() > 20);
        }
        let numbered: String = (0..3000).map(|i| format!("line {i}\n")).collect();
        let corpus = by_content(vec![Document::new("f".into(), numbered.clone())], "f").unwrap();
        assert!(corpus.validation.iter().all(|d| d.text.ends_with('\n')));
        assert_eq!(bytes(&corpus.train) + bytes(&corpus.validation), numbered.len() as u64);
    }

    #[test]
    fn too_little_text_is_an_error() {
        assert!(by_content(vec![], "x").unwrap_err().to_string().contains("empty"));
        assert!(by_content(vec![Document::new("a".into(), "a".into())], "x").unwrap_err().to_string().contains("too short"));
    }

    #[test]
    fn limits_keep_documents_whole() {
        let mut corpus = by_content(documents(3000), "x").unwrap();
        let first = corpus.train[0].clone();
        corpus.limit_train(Some(1000));
        limit_validation(&mut corpus.validation, 500);
        assert!(bytes(&corpus.train) <= 1000 && bytes(&corpus.train) > 900);
        assert!(bytes(&corpus.validation) <= 500 && bytes(&corpus.validation) > 400);
        assert_eq!(corpus.train[0].hash, first.hash);
        corpus.limit_train(Some(0));
        limit_validation(&mut corpus.validation, 0);
        assert_eq!((corpus.train.len(), corpus.validation.len()), (1, 1));
    }
}
