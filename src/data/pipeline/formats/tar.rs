//! Archives of files.

use super::{
    Limits, Read, Source,
    fault::{Origin, bytes},
    members::{Members, ending},
    packed::Unpacked,
    text::text,
};
use crate::{data::pipeline::Document, settings::Result};
use std::io::BufReader;

/// The regular members of a `.tar`, packed or not, each a document.
pub(super) struct Tar {
    origin: Origin,
    endings: Vec<String>,
    limit: u64,
    members: Members<BufReader<Unpacked>>,
}

impl Tar {
    /// Members with other `endings` are passed over, unless there are none.
    pub fn open(origin: Origin, endings: &[String], limits: &Limits) -> Result<Self> {
        let content = BufReader::new(origin.content(limits)?);
        let endings = endings.iter().map(|ending| ending.trim_start_matches('.').to_ascii_lowercase()).collect();
        let limit = limits.document_bytes;
        Ok(Self { origin, endings, limit, members: Members::new(content, limit) })
    }
}

impl Source for Tar {
    fn next(&mut self) -> Result<Option<Read>> {
        let endings = &self.endings;
        let member = match self.members.next(|path| endings.is_empty() || endings.contains(&ending(path))) {
            Ok(Some(member)) => member,
            Ok(None) => return Ok(None),
            Err(error) => return self.origin.faulty(error, &format!("after {} members", self.members.number)),
        };
        let place = format!("member {}", member.path);
        let raw = match member.content {
            Ok(raw) => raw,
            Err(size) => {
                let message = format!("{}, more than {}, the limit that `document_bytes` sets", bytes(size), bytes(self.limit));
                return self.origin.damaged("too_long", &place, message);
            }
        };
        match text(raw) {
            Ok(text) => {
                let mut document = Document::new(self.origin.id(self.members.number), text);
                document.meta.insert("path".into(), member.path.into());
                Ok(Some(Read::Document(document)))
            }
            Err((rule, message)) => self.origin.damaged(rule, &place, message),
        }
    }
}
