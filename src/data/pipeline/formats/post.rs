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
    /// A row; without `texts`, only its numbers are read.
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
            let value = || attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| format!("not XML: {error}"));
            let number = || value()?.parse::<u64>().map_err(|_| "an Id that is no number".to_string());
            match attribute.key.as_ref() {
                "PostTypeId" => post.kind = value()?.parse().unwrap_or(0),
                "Id" => post.id = number()?,
                "ParentId" => post.parent = number()?,
                "AcceptedAnswerId" => post.accepted = number()?,
                "Score" => post.score = value()?.parse().map_err(|_| "a Score that is no number".to_string())?,
                "Title" if texts => post.title = value()?.into_owned(),
                "Body" if texts => post.body = value()?.into_owned(),
                "Tags" if texts => post.tags = value()?.into_owned(),
                "CreationDate" if texts => post.date = value()?.into_owned(),
                "ContentLicense" if texts => post.licence = value()?.into_owned(),
                _ => {}
            }
        }
        Ok(post)
    }
}
