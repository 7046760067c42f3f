//! The patterns that cut text into words, written out by hand: a regular expression with look-ahead is most of the time that
//! encoding takes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::LazyLock;

/// How text is cut into words before bytes are merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// GPT-2's: words with the space before them, numbers of any length (openai/gpt-2 `src/encoder.py`).
    Gpt2,
    /// GPT-4's, which LLaMA 3 shares: numbers of up to three digits, line ends apart (`cl100k_base` of openai/tiktoken
    /// `tiktoken_ext/openai_public.py`).
    #[default]
    Gpt4,
    /// Qwen 2's: as GPT-4's with single digits.
    Qwen2,
}

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const GPT4: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Letter,
    Number,
    Space,
    Other,
}

const ASCII: [Kind; 128] = {
    let mut kinds = [Kind::Other; 128];
    let mut byte = 0;
    while byte < 128 {
        kinds[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => Kind::Letter,
            b'0'..=b'9' => Kind::Number,
            b'\t'..=b'\r' | b' ' => Kind::Space,
            _ => Kind::Other,
        };
        byte += 1;
    }
    kinds
};

/// Letters and numbers beyond ASCII as the regular expressions have them: `char::is_alphabetic` is another set.
struct Tables {
    letters: Vec<u64>,
    numbers: Vec<u64>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let all: String = ('\u{80}'..=char::MAX).collect();
    let table = |class: &str| {
        let mut bits = vec![0_u64; 0x11_0000 / 64];
        let class = regex::Regex::new(class).expect("a class");
        for c in class.find_iter(&all).flat_map(|found| found.as_str().chars()) {
            bits[c as usize / 64] |= 1 << (c as usize % 64);
        }
        bits
    };
    Tables { letters: table(r"\p{L}+"), numbers: table(r"\p{N}+") }
});

#[cold]
fn wide(c: char) -> Kind {
    let has = |bits: &[u64]| bits[c as usize / 64] >> (c as usize % 64) & 1 == 1;
    if has(&TABLES.letters) {
        Kind::Letter
    } else if has(&TABLES.numbers) {
        Kind::Number
    } else if c.is_whitespace() {
        Kind::Space
    } else {
        Kind::Other
    }
}

/// A text being cut.
struct Cut<'a> {
    text: &'a str,
    bytes: &'a [u8],
}

impl Cut<'_> {
    /// Kind and bytes of the character at a place, if there is one.
    #[inline]
    fn at(&self, place: usize) -> Option<(Kind, usize)> {
        let byte = *self.bytes.get(place)?;
        if byte < 128 {
            return Some((ASCII[byte as usize], 1));
        }
        let c = self.text[place..].chars().next()?;
        Some((wide(c), c.len_utf8()))
    }

    /// The end of a run of one kind, `most` characters at most.
    #[inline]
    fn run(&self, mut place: usize, kind: Kind, most: usize) -> usize {
        for _ in 0..most {
            match self.at(place) {
                Some((here, width)) if here == kind => place += width,
                _ => break,
            }
        }
        place
    }

    /// The length of a contraction such as `'ll`.
    fn contraction(&self, place: usize, any_case: bool) -> Option<usize> {
        let rest = &self.bytes[place + 1..];
        let byte = |at: usize| rest.get(at).map(|byte| if any_case { byte.to_ascii_lowercase() } else { *byte });
        match (byte(0)?, byte(1)) {
            (b's' | b't' | b'm' | b'd', _) => Some(2),
            (b'r' | b'v', Some(b'e')) | (b'l', Some(b'l')) => Some(3),
            // The long s is an s in any case.
            (0xC5, Some(0xBF)) if any_case && rest[..2] == [0xC5, 0xBF] => Some(3),
            _ => None,
        }
    }

    /// The end of what is cut from a run of white space: all at the end of the text, all but the last character before a word.
    fn spaces(&self, place: usize, lines: bool) -> usize {
        let (mut end, mut last, mut line) = (place, place, place);
        while let Some((Kind::Space, width)) = self.at(end) {
            last = end;
            end += width;
            if matches!(self.bytes[last], b'\r' | b'\n') {
                line = end;
            }
        }
        match () {
            () if lines && line > place => line,
            () if end == self.bytes.len() || last == place => end,
            () => last,
        }
    }

    fn gpt2(&self, place: usize) -> usize {
        let byte = self.bytes[place];
        if byte == b'\''
            && let Some(length) = self.contraction(place, false)
        {
            return place + length;
        }
        if byte == b' '
            && let Some((kind, _)) = self.at(place + 1)
            && kind != Kind::Space
        {
            return self.run(place + 1, kind, usize::MAX);
        }
        match self.at(place) {
            Some((Kind::Space, _)) => self.spaces(place, false),
            Some((kind, _)) => self.run(place, kind, usize::MAX),
            None => place,
        }
    }

    fn gpt4(&self, place: usize, digits: usize) -> usize {
        let byte = self.bytes[place];
        if byte == b'\''
            && let Some(length) = self.contraction(place, true)
        {
            return place + length;
        }
        let Some((kind, width)) = self.at(place) else { return place };
        match kind {
            Kind::Letter => return self.run(place, kind, usize::MAX),
            Kind::Number => return self.run(place, kind, digits),
            _ => {}
        }
        let next = self.at(place + width);
        if !matches!(byte, b'\r' | b'\n') && matches!(next, Some((Kind::Letter, _))) {
            return self.run(place + width, Kind::Letter, usize::MAX);
        }
        if kind == Kind::Other || (byte == b' ' && matches!(next, Some((Kind::Other, _)))) {
            let mut end = self.run(place + usize::from(byte == b' '), Kind::Other, usize::MAX);
            while matches!(self.bytes.get(end), Some(b'\r' | b'\n')) {
                end += 1;
            }
            return end;
        }
        self.spaces(place, true)
    }
}

impl Pattern {
    /// The pattern as a regular expression.
    pub fn text(self) -> &'static str {
        match self {
            Self::Gpt2 => GPT2,
            Self::Gpt4 => GPT4,
            Self::Qwen2 => QWEN2,
        }
    }

    /// Calls `take` with the words of a text, which make up all of it.
    pub(in crate::data::tokenizer) fn split<'a>(self, text: &'a str, mut take: impl FnMut(&'a str)) {
        let cut = Cut { text, bytes: text.as_bytes() };
        let mut start = 0;
        while start < text.len() {
            let end = match self {
                Self::Gpt2 => cut.gpt2(start),
                Self::Gpt4 => cut.gpt4(start, 3),
                Self::Qwen2 => cut.gpt4(start, 1),
            };
            take(&text[start..end]);
            start = end;
        }
    }

    /// The pattern of a `tokenizer.json`, if it is one of these and the only rule by which text is cut.
    pub(in crate::data::tokenizer) fn of_json(json: &Value) -> Option<Self> {
        let plain = |level: &Value| level["type"] == "ByteLevel" && level["add_prefix_space"] == false;
        let rule = &json["pre_tokenizer"];
        if plain(rule) && rule["use_regex"] != false {
            return Some(Self::Gpt2);
        }
        let [split, level] = rule["pretokenizers"].as_array()?.as_slice() else { return None };
        if !(rule["type"] == "Sequence" && plain(level) && level["use_regex"] == false) {
            return None;
        }
        if split["type"] != "Split" || split["behavior"] != "Isolated" || split["invert"] != false {
            return None;
        }
        let text = split["pattern"]["Regex"].as_str()?;
        [Self::Gpt2, Self::Gpt4, Self::Qwen2].into_iter().find(|pattern| pattern.text() == text)
    }
}
