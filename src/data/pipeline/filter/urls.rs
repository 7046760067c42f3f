//! Block lists of addresses. There is none in this program.

use super::check;
use crate::data::pipeline::{Counts, Document, Rules, Verdict};
use crate::settings::{Error, Result};
use regex::{Regex, RegexBuilder, escape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Bytes of memory for the automaton of all substrings.
const AUTOMATON: usize = 256 << 20;

/// What becomes of documents of which no address is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// They stay.
    #[default]
    Keep,
    /// They go.
    Drop,
}

/// Lists of what is blocked, one entry a line; lines that begin with `#` are comments.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UrlsConfig {
    /// Files of domains: `example.com` blocks its subdomains too.
    pub domains: Vec<String>,
    /// Files of texts that may be anywhere in an address, in any case.
    pub substrings: Vec<String>,
    /// Documents without an address.
    pub missing: Missing,
}

/// Drops documents by `meta.url`: as `domain`, `substring`, or `no_url`.
pub struct Urls {
    domains: HashSet<Box<str>>,
    substrings: Option<Regex>,
    missing: Missing,
}

impl Urls {
    /// Rules for lists.
    ///
    /// # Errors
    ///
    /// A list cannot be read, is empty or too long; there is no list.
    pub fn new(config: &UrlsConfig) -> Result<Self> {
        if config.domains.is_empty() && config.substrings.is_empty() {
            return Err(Error::input("urls", "there is no list", "name files in domains or substrings"));
        }
        let mut domains = HashSet::new();
        for path in &config.domains {
            domains.extend(check::list(path)?.iter().map(|domain| normal(domain).into_boxed_str()));
        }
        let mut substrings = vec![];
        for path in &config.substrings {
            substrings.extend(check::list(path)?.iter().map(|text| escape(text)));
        }
        let substrings = if substrings.is_empty() { None } else { Some(automaton(&substrings.join("|"))?) };
        Ok(Self { domains, substrings, missing: config.missing })
    }
}

fn automaton(pattern: &str) -> Result<Regex> {
    let regex = RegexBuilder::new(pattern).case_insensitive(true).size_limit(AUTOMATON).dfa_size_limit(AUTOMATON).build();
    regex.map_err(|_| Error::input("urls.substrings", "the lists are too long", "use several stages with shorter lists"))
}

/// A domain as it is compared.
fn normal(domain: &str) -> String {
    domain.trim_start_matches("*.").trim_matches('.').to_lowercase()
}

/// The host of an address, which may lack its scheme.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

impl Rules for Urls {
    fn apply(&self, document: &mut Document, _: &mut Counts) -> Verdict {
        let Some(url) = document.meta("url") else {
            return if self.missing == Missing::Drop { Verdict::Drop("no_url") } else { Verdict::Keep };
        };
        let host = normal(host(url.trim()));
        let mut parents = std::iter::successors(Some(host.as_str()), |host| host.split_once('.').map(|(_, parent)| parent));
        if parents.any(|domain| self.domains.contains(domain)) {
            return Verdict::Drop("domain");
        }
        match &self.substrings {
            Some(substrings) if substrings.is_match(url) => Verdict::Drop("substring"),
            _ => Verdict::Keep,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(rules: &Urls, url: Option<&str>) -> Verdict {
        let mut document = Document::new("a", "text");
        if let Some(url) = url {
            document.meta.insert("url".into(), url.into());
        }
        rules.apply(&mut document, &mut Counts::default())
    }

    #[test]
    fn domains_block_their_subdomains_and_substrings_any_part() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_string_lossy().into_owned()
        };
        let config = UrlsConfig {
            domains: vec![write("domains", "# blocked\nBad.example\n*.worse.example\n")],
            substrings: vec![write("substrings", "casino\n.tld/?a\n")],
            missing: Missing::Keep,
        };
        let rules = Urls::new(&config).unwrap();
        for url in ["http://bad.example", "https://u:p@WWW.Bad.Example:8080/x", "//a.b.worse.example?x", "bad.example./", "bad.example"] {
            assert_eq!(verdict(&rules, Some(url)), Verdict::Drop("domain"), "{url}");
        }
        for url in ["http://x.org/Casino-1", "http://a.tld/?a"] {
            assert_eq!(verdict(&rules, Some(url)), Verdict::Drop("substring"), "{url}");
        }
        for url in ["http://notbad.example", "http://x.org/bad.example", "http://bad.example.org", "http://a.tldx?a", "", ":", "@"] {
            assert_eq!(verdict(&rules, Some(url)), Verdict::Keep, "{url}");
        }
        assert_eq!(verdict(&rules, None), Verdict::Keep);
        let rules = Urls::new(&UrlsConfig { missing: Missing::Drop, ..config }).unwrap();
        assert_eq!(verdict(&rules, None), Verdict::Drop("no_url"));
        assert!(Urls::new(&UrlsConfig::default()).is_err());
    }
}
