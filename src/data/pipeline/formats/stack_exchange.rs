//! Dumps of Stack Exchange: `Posts.xml`, in which answers come anywhere after their questions.

use super::{
    Limits, Read, Source,
    fault::{Damage, Origin, bytes},
    lines::{Content, Lines},
    packed::Unpacked,
    post::{ANSWER, Post, QUESTION},
    sorted::{Key, Merged, Sorter},
};
use crate::{
    data::pipeline::Document,
    settings::{Error, Result},
};
use serde_json::{Value, json};
use std::{collections::VecDeque, io::BufReader};

const BUFFER: usize = 1 << 17;

/// Questions with their answers: rows are sorted by the question they belong to, on the disk if they are many.
pub(super) struct StackExchange {
    origin: Origin,
    site: Option<String>,
    limit: u64,
    rows: Lines<BufReader<Unpacked>>,
    stage: Stage,
    /// The row that is read from what is sorted.
    row: Vec<u8>,
    /// What was noticed besides what was yielded last.
    noticed: VecDeque<Damage>,
}

enum Stage {
    Reading(Sorter),
    Sorted(Box<Merged>),
    Done,
}

impl StackExchange {
    pub fn open(origin: Origin, site: Option<&str>, limits: &Limits) -> Result<Self> {
        let content = BufReader::with_capacity(BUFFER, origin.content(limits)?);
        let rows = Lines::new(content, 0, limits.document_bytes);
        // Archives unpack to a folder that is named after the site.
        let folder = || {
            let name = origin.path.parent()?.file_name()?.to_str()?;
            let name = name.strip_suffix("-Posts").unwrap_or(name);
            name.ends_with(".com").then_some(name).or_else(|| name.ends_with(".net").then_some(name))
        };
        let site = site.or_else(folder).map(str::to_string);
        let stage = Stage::Reading(Sorter::new(limits.sort_bytes));
        Ok(Self { origin, site, limit: limits.document_bytes, rows, stage, row: Vec::new(), noticed: VecDeque::new() })
    }

    /// Reads rows into the sorter until something is wrong, which is told, or the file ends.
    fn read(&mut self, sorter: &mut Sorter) -> Result<Option<Read>> {
        loop {
            let line = match self.rows.next() {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(None),
                Err(error) => return self.origin.faulty(error, &format!("byte {}", self.rows.offset())),
            };
            let place = format!("byte {}", line.offset);
            let row = match line.content {
                Content::Text(text) => text.trim(),
                Content::TooLong => {
                    let (long, most) = (bytes(line.length), bytes(self.limit));
                    let message = format!("a row of {long}, more than {most}, the limit that `document_bytes` sets");
                    return self.origin.damaged("too_long", &place, message);
                }
                Content::NotUtf8(at) => return self.origin.damaged("not_utf8", &place, format!("not UTF-8 at byte {at} of the line")),
                Content::Binary => return self.origin.damaged("binary", "", "there is a zero byte near its beginning: it is no XML"),
            };
            if !row.starts_with("<row") {
                // Entities that a document type declares are never used; the lines of one are nobody's.
                let around = row.is_empty() || ["<?", "<!", "]>", "<posts", "</posts"].iter().any(|begin| row.starts_with(begin));
                if around {
                    continue;
                }
                return self.origin.damaged("xml", &place, "a line that is no row");
            }
            let post = match Post::parse(row, false) {
                Ok(post) => post,
                Err(message) => return self.origin.damaged("xml", &place, message),
            };
            let (question, id) = match post.kind {
                QUESTION => (post.id, 0),
                ANSWER => (post.parent, post.id),
                // Wikis, tags and moderators' notes.
                _ => continue,
            };
            if post.id == 0 || question == 0 {
                return self.origin.damaged("xml", &place, "a row without Id or ParentId");
            }
            // Not the origin's: what fails here is the folder for temporary files.
            let spilled = sorter.push((question, post.kind, id), row.as_bytes());
            spilled.map_err(Error::io("sort in", std::env::temp_dir()))?;
        }
    }

