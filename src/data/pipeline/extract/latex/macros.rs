//! What a macro stands for.

use super::tokens::{control, control_with_at, ends_in_word, group, push};

/// A macro.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Macro {
    /// How many arguments it takes.
    pub(super) parameters: usize,
    /// The first argument is optional, and this if it is not given.
    pub(super) default: Option<String>,
    /// What it stands for.
    body: Vec<Piece>,
    /// Bytes of the body.
    length: usize,
    /// It stands for a command of LaTeX: the result is not looked at again.
    pub(super) frozen: bool,
    /// It ends in `\xspace`.
    pub(super) spaced: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    Argument(usize),
}

impl Macro {
    /// None if the body uses arguments that the macro does not have.
    pub(super) fn new(parameters: usize, default: Option<String>, body: &str) -> Option<Self> {
        let trimmed = body.trim();
        let spaced = trimmed.ends_with("\\xspace");
        let mut rest = if spaced { &trimmed[..trimmed.len() - "\\xspace".len()] } else { trimmed };
        let mut pieces = Vec::new();
        // Blanks around a body are a space, line breaks too; behind a control word they are nothing.
        let blank = |edge: Option<char>| edge.is_some_and(char::is_whitespace);
        let mut text = if blank(body.chars().next()) && !trimmed.is_empty() { " ".to_string() } else { String::new() };
        let trailing = !spaced && blank(body.chars().next_back()) && !ends_in_word(trimmed);
        while let Some(place) = memchr::memchr2(b'#', b'\\', rest.as_bytes()) {
            text.push_str(&rest[..place]);
            if rest.as_bytes()[place] == b'\\' {
                let end = control(rest, place);
                text.push_str(&rest[place..end]);
                rest = &rest[end..];
                continue;
            }
            match rest.as_bytes().get(place + 1) {
                // For a definition inside of this one.
                Some(b'#') => text.push('#'),
                Some(digit @ b'1'..=b'9') if usize::from(digit - b'0') <= parameters => {
                    if !text.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut text)));
                    }
                    pieces.push(Piece::Argument(usize::from(digit - b'1')));
                }
                _ => return None,
            }
            rest = &rest[place + 2..];
        }
        text.push_str(rest);
        if trailing {
            text.push(' ');
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        Some(Self { parameters, default, body: pieces, length: body.len(), frozen: false, spaced })
    }

    /// A macro that stands for a command of LaTeX.
    pub(super) fn command(name: &str) -> Self {
        let text = if name == "relax" { String::new() } else { format!("\\{name}") };
        Self { parameters: 0, default: None, length: text.len(), body: vec![Piece::Text(text)], frozen: true, spaced: false }
    }

    /// How long the expansion is, in bytes.
    pub(super) fn size(&self, arguments: &[String]) -> usize {
        let used = self.body.iter().map(|piece| match piece {
            Piece::Text(_) => 0,
            Piece::Argument(index) => arguments.get(*index).map_or(0, String::len),
        });
        used.fold(self.length, usize::saturating_add)
    }

    /// What it stands for with these arguments.
    pub(super) fn expand(&self, arguments: &[String]) -> String {
        let mut out = String::with_capacity(self.size(arguments));
        for piece in &self.body {
            match piece {
                Piece::Text(text) => push(&mut out, text),
                Piece::Argument(index) => push(&mut out, arguments.get(*index).map_or("", String::as_str)),
            }
        }
        out
    }

    /// Names of control sequences in its body, in order.
    pub(super) fn uses(&self) -> impl Iterator<Item = &str> {
        let texts = self.body.iter().filter(|_| !self.frozen).filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            Piece::Argument(_) => None,
        });
        texts
            .chain(self.default.as_deref())
            .flat_map(|text| memchr::memchr_iter(b'\\', text.as_bytes()).map(move |at| &text[at + 1..control_with_at(text, at)]))
    }

    /// Whether it is more than one character or command, and no group.
    pub(super) fn needs_group(expansion: &str) -> bool {
        let expansion = expansion.trim_end();
        let single = expansion.chars().nth(1).is_none();
        let word = expansion.starts_with('\\') && control(expansion, 0) == expansion.len() && ends_in_word(expansion);
        let braced = expansion.starts_with('{') && group(expansion, 0) == Some(expansion.len());
        !(single || word || braced)
    }
}
