//! Web archives (ISO 28500: WARC 1.0 and 1.1; WET is the same with text in it), read so that a wrong record costs no other.

mod charset;
mod http;
mod record;

use super::{
    Limits, Read, Source,
    fault::{Damage, Origin, bytes},
    packed,
    pushback::Pushback,
};
use crate::{data::pipeline::Document, settings::Result};
use http::Page;
use record::{Block, Record, Records};
use serde_json::Value;
use std::{collections::VecDeque, io::BufReader};

const BUFFER: usize = 1 << 17;

/// The records of a file that hold text.
pub(super) struct Warc {
    origin: Origin,
    limit: u64,
    records: Records<BufReader<packed::Unpacked>>,
    number: u64,
    /// What was noticed besides what was yielded last.
    noticed: VecDeque<Damage>,
}

impl Warc {
    pub fn open(origin: Origin, limits: &Limits) -> Result<Self> {
        let content = origin.content_at(limits, 0, true)?;
        let records = Records::new(Pushback::new(BufReader::with_capacity(BUFFER, content)), limits.document_bytes);
        Ok(Self { origin, limit: limits.document_bytes, records, number: 0, noticed: VecDeque::new() })
    }

    /// The document of a record, or nothing if it is of a kind that holds none.
    fn interpret(&self, record: &Record, block: Vec<u8>) -> Result<Option<Document>, (&'static str, String)> {
        let kind = record.get("warc-type").unwrap_or_default().to_ascii_lowercase();
        let page = match kind.as_str() {
            "conversion" => {
                let text = String::from_utf8(block).map_err(|error| {
                    let at = error.utf8_error().valid_up_to();
                    ("not_utf8", format!("not UTF-8: byte 0x{:02X} at {at} of the block", error.as_bytes()[at]))
                })?;
                Page { text, content_type: record.mime(), ..Page::default() }
            }
            "response" => match http::response(&block, record, self.limit)? {
                Some(page) => page,
                None => return Ok(None),
            },
            "resource" => match http::resource(&block, record) {
                Some(page) => page,
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        let mut document = Document::new(self.origin.id(self.number), page.text);
        let mut know = |key: &str, value: Option<&str>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                document.meta.insert(key.to_string(), Value::from(value));
            }
        };
        know("url", record.url());
        know("date", record.get("warc-date"));
        know("digest", record.get("warc-payload-digest").or_else(|| record.get("warc-block-digest")));
        know("content_type", Some(&page.content_type));
        know("warc_type", Some(&kind));
        know("warc_language", record.get("warc-identified-content-language"));
        know("charset", page.charset);
        know("truncated", record.get("warc-truncated").or(page.truncated));
        Ok(Some(document))
    }
}

impl Source for Warc {
    fn next(&mut self) -> Result<Option<Read>> {
        loop {
            if let Some(damage) = self.noticed.pop_front() {
                return Ok(Some(Read::Damage(damage)));
            }
            let next = self.number + 1;
            let record = match self.records.next() {
                Ok(Some(record)) => record,
                Ok(None) => return Ok(None),
                Err(error) => return self.origin.faulty(error, &format!("record {next}")),
            };
            self.number = next;
            let place = match record.url() {
                Some(url) => format!("record {next}, {url}"),
                None => format!("record {next}"),
            };
            let block = match self.records.block(&record) {
                Ok(block) => block,
                Err(error) => return self.origin.faulty(error, &place),
            };
            // Found while looking for what comes next: the record itself is whole.
            if let Some(error) = self.records.noticed.take() {
                self.noticed.push_back(self.origin.fault(error, &format!("after record {next}"))?);
            }
            match block {
                Block::Whole(block) => match self.interpret(&record, block) {
                    Ok(Some(document)) => return Ok(Some(Read::Document(document))),
                    Ok(None) => {}
                    Err((rule, message)) => return self.origin.damaged(rule, &place, message),
                },
                // A picture or a film is no text, however long it is.
                Block::TooLong if !record.may_hold_text() => {}
                Block::TooLong => {
                    let (long, most) = (bytes(record.length), bytes(self.limit));
                    let message = format!("a record of {long}, more than {most}, the limit that `document_bytes` sets");
                    return self.origin.damaged("too_long", &place, message);
                }
                Block::Wrong(message) => return self.origin.damaged("length", &place, message),
            }
        }
    }
}
