//! Rows of `Posts.xml`.

use quick_xml::{Reader, XmlVersion, events::Event};

/// A row as far as it is used.
#[derive(Default)]
pub(super) struct Post {
    pub kind: u8,
    pub id: u64,
    pub parent: u64,
    pub accepted: u64,
    pub score: i64,
    pub title: String,
    pub body: String,
    pub tags: String,
    pub date: String,
    pub licence: String,
}

pub(super) const QUESTION: u8 = 1;
pub(super) const ANSWER: u8 = 2;

impl Post {
    /// A row; without `texts`, only what it is sorted by is kept, but all of it is checked.
    pub fn parse(row: &str, texts: bool) -> Result<Self, String> {
        let mut reader = Reader::from_str(row);
        let event = reader.read_event().map_err(|error| format!("not XML: {error}"))?;
        let (Event::Empty(tag) | Event::Start(tag)) = &event else { return Err("no row".into()) };
        if reader.buffer_position() < row.len() as u64 {
            return Err("more than a row on its line".into());
        }
        let mut post = Self::default();
        for attribute in tag.attributes().with_checks(false) {
            let attribute = attribute.map_err(|error| format!("not XML: {error}"))?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| format!("not XML: {error}"))?;
            let number = || value.parse::<u64>().map_err(|_| "an Id that is no number".to_string());
            let text = || if texts { value.to_string() } else { String::new() };
            match attribute.key.as_ref() {
                "PostTypeId" => post.kind = value.parse().unwrap_or(0),
                "Id" => post.id = number()?,
                "ParentId" => post.parent = number()?,
                "AcceptedAnswerId" => post.accepted = number()?,
                "Score" => post.score = value.parse().map_err(|_| "a Score that is no number".to_string())?,
                "Title" => post.title = text(),
                "Body" => post.body = text(),
                "Tags" => post.tags = text(),
                "CreationDate" => post.date = text(),
                "ContentLicense" => post.licence = text(),
                _ => {}
            }
        }
        Ok(post)
    }
}
