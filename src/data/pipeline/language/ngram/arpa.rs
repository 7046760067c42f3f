//! ARPA files: n-gram models as text, which `KenLM`, SRILM and others read and write.
//!
//! ```text
//! \data\
//! ngram 1=4
//! ngram 2=2
//!
//! \1-grams:
//! log10(p) <tab> word <tab> log10(back-off)
//! …
//! \2-grams:
//! log10(p) <tab> words
//!
//! \end\
//! ```

use super::{
    builder::Builder,
    estimate::{Estimate, log10},
    model::{Model, ROOT},
    text::push,
    vocabulary::{BEGIN, END, UNKNOWN, Vocabulary},
};
use crate::{
    files,
    settings::{Error, Result},
};
use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
};

/// No line of an ARPA file is longer.
const LONGEST: u64 = 1 << 20;

/// Of `<unk>` in files that have none, as in `KenLM`.
const NO_UNKNOWN: f32 = -100.0;

impl Estimate {
    /// Writes the model as `lmplz` would, n-gram by n-gram in the same order.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn write_arpa(&self, path: &Path) -> Result<()> {
        let wrong = |error| Error::io("write", path)(error);
        files::replace_with(path, wrong, |file| {
            file.write_all(b"\\data\\\n").map_err(wrong)?;
            for (order, count) in self.counts().iter().enumerate() {
                writeln!(file, "ngram {}={count}", order + 1).map_err(wrong)?;
            }
            let mut text = Vec::with_capacity(1 << 16);
            for order in 0..self.orders.len() {
                text.extend_from_slice(format!("\n\\{}-grams:\n", order + 1).as_bytes());
                self.lines(order, 0, 0..self.orders[0].values.len(), &[], &mut text, &mut |text| {
                    if text.len() > 1 << 15 {
                        file.write_all(text).map_err(wrong)?;
                        text.clear();
                    }
                    Ok(())
                })?;
            }
            text.extend_from_slice(b"\n\\end\\\n");
            file.write_all(&text).map_err(wrong)
        })
    }

    /// The lines of an order, for the descendants of one n-gram, whose words are given.
    fn lines(
        &self,
        order: usize,
        depth: usize,
        range: std::ops::Range<usize>,
        words: &[u8],
        text: &mut Vec<u8>,
        full: &mut impl FnMut(&mut Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let now = &self.orders[depth];
        for at in range.filter(|at| !now.level.pruned(*at)) {
            let word = self.vocabulary.word(now.level.words[at]).as_bytes();
            if depth == order {
                push(text, log10(now.values[at]));
                text.push(b'\t');
                text.extend_from_slice(word);
                text.extend_from_slice(words);
                if depth + 1 < self.orders.len() {
                    text.push(b'\t');
                    push(text, log10(now.backoffs[at]));
                }
                text.push(b'\n');
                full(text)?;
                continue;
            }
            let children = now.level.children(at, self.orders[depth + 1].values.len());
            if children.is_empty() {
                continue;
            }
            self.lines(order, depth + 1, children, &[b" ", word, words].concat(), text, full)?;
        }
        Ok(())
    }
}

impl Model {
    /// Reads an ARPA file, whoever wrote it.
    ///
    /// # Errors
    ///
    /// The file cannot be read or is no ARPA file: the line is named. As in `KenLM`, positive logarithms, n-grams whose
    /// context is missing, and files without `<s>` or `</s>` are refused; a missing `<unk>` gets -100.
    pub fn read_arpa(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("read", path))?;
        let size = file.metadata().map_err(Error::io("read", path))?.len();
        let mut lines = Lines { path, file: BufReader::with_capacity(1 << 16, file), line: vec![], number: 0 };
        lines.header("\\data\\")?;
        let mut counts: Vec<u64> = vec![];
        while lines.next()? && !lines.text().is_empty() {
            let count = lines.text().strip_prefix("ngram ").and_then(|rest| rest.split_once('='));
            let count = count.filter(|(order, _)| order.trim().parse() == Ok(counts.len() + 1));
            let count = count.and_then(|(_, count)| count.trim().parse().ok());
            counts.push(count.ok_or_else(|| lines.wrong("is not the count of the next order"))?);
        }
        // A line has two bytes per word at least: no more is taken at the header's word.
        if counts.is_empty() || counts.len() > 64 || counts.iter().any(|count| *count > size / 2) {
            return Err(lines.wrong("the counts before it are not those of a file of this size"));
        }
        let mut builder = words(&mut lines, counts[0], counts.len(), counts[1..].iter().sum::<u64>() as usize)?;
        for order in 2..=counts.len() {
            builder.level(order);
            lines.header(&format!("\\{order}-grams:"))?;
            for _ in 0..counts[order - 1] {
                lines.next()?;
                ngram(&lines, order, counts.len(), &mut builder)?;
            }
        }
        lines.header("\\end\\")?;
        Ok(builder.finish())
    }
}

