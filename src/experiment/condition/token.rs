//! The words of a condition.

/// One word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(f64),
    Text(String),
    /// A key, or a word of the language: `true`, `in`.
    Name(String),
    /// An operator or a bracket.
    Sign(&'static str),
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "'{text}'"),
            Self::Name(name) => f.write_str(name),
            Self::Sign(sign) => f.write_str(sign),
        }
    }
}

/// Longer signs first: `<=` is not `<` and `=`.
const SIGNS: [&str; 19] = ["&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "+", "-", "*", "/", "(", ")", "[", "]", ",", "="];

/// Cuts a condition into words.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let taken = if first == '\'' || first == '"' {
            let inner = &rest[1..];
            let end = inner.find(first).ok_or_else(|| format!("the text {rest} has no end"))?;
            tokens.push(Token::Text(inner[..end].into()));
            end + 2
        } else if first.is_ascii_digit() || first == '.' {
            let end = number_end(rest);
            let number = rest[..end].replace('_', "").parse().map_err(|_| format!("`{}` is no number", &rest[..end]))?;
            tokens.push(Token::Number(number));
            end
        } else if first.is_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).unwrap_or(rest.len());
            tokens.push(Token::Name(rest[..end].into()));
            end
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(*sign)).ok_or_else(|| format!("`{first}` means nothing here"))?;
            if *sign == "=" {
                return Err("`=` means nothing here; `==` compares".into());
            }
            tokens.push(Token::Sign(sign));
            sign.len()
        };
        rest = rest[taken..].trim_start();
    }
    Ok(tokens)
}

/// The end of a number such as `20e6`, `1.5e-3`, `1_000`.
fn number_end(text: &str) -> usize {
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let sign_of_exponent = (c == '-' || c == '+') && (before == 'e' || before == 'E');
        if !(c.is_ascii_alphanumeric() || c == '.' || c == '_' || sign_of_exponent) {
            return at;
        }
        before = c;
    }
    text.len()
}