    /// The next question with all its answers.
    fn group(&mut self, sorted: &mut Merged) -> Result<Option<Read>> {
        let Some((question, kind, number)) = self.next_row(sorted)? else { return Ok(None) };
        let place = format!("post {question}");
        if kind != QUESTION {
            let message = format!("an answer to question {question}, which is not there");
            return self.origin.damaged("orphan", &format!("post {number}"), message);
        }
        let post = self.post();
        let (mut answers, mut length, mut again) = (Vec::new(), self.row.len() as u64, 0);
        while sorted.peek().is_some_and(|(next, ..)| next == question) {
            let Some((_, kind, number)) = self.next_row(sorted)? else { break };
            if kind == QUESTION {
                again += 1;
                continue;
            }
            length += self.row.len() as u64;
            if length > self.limit {
                answers = Vec::new();
                continue;
            }
            match self.post() {
                Ok(answer) => answers.push(answer),
                Err(message) => self.noticed.push_back(self.origin.damage("xml", &format!("post {number}"), message)),
            }
        }
        if again > 0 {
            let message = format!("the question is there {again} times more; the first is taken");
            self.noticed.push_back(self.origin.damage("duplicate", &place, message));
        }
        if length > self.limit {
            let (long, most) = (bytes(length), bytes(self.limit));
            let message = format!("a question with answers of {long}, more than {most}, the limit that `document_bytes` sets");
            return self.origin.damaged("too_long", &place, message);
        }
        match post {
            Ok(post) => Ok(Some(Read::Document(self.document(post, answers)))),
            Err(message) => self.origin.damaged("xml", &place, format!("{message}; {} answers go with it", answers.len())),
        }
    }

    /// Takes the next row of what is sorted.
    fn next_row(&mut self, sorted: &mut Merged) -> Result<Option<Key>> {
        // What fails here is the folder for temporary files.
        sorted.next(&mut self.row).map_err(Error::io("sort in", std::env::temp_dir()))
    }

    /// The post that the row is.
    fn post(&self) -> Result<Post, String> {
        std::str::from_utf8(&self.row).map_err(|error| error.to_string()).and_then(|row| Post::parse(row, true))
    }

    fn document(&self, post: Post, mut answers: Vec<Post>) -> Document {
        // By number, not by text: "9" is no better than "10".
        answers.sort_by_key(|answer| (std::cmp::Reverse(answer.score), answer.id));
        let answers: Vec<Value> = answers
            .into_iter()
            .map(|answer| json!({"id": answer.id, "score": answer.score, "accepted": answer.id == post.accepted, "body": answer.body}))
            .collect();
        let tags: Vec<&str> = post.tags.split(['<', '>', '|']).filter(|tag| !tag.is_empty()).collect();
        let mut document = Document::new(self.origin.id(post.id), "");
        let meta = &mut document.meta;
        if let Some(site) = &self.site {
            meta.insert("site".into(), site.clone().into());
            meta.insert("url".into(), format!("https://{site}/questions/{}", post.id).into());
        }
        for (key, value) in [("date", &post.date), ("licence", &post.licence)] {
            if !value.is_empty() {
                meta.insert(key.into(), value.clone().into());
            }
        }
        meta.insert("tags".into(), tags.into());
        meta.insert("title".into(), post.title.into());
        meta.insert("score".into(), post.score.into());
        meta.insert("body".into(), post.body.into());
        meta.insert("answers".into(), answers.into());
        document
    }
}

impl Source for StackExchange {
    fn next(&mut self) -> Result<Option<Read>> {
        if let Some(damage) = self.noticed.pop_front() {
            return Ok(Some(Read::Damage(damage)));
        }
        loop {
            match std::mem::replace(&mut self.stage, Stage::Done) {
                Stage::Reading(mut sorter) => match self.read(&mut sorter)? {
                    None => {
                        let sorted = sorter.finish().map_err(Error::io("sort in", std::env::temp_dir()))?;
                        self.stage = Stage::Sorted(Box::new(sorted));
                    }
                    damage => {
                        self.stage = Stage::Reading(sorter);
                        return Ok(damage);
                    }
                },
                Stage::Sorted(mut sorted) => {
                    let read = self.group(&mut sorted)?;
                    if read.is_some() {
                        self.stage = Stage::Sorted(sorted);
                    }
                    return Ok(read);
                }
                Stage::Done => return Ok(None),
            }
        }
    }
}