/// Reads the single words. Their numbers are not those of the file: the special ones come first.
fn words(lines: &mut Lines, count: u64, order: usize, entries: usize) -> Result<Builder> {
    lines.header("\\1-grams:")?;
    let mut vocabulary = Vocabulary::new();
    let mut found: Vec<Option<(f32, f32)>> = vec![None; 3];
    for _ in 0..count {
        lines.next()?;
        let mut parts = lines.parts();
        let probability = lines.probability(parts.next())?;
        let word = parts.next().ok_or_else(|| lines.wrong("has no word"))?;
        let backoff = lines.backoff(parts.next(), order > 1)?;
        let id = vocabulary.add(if word == "<UNK>" { "<unk>" } else { word }) as usize;
        found.resize(found.len().max(id + 1), None);
        if found[id].replace((probability, backoff)).is_some() {
            return Err(lines.wrong("names a word for the second time"));
        }
    }
    found[UNKNOWN as usize].get_or_insert((NO_UNKNOWN, 0.0));
    if found[BEGIN as usize].is_none() || found[END as usize].is_none() {
        return Err(lines.wrong("<s> or </s> is missing among the words before it"));
    }
    let mut builder = Builder::new(vocabulary, order, entries);
    for (id, word) in found.into_iter().flatten().enumerate() {
        builder.word(id as u32, word.0, word.1);
    }
    Ok(builder)
}

/// Reads an n-gram of two words or more.
fn ngram(lines: &Lines, order: usize, highest: usize, builder: &mut Builder) -> Result<()> {
    let mut parts = lines.parts();
    let probability = lines.probability(parts.next())?;
    let (mut context, mut word) = (ROOT, 0);
    for place in 0..order {
        let text = parts.next().ok_or_else(|| lines.wrong(&format!("has fewer than {order} words")))?;
        let text = if text == "<UNK>" { "<unk>" } else { text };
        word = builder.vocabulary().find(text).ok_or_else(|| lines.wrong(&format!("{text:?} is not among the words")))?;
        if place + 1 < order {
            context = builder.after(context, word).ok_or_else(|| lines.wrong("its first words are no n-gram of the file"))?;
        }
    }
    let backoff = lines.backoff(parts.next(), order < highest)?;
    let ending = builder.ending(context, word);
    match builder.insert(context, word, ending, probability, backoff) {
        Some(_) => Ok(()),
        None => Err(lines.wrong("is an n-gram for the second time")),
    }
}

/// Lines with their numbers.
struct Lines<'a> {
    path: &'a Path,
    file: BufReader<File>,
    line: Vec<u8>,
    number: u64,
}

impl Lines<'_> {
    /// Goes to the next line; false if there is none, and then it is empty.
    fn next(&mut self) -> Result<bool> {
        self.line.clear();
        self.number += 1;
        let read = (&mut self.file).take(LONGEST).read_until(b'\n', &mut self.line).map_err(Error::io("read", self.path))?;
        while matches!(self.line.last(), Some(b'\n' | b'\r')) {
            self.line.pop();
        }
        if read as u64 == LONGEST || std::str::from_utf8(&self.line).is_err() {
            self.line.truncate(40);
            return Err(self.wrong("is longer than 1 MiB, or not UTF-8"));
        }
        Ok(read > 0)
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.line).unwrap_or_default()
    }

    fn parts(&self) -> impl Iterator<Item = &str> {
        self.text().split([' ', '\t']).filter(|part| !part.is_empty())
    }

    /// Passes over empty lines to one that must be there.
    fn header(&mut self, expected: &str) -> Result<()> {
        while self.next()? {
            match self.text() {
                "" => {}
                text if text == expected => return Ok(()),
                _ => break,
            }
        }
        Err(self.wrong(&format!("is not {expected}")))
    }

    fn probability(&self, text: Option<&str>) -> Result<f32> {
        let number = self.number(text)?;
        if number > 0.0 { Err(self.wrong("its probability is above 1")) } else { Ok(number) }
    }

    fn backoff(&self, text: Option<&str>, allowed: bool) -> Result<f32> {
        match text {
            None => Ok(0.0),
            Some(_) => match self.number(text)? {
                number if allowed || number == 0.0 => Ok(number),
                _ => Err(self.wrong("has a back-off although nothing can follow it, or too many words")),
            },
        }
    }

    fn number(&self, text: Option<&str>) -> Result<f32> {
        let number = text.and_then(|text| text.parse::<f32>().ok()).filter(|number| number.is_finite());
        number.ok_or_else(|| self.wrong("a number is expected where there is none"))
    }

    fn wrong(&self, message: &str) -> Error {
        let shown: String = self.text().chars().take(60).collect();
        let place = format!("{}:{}", self.path.display(), self.number);
        Error::input(place, format!("{message}: {shown:?}"), "write the file again, with lmplz or `ablate`, and compare its size")
    }
}
