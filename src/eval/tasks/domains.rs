//! Bits per byte over domains, as in Paloma (Magnusson et al. 2023): JSON lines with `text` and, where they have them,
//! `source` and `subdomain`. Without a `source` a file is a domain.

use super::{
    layout::{Entry, Glance, Layout, Protocol},
    rows::{ending, rows},
    task::Question,
};
use crate::settings::{Error, Result};
use std::path::{Path, PathBuf};

/// The layout.
pub(super) struct Domains;

impl Layout for Domains {
    fn name(&self) -> &'static str {
        "domains"
    }

    fn title(&self) -> &'static str {
        "texts by domain, in bits per byte (Paloma: Magnusson et al. 2023)"
    }

    fn fits(&self, glance: &Glance<'_>) -> bool {
        glance.has(&["text"]) && !glance.has(&["label"]) && !glance.has(&["test_list"]) && !glance.named(&["lambada"])
    }

    fn protocol(&self) -> Protocol {
        Protocol::new("bits_per_byte")
    }

    fn read(&self, path: &Path) -> Result<Vec<Entry>> {
        let mut entries: Vec<Entry> = vec![];
        for file in super::rows::files(path, &["jsonl", "ndjson", "json"])? {
            for row in rows(&file)? {
                // Blank documents cost nothing and hold nothing; some of Paloma's files have some.
                let text = row.any_text("text")?;
                if text.is_empty() {
                    continue;
                }
                let source = if row.has("source") { row.text("source")?.to_string() } else { domain(path, &file) };
                let group = if row.has("subdomain") { format!("{source}/{}", row.text("subdomain")?) } else { source };
                let (id, text) = (row.id(&["id"], entries.len()), text.to_string());
                entries.push(Entry { id, group: Some(group), question: Question::Text(text), example: String::new() });
            }
        }
        if entries.is_empty() { Err(Error::input(path.display(), "every text is empty", "name files with text")) } else { Ok(entries) }
    }
}

/// The file's path below the folder that was named, without its ending.
fn domain(folder: &Path, file: &Path) -> String {
    let inside: PathBuf = match file.strip_prefix(folder) {
        Ok(inside) if inside.components().next().is_some() => inside.into(),
        _ => file.file_name().unwrap_or_default().into(),
    };
    let name = inside.display().to_string();
    let end = format!(".{}", ending(file));
    name.rfind(&end).map_or(name.clone(), |at| name[..at].to_string())
}
