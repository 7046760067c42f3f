//! A strict little reader of markup: the page must be well-formed, and point only at what it holds.

use std::collections::BTreeSet;

const VOID: [&str; 4] = ["meta", "br", "hr", "img"];

/// A tag with its attributes.
#[derive(Debug)]
pub struct Element {
    /// Tag name.
    pub tag: String,
    /// Attributes in order; values still escaped.
    pub attributes: Vec<(String, String)>,
}

/// Reads a page. Panics with a reason where it is not well-formed: tags unbalanced, attributes unquoted, `&` bare.
pub fn read(page: &str) -> Vec<Element> {
    let (mut open, mut elements) = (Vec::<String>::new(), Vec::new());
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a doctype");
    while let Some(start) = rest.find('<') {
        entities(&rest[..start]);
        rest = &rest[start + 1..];
        let end = rest.find('>').unwrap_or_else(|| panic!("an open tag without end: {:.60}", rest));
        let inside = &rest[..end];
        assert!(!inside.contains('<'), "a tag in a tag: {inside:.120}");
        rest = &rest[end + 1..];
        if let Some(tag) = inside.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(tag), "closed out of order, near {:.80}", rest);
            continue;
        }
        let empty = inside.ends_with('/');
        let element = element(inside.trim_end_matches('/'));
        if matches!(element.tag.as_str(), "style" | "script") {
            let close = format!("</{}>", element.tag);
            let length = rest.find(&close).expect("the end of a raw element");
            rest = &rest[length + close.len()..];
        } else if !empty {
            assert!(!VOID.contains(&element.tag.as_str()), "{} must end in />", element.tag);
            open.push(element.tag.clone());
        }
        elements.push(element);
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "left open: {open:?}");
    links(&elements);
    elements
}

fn element(inside: &str) -> Element {
    let (tag, mut rest) = inside.split_once(char::is_whitespace).unwrap_or((inside, ""));
    assert!(tag.chars().all(|c| c.is_ascii_alphanumeric()), "no tag name: {inside:.80}");
    let mut attributes = Vec::new();
    while !rest.trim().is_empty() {
        let (name, value) = rest.trim_start().split_once("=\"").unwrap_or_else(|| panic!("unquoted attribute: {inside:.120}"));
        let (value, after) = value.split_once('"').expect("a closing quote");
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "-:".contains(c)), "attribute name {name:?} in {inside:.120}");
        assert!(attributes.iter().all(|(other, _)| other != name), "{name} twice in {inside:.120}");
        entities(value);
        attributes.push((name.to_string(), value.to_string()));
        rest = after;
    }
    Element { tag: tag.into(), attributes }
}

fn entities(text: &str) {
    for (at, _) in text.match_indices('&') {
        let name = text[at + 1..].split(';').next().unwrap_or_default();
        let known = ["amp", "lt", "gt", "quot"].contains(&name) || name.starts_with('#');
        assert!(known, "a bare & in {:.60}", &text[at..]);
    }
}

fn links(elements: &[Element]) {
    let all = |wanted: &str| -> Vec<&str> {
        elements.iter().flat_map(|e| &e.attributes).filter(|(name, _)| name == wanted).map(|(_, value)| value.as_str()).collect()
    };
    let ids: BTreeSet<&str> = all("id").into_iter().collect();
    assert_eq!(ids.len(), all("id").len(), "identifiers must be unique");
    for target in all("aria-labelledby").into_iter().chain(all("href").into_iter().filter_map(|href| href.strip_prefix('#'))) {
        assert!(ids.contains(target), "nothing is called {target}");
    }
    for value in all("clip-path") {
        assert!(ids.contains(value.trim_start_matches("url(#").trim_end_matches(')')), "{value}");
    }
}
