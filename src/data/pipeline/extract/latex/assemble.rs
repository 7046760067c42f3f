//! A paper of several files as one text.

use super::{
    comments,
    paths::{folder, normal, path},
    sections::body,
    tokens::{argument, brackets, control, controls, skip_blanks},
    verbatim::Verbatim,
};
use crate::data::pipeline::{Counts, Document};
use memchr::memchr;
use std::collections::{HashMap, HashSet};

/// Files inside of each other at most.
const DEPTH: usize = 16;
/// The paper is at most so many times as long as its files together.
const GROWTH: usize = 4;

/// A paper whose files were put into each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paper {
    /// The text, without comments.
    pub text: String,
    /// The file that holds the others; none if no file has `\documentclass` or `\begin{document}`, and those that no other file reads
    /// were put behind each other, by path.
    pub main: Option<String>,
    /// Files that were put in, the same one as often as it is read.
    pub inputs: usize,
    /// Commands whose file is not there; they are left as they are.
    pub missing: usize,
    /// Commands that would read a file inside of itself, too deep or too often; they are left out.
    pub cycles: usize,
}

/// Puts the files of one paper into each other, in the order in which `\input`, `\include`, `\subfile`, `\import` and `\subimport` read
/// them. Takes all text files of it, with their paths in the archive; those that are no `.tex` count only if they are read.
///
/// Comments go first, so that what is commented out reads nothing. The main file has `\documentclass` (or `\documentstyle`) and
/// `\begin{document}`; of several the one that becomes longest, then the one with the first path. A paper is at most four times as long
/// as its files together.
///
/// Counts what it left out (`latex.input_cycles`) and left as it is (`latex.missing_files`).
pub fn assemble(files: &[(&str, &str)], counts: &mut Counts) -> Paper {
    let paper = put_together(files, counts);
    for (rule, times) in [("latex.input_cycles", paper.cycles), ("latex.missing_files", paper.missing)] {
        (0..times).for_each(|_| counts.add(rule, 0));
    }
    paper
}

/// The documents of one paper, each a file with its `path` in [`Document::meta`] (else its id is taken for it), as one document: that of
/// the main file, with the text of [`assemble()`]. None if there are none.
pub fn join(documents: &[Document], counts: &mut Counts) -> Option<Document> {
    let path = |document: &Document| document.meta("path").unwrap_or(&document.id).to_string();
    let paths: Vec<String> = documents.iter().map(path).collect();
    let files: Vec<(&str, &str)> = paths.iter().zip(documents).map(|(path, document)| (path.as_str(), document.text.as_str())).collect();
    let paper = assemble(&files, counts);
    let main = paper.main.as_deref().and_then(|main| paths.iter().position(|path| normal(path) == main));
    // Without a main file the first path names the paper.
    let main = main.or_else(|| (0..paths.len()).min_by_key(|index| &paths[*index]))?;
    Some(Document { text: paper.text, ..documents[main].clone() })
}

fn put_together(files: &[(&str, &str)], counts: &mut Counts) -> Paper {
    let texts: Vec<(String, String)> = files.iter().map(|(path, text)| (normal(path), comments::strip(text, counts))).collect();
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by(|a, b| texts[*a].0.cmp(&texts[*b].0));
    let paths = texts.iter().enumerate().rev().map(|(index, (path, _))| (path.as_str(), index)).collect();
    let length: usize = texts.iter().map(|(_, text)| text.len()).sum();
    let assembler = Assembler { texts: &texts, paths, limit: length.saturating_mul(GROWTH) };
    let tex = |index: &usize| texts[*index].0.to_ascii_lowercase().ends_with(".tex") || !texts[*index].0.contains('.');
    let rank = |index: &usize| {
        let text = &texts[*index].1;
        let mut class = None;
        let mut document = false;
        controls(text, 0, |name, _, end| {
            if matches!(name, "documentclass" | "documentstyle") && class.is_none() {
                let at = if text.as_bytes().get(end) == Some(&b'[') { brackets(text, end).unwrap_or(end) } else { end };
                class = Some(argument(text, at).unwrap_or(""));
            }
            document |= name == "begin" && argument(text, end) == Some("document");
            !document
        });
        // A part of a paper that can be typeset by itself.
        if matches!(class, Some("subfiles" | "standalone")) { 0 } else { usize::from(class.is_some()) + usize::from(document) }
    };
    let ranks: HashMap<usize, usize> =
        order.iter().filter(|index| tex(index) || texts.len() == 1).map(|index| (*index, rank(index))).collect();
    let best = ranks.values().copied().max().unwrap_or(0);
    let candidates = || order.iter().copied().filter(|index| ranks.get(index) == Some(&best));
    if best > 0 {
        // Reading each of many candidates would take the square of their number.
        let papers: Vec<(usize, Paper)> = candidates().take(8).map(|index| (index, assembler.read(&[index]))).collect();
        let longest = papers.into_iter().rev().max_by_key(|(_, paper)| paper.text.len());
        return longest.map(|(index, paper)| Paper { main: Some(texts[index].0.clone()), ..paper }).unwrap_or_default();
    }
    let read: HashSet<usize> = candidates().flat_map(|index| assembler.inputs(index)).collect();
    let roots: Vec<usize> = candidates().filter(|index| !read.contains(index)).collect();
    if roots.is_empty() { assembler.read(&candidates().collect::<Vec<_>>()) } else { assembler.read(&roots) }
}

