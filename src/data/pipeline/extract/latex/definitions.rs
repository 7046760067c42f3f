//! The author's own macros, as they are defined.

use super::{
    macros::Macro,
    tokens::{brackets, control, control_with_at, skip_blanks},
};
use std::ops::Range;

/// What a definition does.
#[derive(Debug, PartialEq)]
pub(super) enum Definition {
    /// Defines a macro.
    Macro(String, Macro),
    /// Defines one if there is none of that name yet.
    Provide(String, Macro),
    /// Makes a macro mean what another name means: that one's macro, or else the command itself.
    Let(String, String),
    /// Defines one in a way that is not understood (delimited parameters): uses of the name are left as they are.
    Unknown(String),
}

/// Commands that structure a document: a new definition (a title page's layout, a counter) does not replace them.
const KEPT: [&str; 48] = [
    "part",
    "chapter",
    "section",
    "subsection",
    "subsubsection",
    "paragraph",
    "subparagraph",
    "begin",
    "end",
    "documentclass",
    "documentstyle",
    "usepackage",
    "input",
    "include",
    "bibliography",
    "bibliographystyle",
    "printbibliography",
    "appendix",
    "item",
    "bibitem",
    "label",
    "ref",
    "eqref",
    "cite",
    "citep",
    "citet",
    "caption",
    "footnote",
    "title",
    "author",
    "abstract",
    "maketitle",
    "newcommand",
    "renewcommand",
    "providecommand",
    "def",
    "let",
    "newenvironment",
    "renewenvironment",
    "newtheorem",
    "if",
    "else",
    "fi",
    "relax",
    "par",
    "left",
    "right",
    "verb",
];

/// Whether a control sequence with this name may begin a definition.
pub(super) fn defines(name: &str) -> bool {
    matches!(
        name,
        "newcommand"
            | "renewcommand"
            | "providecommand"
            | "DeclareRobustCommand"
            | "DeclareMathOperator"
            | "def"
            | "gdef"
            | "edef"
            | "xdef"
            | "let"
            | "long"
            | "global"
            | "outer"
            | "protected"
    )
}

/// The definition whose control sequence `name` ends at `at`, and what is behind it; `group_end` knows where groups of `text` end.
///
/// None if it is none; without a definition if it would replace a command that is [`KEPT`].
pub(super) fn parse(text: &str, name: &str, at: usize, group_end: &impl Fn(usize) -> Option<usize>) -> Option<(Option<Definition>, usize)> {
    let reader = Reader { text, group_end };
    let (definition, end) = match name {
        "long" | "global" | "outer" | "protected" => {
            let (next, end) = reader.control(skip_blanks(text, at))?;
            return if defines(next) { parse(text, next, end, group_end) } else { None };
        }
        "let" => reader.let_(at)?,
        "def" | "gdef" | "edef" | "xdef" => reader.def(at)?,
        _ => reader.newcommand(name, at)?,
    };
    let (Definition::Macro(name, _) | Definition::Provide(name, _) | Definition::Let(name, _) | Definition::Unknown(name)) = &definition;
    let kept = KEPT.contains(&name.as_str());
    Some(((!kept).then_some(definition), end))
}

struct Reader<'a, F> {
    text: &'a str,
    group_end: &'a F,
}

