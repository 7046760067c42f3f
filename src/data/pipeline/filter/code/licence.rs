//! Which licences a document may have.

use super::Missing;
use crate::data::pipeline::{Counts, Document, Rules, Verdict};
use crate::settings::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Depth of parentheses in an expression, at most.
const DEPTH: usize = 32;

/// An allow-list of licences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LicenceConfig {
    /// Identifiers of SPDX, in any case; a `*` at the end stands for any rest. LLaMA's: Apache, BSD and MIT, as the names of
    /// licences in the public BigQuery data have them.
    pub allowed: Vec<String>,
    /// Documents without `meta.licence`.
    pub missing: Missing,
}

impl Default for LicenceConfig {
    fn default() -> Self {
        let allowed = ["MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause"].map(String::from).to_vec();
        Self { allowed, missing: Missing::Drop }
    }
}

/// Drops documents by `meta.licence` (or `meta.license`), an expression of SPDX: of licences joined by `OR` (or by `/`, as crates
/// have written it, or `,`) one must be allowed, of those joined by `AND` all. Dropped as `licence` or `no_licence`; what is no
/// expression is not allowed. A list of names is read as licences of parts: all must be allowed.
pub struct Licence {
    allowed: Vec<String>,
    missing: Missing,
}

impl Licence {
    /// The rule for a list.
    ///
    /// # Errors
    ///
    /// The list is empty.
    pub fn new(config: &LicenceConfig) -> Result<Self> {
        let allowed: Vec<_> = config.allowed.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
        if allowed.iter().all(String::is_empty) {
            return Err(Error::input("licence.allowed", "no licence is allowed", "name some, as MIT"));
        }
        Ok(Self { allowed, missing: config.missing })
    }

    /// Whether an expression allows the use under listed licences.
    pub fn allows(&self, expression: &str) -> bool {
        let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace(['/', ','], " OR ");
        let tokens: Vec<_> = spaced.split_whitespace().collect();
        let mut rest = &tokens[..];
        self.any(&mut rest, 0) == Some(true) && rest.is_empty()
    }

    /// `AND` binds closer than `OR`. None of what is no expression.
    fn any(&self, tokens: &mut &[&str], depth: usize) -> Option<bool> {
        let mut allowed = self.all(tokens, depth)?;
        while is(tokens, "or") {
            *tokens = &tokens[1..];
            allowed |= self.all(tokens, depth)?;
        }
        Some(allowed)
    }

    fn all(&self, tokens: &mut &[&str], depth: usize) -> Option<bool> {
        let mut allowed = self.one(tokens, depth)?;
        while is(tokens, "and") {
            *tokens = &tokens[1..];
            allowed &= self.one(tokens, depth)?;
        }
        Some(allowed)
    }

    fn one(&self, tokens: &mut &[&str], depth: usize) -> Option<bool> {
        let (&first, rest) = tokens.split_first()?;
        *tokens = rest;
        if first == "(" {
            let allowed = if depth < DEPTH { self.any(tokens, depth + 1)? } else { return None };
            let (&last, rest) = tokens.split_first()?;
            *tokens = rest;
            return (last == ")").then_some(allowed);
        }
        // An exception allows more than the licence does.
        if is(tokens, "with") {
            tokens.get(1)?;
            *tokens = &tokens[2..];
        }
        Some(self.listed(first))
    }

    fn listed(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let name = name.trim_end_matches('+');
        self.allowed.iter().any(|allowed| match allowed.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => allowed == name,
        })
    }
}

fn is(tokens: &[&str], word: &str) -> bool {
    tokens.first().is_some_and(|token| token.eq_ignore_ascii_case(word))
}

impl Rules for Licence {
    fn apply(&self, document: &mut Document, _: &mut Counts) -> Verdict {
        let found = ["licence", "license"].iter().find_map(|key| document.meta.get(*key));
        let allowed = match found {
            Some(Value::String(expression)) if !expression.trim().is_empty() => self.allows(expression),
            Some(Value::Array(all)) if !all.is_empty() => all.iter().all(|one| one.as_str().is_some_and(|one| self.allows(one))),
            _ if self.missing == Missing::Drop => return Verdict::Drop("no_licence"),
            _ => true,
        };
        if allowed { Verdict::Keep } else { Verdict::Drop("licence") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn expressions_are_judged_by_their_logic() {
        let rule = Licence::new(&LicenceConfig::default()).unwrap();
        for good in [
            "MIT",
            "mit",
            "apache-2.0",
            "MIT OR GPL-3.0-only",
            "GPL-2.0 or Mit",
            "MIT AND Apache-2.0",
            "MIT/Apache-2.0",
            "MIT / Apache-2.0",
            "Apache-2.0 WITH LLVM-exception",
            "(MIT OR GPL-3.0) AND BSD-3-Clause",
            "GPL-3.0 AND X OR MIT",
            "Apache-2.0+",
            "(MIT)",
        ] {
            assert!(rule.allows(good), "{good}");
        }
        for bad in [
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "MITX",
            "",
            "OR MIT",
            "MIT OR",
            "(MIT",
            "MIT)",
            "MIT MIT",
            "Apache-2.0 WITH",
            "MIT OR ()",
            "GPL-3.0 AND (MIT OR X)",
            "unlicense",
        ] {
            assert!(!rule.allows(bad), "{bad}");
        }
        assert!(!rule.allows(&"(".repeat(1 << 20)));
        assert!(rule.allows(&format!("{}MIT{}", "(".repeat(9), ")".repeat(9))));
    }

    #[test]
    fn a_star_stands_for_any_rest() {
        let rule = Licence::new(&LicenceConfig { allowed: vec!["BSD*".into()], ..Default::default() }).unwrap();
        assert!(rule.allows("bsd-4-clause") && rule.allows("BSD") && !rule.allows("0BSD"));
        assert!(Licence::new(&LicenceConfig { allowed: vec![], ..Default::default() }).is_err());
    }

    #[test]
    fn documents_are_dropped_by_what_is_known_of_them() {
        let verdict = |missing, value: Option<Value>| {
            let mut document = Document::new("a", "text");
            document.meta.extend(value.map(|value| ("license".to_string(), value)));
            let config = LicenceConfig { missing, ..Default::default() };
            Licence::new(&config).unwrap().apply(&mut document, &mut Counts::default())
        };
        assert_eq!(verdict(Missing::Drop, Some(json!("MIT"))), Verdict::Keep);
        assert_eq!(verdict(Missing::Drop, Some(json!(["MIT", "GPL-3.0"]))), Verdict::Drop("licence"));
        assert_eq!(verdict(Missing::Drop, Some(json!(["MIT", "Apache-2.0"]))), Verdict::Keep);
        for none in [None, Some(json!(" ")), Some(json!(null)), Some(json!([]))] {
            assert_eq!(verdict(Missing::Drop, none.clone()), Verdict::Drop("no_licence"));
            assert_eq!(verdict(Missing::Keep, none), Verdict::Keep);
        }
    }
}