struct Assembler<'a> {
    /// Paths and texts.
    texts: &'a [(String, String)],
    /// Paths → indices.
    paths: HashMap<&'a str, usize>,
    /// Bytes of the paper at most.
    limit: usize,
}

/// A command that reads a file.
struct Input {
    /// Behind the command.
    end: usize,
    file: Option<usize>,
}

impl Assembler<'_> {
    fn read(&self, roots: &[usize]) -> Paper {
        let mut paper = Paper::default();
        for root in roots {
            if !paper.text.is_empty() && !paper.text.ends_with('\n') {
                paper.text.push('\n');
            }
            self.put(*root, &self.texts[*root].1, folder(&self.texts[*root].0), &mut vec![*root], &mut paper);
        }
        paper
    }

    /// Puts `text`, of the file `open.last()`, behind the paper; paths are relative to `base`, the folder of the main file.
    fn put(&self, index: usize, text: &str, base: &str, open: &mut Vec<usize>, paper: &mut Paper) {
        let mut verbatim = Verbatim::default();
        let mut at = 0;
        while let Some(offset) = memchr(b'\\', &text.as_bytes()[at..]) {
            let place = at + offset;
            paper.text.push_str(&text[at..place]);
            let end = control(text, place);
            let name = &text[place + 1..end];
            if let Some(part) = verbatim.at(text, name, end) {
                paper.text.push_str(&text[place..part.end]);
                at = part.end;
                continue;
            }
            at = end;
            let Some(input) = self.input(text, name, end, base, folder(&self.texts[index].0)) else {
                paper.text.push_str(&text[place..end]);
                continue;
            };
            let Some(file) = input.file else {
                paper.missing += 1;
                paper.text.push_str(&text[place..end]);
                continue;
            };
            at = input.end;
            let inner = self.texts[file].1.as_str();
            if open.contains(&file) || open.len() >= DEPTH || paper.text.len().saturating_add(inner.len()) > self.limit {
                paper.cycles += 1;
                continue;
            }
            paper.inputs += 1;
            open.push(file);
            // A part that can be typeset by itself (the packages subfiles and standalone).
            self.put(file, &inner[body(inner)..], base, open, paper);
            open.pop();
        }
        paper.text.push_str(&text[at..]);
    }

    /// Indices of the files that a file reads.
    fn inputs(&self, index: usize) -> Vec<usize> {
        let (path, text) = &self.texts[index];
        let mut found = Vec::new();
        controls(text, 0, |name, _, end| {
            found
                .extend(self.input(text, name, end, folder(path), folder(path)).and_then(|input| input.file).filter(|file| *file != index));
            true
        });
        found
    }

    /// The file that a command reads; none if it reads none.
    fn input(&self, text: &str, name: &str, end: usize, base: &str, here: &str) -> Option<Input> {
        let (name, end) = match name {
            "input" | "include" | "subfile" | "subfileinclude" => path(text, end, name == "input")?,
            "import" | "subimport" | "includefrom" | "subincludefrom" => {
                let (folder, end) = path(text, end, false)?;
                let (file, end) = path(text, skip_blanks(text, end), false)?;
                return Some(Input { end, file: self.find(&format!("{folder}/{file}"), base, here) });
            }
            _ => return None,
        };
        Some(Input { end, file: self.find(name, base, here) })
    }

    fn find(&self, name: &str, base: &str, here: &str) -> Option<usize> {
        let name = name.trim().trim_matches('"');
        [base, here].into_iter().find_map(|folder| {
            let path = normal(&format!("{folder}/{name}"));
            // TeX adds the extension first.
            self.paths.get(format!("{path}.tex").as_str()).or_else(|| self.paths.get(path.as_str())).copied()
        })
    }
}
