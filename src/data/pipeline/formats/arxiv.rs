//! Bulk source files of arXiv: archives whose members are papers, each packed by itself
//! (<https://info.arxiv.org/help/bulk_data_s3.html>).

use super::{
    Limits, Read, Source,
    fault::{Origin, bytes},
    members::{Members, ending, is_tar},
    packed::Unpacked,
};
use crate::{data::pipeline::Document, settings::Result};
use serde_json::{Map, Value};
use std::io::{BufReader, Read as _};

/// What a paper is made of; pictures and data are not.
const ENDINGS: [&str; 10] = ["", "tex", "ltx", "latex", "sty", "cls", "def", "bbl", "inc", "tikz"];

/// The papers of an archive, each a document whose files are in `meta.files`.
pub(super) struct Arxiv {
    origin: Origin,
    limit: u64,
    papers: Members<BufReader<Unpacked>>,
}

impl Arxiv {
    pub fn open(origin: Origin, limits: &Limits) -> Result<Self> {
        let limit = limits.document_bytes;
        let papers = Members::new(BufReader::new(origin.content(limits)?), limit);
        Ok(Self { origin, limit, papers })
    }

    /// Paths and texts of the files of a paper; or the rule that it breaks, and how.
    fn files(&self, name: &str, raw: &[u8]) -> Result<Map<String, Value>, (&'static str, String)> {
        let long = |what: &str, length: u64| {
            let (long, most) = (bytes(length), bytes(self.limit));
            Err(("too_long", format!("{what} is of {long} or more, more than {most}, the limit that `document_bytes` sets")))
        };
        let mut unpacked = Vec::new();
        let decoder = flate2::read::MultiGzDecoder::new(raw);
        if let Err(error) = decoder.take(self.limit.saturating_add(1)).read_to_end(&mut unpacked) {
            return Err(("corrupt", format!("the gzip data is broken: {error}")));
        } else if unpacked.len() as u64 > self.limit {
            return long("the paper", unpacked.len() as u64);
        }
        let mut files = Map::new();
        if !is_tar(&unpacked) {
            // A paper of one file, which has the name of the paper.
            files.extend(text(&unpacked).map(|text| (format!("{name}.tex"), text.into())));
            return Ok(files);
        }
        let mut members = Members::new(unpacked.as_slice(), self.limit);
        loop {
            let wanted = |path: &str| ENDINGS.contains(&ending(path).as_str());
            match members.next(wanted) {
                Ok(Some(member)) => match member.content {
                    Ok(raw) => files.extend(text(&raw).map(|text| (member.path, text.into()))),
                    Err(length) => return long(&member.path, length),
                },
                Ok(None) => return Ok(files),
                Err(error) => return Err(("tar", error.to_string())),
            }
        }
    }
}

/// UTF-8, or else what papers were written in before it; nothing if it is no text.
fn text(raw: &[u8]) -> Option<String> {
    if raw.contains(&0) {
        return None;
    }
    Some(match std::str::from_utf8(raw) {
        Ok(text) => text.strip_prefix('\u{FEFF}').unwrap_or(text).to_string(),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(raw).0.into_owned(),
    })
}

impl Source for Arxiv {
    fn next(&mut self) -> Result<Option<Read>> {
        loop {
            // Of some papers there is only a PDF.
            let member = match self.papers.next(|path| ending(path) == "gz") {
                Ok(Some(member)) => member,
                Ok(None) => return Ok(None),
                Err(error) => return self.origin.faulty(error, &format!("after {} members", self.papers.number)),
            };
            let place = format!("member {}", member.path);
            let name = member.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".gz").to_string();
            let files = match member.content {
                Ok(raw) => self.files(&name, &raw),
                Err(size) => {
                    let message = format!("{}, more than {}, the limit that `document_bytes` sets", bytes(size), bytes(self.limit));
                    Err(("too_long", message))
                }
            };
            match files {
                Ok(files) if files.is_empty() => {}
                Ok(files) => {
                    let mut document = Document::new(self.origin.id(self.papers.number), "");
                    document.meta.insert("path".into(), member.path.into());
                    document.meta.insert("paper".into(), name.into());
                    document.meta.insert("files".into(), files.into());
                    return Ok(Some(Read::Document(document)));
                }
                Err((rule, message)) => return self.origin.damaged(rule, &place, message),
            }
        }
    }
}
