//! COPA (Roemmele et al. 2011): SuperGLUE's rows (`premise`, `choice1`, `choice2`, `question`, `label` from 0), or the
//! release's `copa-test.xml`.

use super::{
    layout::{Entry, Glance, Layout, Protocol},
    rows::{Row, ending, rows, text},
    task::{Alternative, Choice, Pair, Question, Span},
};
use crate::settings::{Error, Result};
use regex::Regex;
use serde_json::{Map, Value};
use std::path::Path;

/// The layout.
pub(super) struct Copa;

impl Layout for Copa {
    fn name(&self) -> &'static str {
        "copa"
    }

    fn title(&self) -> &'static str {
        "COPA (Roemmele et al. 2011)"
    }

    fn fits(&self, glance: &Glance<'_>) -> bool {
        let release = ending(glance.path) == "xml" && glance.named(&["copa"]);
        release || glance.has(&["premise", "choice1", "choice2", "question"])
    }

    fn protocol(&self) -> Protocol {
        Protocol::new("acc")
    }

    fn read(&self, path: &Path) -> Result<Vec<Entry>> {
        let rows = if ending(path) == "xml" { xml(path)? } else { rows(path)? };
        rows.iter().enumerate().map(|(index, row)| entry(index, row)).collect()
    }
}

fn entry(index: usize, row: &Row) -> Result<Entry> {
    let connector = match row.text("question")? {
        "cause" => "because",
        "effect" => "therefore",
        other => return Err(row.wrong("question", format!("= {other:?} is neither \"cause\" nor \"effect\""))),
    };
    let gold = row.label("label", 0, 2)?;
    let mut premise = row.text("premise")?.trim().to_string();
    // The full stop.
    premise.pop();
    let context = format!("{premise} {connector}");
    let option = |key: &str| {
        let mut letters = row.text(key)?.chars();
        let first = letters.next().into_iter().flat_map(char::to_lowercase);
        // The harness's choices begin with a space, and its delimiter is one too: there are two.
        let text: String = std::iter::once(' ').chain(first).chain(letters).collect();
        Ok(Alternative { pair: Pair { context: context.clone(), continuation: format!(" {text}") }, text })
    };
    let options = vec![option("choice1")?, option("choice2")?];
    let example = options[gold].pair.to_string();
    Ok(Entry {
        id: row.id(&["idx"], index),
        group: None,
        question: Question::Choice(Choice { options, gold, span: Span::Continuation }),
        example,
    })
}

/// The release's items, as SuperGLUE's rows. Their elements hold text alone, which is all that is read of XML here.
fn xml(path: &Path) -> Result<Vec<Row>> {
    let content = text(path)?;
    let regex = |pattern: &str| Regex::new(pattern).expect("a pattern of ours");
    let (item, attribute) = (regex(r"(?s)<item\s([^>]*)>(.*?)</item>"), regex(r#"([\w-]+)\s*=\s*"([^"]*)""#));
    let element = ["p", "a1", "a2"].map(|name| regex(&format!(r"(?s)<{name}>([^<]*)</{name}>")));
    let mut rows = vec![];
    for found in item.captures_iter(&content) {
        let line = 1 + content[..found.get(0).map_or(0, |whole| whole.start())].matches('\n').count();
        let mut row = Row::new(format!("{}:{line}", path.display()), Map::new());
        let attributes = attribute.captures_iter(&found[1]).map(|pair| (pair[1].to_string(), Value::String(plain(&pair[2]))));
        let attributes = row.with(attributes.collect());
        let mut put = |key: &str, value: Value| drop(row.fields.insert(key.into(), value));
        put("idx", attributes.value("id")?.clone());
        put("question", attributes.value("asks-for")?.clone());
        put("label", Value::from(attributes.label("most-plausible-alternative", 1, 2)?));
        for (element, key) in element.iter().zip(["premise", "choice1", "choice2"]) {
            if let Some(content) = element.captures(&found[2]) {
                put(key, Value::String(plain(content[1].trim())));
            }
        }
        rows.push(row);
    }
    if rows.is_empty() {
        Err(Error::input(path.display(), "there is no <item>", "name copa-dev.xml or copa-test.xml of the release"))
    } else {
        Ok(rows)
    }
}

/// Text with XML's five entities resolved.
fn plain(text: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")]
        .iter()
        .fold(text.to_string(), |text, (from, to)| text.replace(from, to))
}