impl<'a, F: Fn(usize) -> Option<usize>> Reader<'a, F> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    /// The control sequence at `at`: its name, and what is behind it.
    fn control(&self, at: usize) -> Option<(&'a str, usize)> {
        if self.byte(at) != Some(b'\\') {
            return None;
        }
        let end = control_with_at(self.text, at);
        (end > at + 1).then(|| (&self.text[at + 1..end], end))
    }

    /// The inside of the group at `at`, or of what stands in its place: a control sequence or a character.
    fn value(&self, at: usize) -> Option<Range<usize>> {
        match self.byte(at)? {
            b'{' => (self.group_end)(at).map(|end| at + 1..end - 1),
            b'\\' => Some(at..control(self.text, at)),
            b'}' => None,
            _ => self.text[at..].chars().next().map(|letter| at..at + letter.len_utf8()),
        }
    }

    /// Behind what [`value`](Self::value) gave.
    fn behind(&self, at: usize, value: &Range<usize>) -> usize {
        value.end + usize::from(self.byte(at) == Some(b'{'))
    }

    /// `\newcommand*{\name}[arguments][default]{body}` and its like.
    fn newcommand(&self, command: &str, at: usize) -> Option<(Definition, usize)> {
        let star = self.byte(at) == Some(b'*');
        let at = skip_blanks(self.text, at + usize::from(star));
        let value = self.value(at)?;
        let (name, end) = self.control(skip_blanks(self.text, value.start))?;
        // Nothing but the name is in the braces.
        if self.byte(at) == Some(b'{') && !self.text.get(end..value.end)?.trim().is_empty() {
            return None;
        }
        let mut at = skip_blanks(self.text, self.behind(at, &value).max(end));
        if command == "DeclareMathOperator" {
            let value = self.value(at)?;
            let operator = if star { "\\operatorname*{" } else { "\\operatorname{" };
            let body = format!("{operator}{}}}", &self.text[value.clone()]);
            return Some((Definition::Macro(name.to_string(), Macro::new(0, None, &body)?), self.behind(at, &value)));
        }
        let (mut parameters, mut default) = (0, None);
        if self.byte(at) == Some(b'[') {
            let end = brackets(self.text, at)?;
            parameters = self.text[at + 1..end - 1].trim().parse().ok().filter(|count| *count <= 9)?;
            at = skip_blanks(self.text, end);
            if self.byte(at) == Some(b'[') && parameters > 0 {
                let end = brackets(self.text, at)?;
                default = Some(self.text[at + 1..end - 1].to_string());
                at = skip_blanks(self.text, end);
            }
        }
        let body = self.value(at)?;
        let end = self.behind(at, &body);
        let name = name.to_string();
        Some((
            match Macro::new(parameters, default, &self.text[body]) {
                None => Definition::Unknown(name),
                Some(value) if command == "providecommand" => Definition::Provide(name, value),
                Some(value) => Definition::Macro(name, value),
            },
            end,
        ))
    }

    /// `\def\name#1#2{body}`.
    fn def(&self, at: usize) -> Option<(Definition, usize)> {
        let (name, mut at) = self.control(skip_blanks(self.text, at))?;
        let (mut parameters, mut plain) = (0, true);
        loop {
            match self.byte(at)? {
                b'{' => break,
                b'}' => return None,
                b'#' if self.byte(at + 1) == Some(b'1' + parameters as u8) && parameters < 9 => {
                    parameters += 1;
                    at += 2;
                }
                b' ' | b'\n' | b'\t' if parameters == 0 || self.byte(skip_blanks(self.text, at)) == Some(b'{') => at += 1,
                // Text between parameters delimits them: TeX's pattern matching, which is not done here.
                _ => {
                    plain = false;
                    at += memchr::memchr2(b'{', b'\n', self.text.as_bytes().get(at..)?)?;
                    if self.byte(at) != Some(b'{') {
                        return None;
                    }
                }
            }
        }
        let end = (self.group_end)(at)?;
        let value = if plain { Macro::new(parameters, None, &self.text[at + 1..end - 1]) } else { None };
        let name = name.to_string();
        Some((value.map_or(Definition::Unknown(name.clone()), |value| Definition::Macro(name, value)), end))
    }

    /// `\let\name=\other`.
    fn let_(&self, at: usize) -> Option<(Definition, usize)> {
        let (name, end) = self.control(skip_blanks(self.text, at))?;
        let mut at = skip_blanks(self.text, end);
        if self.byte(at) == Some(b'=') {
            at = skip_blanks(self.text, at + 1);
        }
        match self.control(at) {
            Some((other, end)) => {
                // Blanks behind a control word are no text.
                let blanks = self.text.as_bytes()[end..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
                Some((Definition::Let(name.to_string(), other.to_string()), end + blanks))
            }
            None => {
                let letter = self.text.get(at..)?.chars().next()?;
                Some((Definition::Unknown(name.to_string()), at + letter.len_utf8()))
            }
        }
    }
}
