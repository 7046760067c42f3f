//! Personal data: addresses of mail and of computers, numbers of telephones. Replaced, not judged.

mod find;

use crate::data::pipeline::{Counts, Document, Rules, Verdict};
use crate::settings::{Error, Result};
use find::Found;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is replaced, and by what. Replacements are taken in turn, from the first in each document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PiiConfig {
    /// Replaces addresses of mail.
    pub emails: bool,
    /// What by. datatrove's: domains that are reserved for examples.
    pub email_replacements: Vec<String>,
    /// Replaces IPv4 addresses.
    pub addresses: bool,
    /// What by. datatrove's: addresses that did not answer when its list was made.
    pub address_replacements: Vec<String>,
    /// Leaves addresses that are no one's own: private, local, reserved ones.
    pub only_public: bool,
    /// Leaves what is part of a longer number (`1.2.3.4.5`, `1234.5.6.7`). datatrove replaces parts of numbers.
    pub whole_addresses: bool,
    /// Replaces what looks like a telephone number: 8 to 15 digits in groups, with an area code in parentheses, a leading `+`, or
    /// groups of the North American kind. Not in datatrove; off.
    pub phones: bool,
    /// What by: numbers that are reserved for fiction.
    pub phone_replacements: Vec<String>,
}

impl Default for PiiConfig {
    fn default() -> Self {
        let strings = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect();
        Self {
            emails: true,
            email_replacements: strings(&["email@example.com", "firstname.lastname@example.org"]),
            addresses: true,
            address_replacements: strings(&[
                "22.214.171.124",
                "126.96.36.199",
                "188.8.131.52",
                "184.108.40.206",
                "220.127.116.11",
                "18.104.22.168",
            ]),
            only_public: true,
            whole_addresses: true,
            phones: false,
            phone_replacements: strings(&["+1 202-555-0143", "+1 202-555-0178"]),
        }
    }
}

/// Replaces personal data; each replacement is counted as `email`, `address` or `phone`. (datatrove v0.10.1,
/// `pipeline/formatters/pii.py`, goes on with the next replacement from document to document, so that its output depends on
/// what came before.)
pub struct Pii(PiiConfig);

impl Pii {
    /// Rules for what a configuration names.
    ///
    /// # Errors
    ///
    /// There is nothing to replace something by, or nothing is replaced.
    pub fn new(config: &PiiConfig) -> Result<Self> {
        if !config.emails && !config.addresses && !config.phones {
            return Err(Error::input("pii", "nothing is replaced", "switch on emails, addresses or phones"));
        }
        for (on, replacements, place) in [
            (config.emails, &config.email_replacements, "pii.email_replacements"),
            (config.addresses, &config.address_replacements, "pii.address_replacements"),
            (config.phones, &config.phone_replacements, "pii.phone_replacements"),
        ] {
            if on && replacements.is_empty() {
                return Err(Error::input(place, "there is no replacement", "give at least one; it may be empty"));
            }
        }
        Ok(Self(config.clone()))
    }
}

/// Replaces what a search finds, if anything.
fn replace(text: &mut String, found: Vec<Found>, replacements: &[String], rule: &str, counts: &mut Counts) {
    if found.is_empty() {
        return;
    }
    let mut replaced = String::with_capacity(text.len());
    let mut kept = 0;
    for (found, replacement) in found.into_iter().zip(replacements.iter().cycle()) {
        replaced.push_str(&text[kept..found.start]);
        replaced.push_str(replacement);
        counts.add(rule, found.len());
        kept = found.end;
    }
    replaced.push_str(&text[kept..]);
    *text = replaced;
}

impl Rules for Pii {
    fn apply(&self, document: &mut Document, counts: &mut Counts) -> Verdict {
        let (config, text) = (&self.0, &mut document.text);
        if config.emails {
            let found = find::emails(text);
            replace(text, found, &config.email_replacements, "email", counts);
        }
        if config.addresses {
            let found = find::addresses(text, config.only_public, config.whole_addresses);
            replace(text, found, &config.address_replacements, "address", counts);
        }
        if config.phones {
            let found = find::phones(text);
            replace(text, found, &config.phone_replacements, "phone", counts);
        }
        Verdict::Keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(config: &PiiConfig, text: &str) -> (String, Counts) {
        let (mut document, mut counts) = (Document::new("a", text), Counts::default());
        assert_eq!(Pii::new(config).unwrap().apply(&mut document, &mut counts), Verdict::Keep);
        (document.text, counts)
    }

    #[test]
    fn mail_and_public_addresses_are_replaced_in_turn() {
        let text = "Mail a.b+c@x-y.co.uk, d@e.fr or f@g.de; from 8.8.8.8 or 10.0.0.1 or 300.1.1.1.";
        let (text, counts) = cleaned(&PiiConfig::default(), text);
        assert_eq!(
            text,
            "Mail email@example.com, firstname.lastname@example.org or email@example.com; from 22.214.171.124 or 10.0.0.1 or 300.1.1.1."
        );
        assert_eq!((counts.get("email").times, counts.get("address").times), (3, 1));
        assert_eq!(counts.get("email").bytes, 27);
    }

    /// datatrove's pattern has no borders: it replaces part of a number, and the number is another one.
    #[test]
    fn parts_of_longer_numbers_are_replaced_only_when_that_is_asked_for() {
        let config = PiiConfig { whole_addresses: false, ..Default::default() };
        for text in ["version 1.2.3.4.5", "the sum 1234.5.6.7 is", "3999.9.9.94"] {
            assert_eq!(cleaned(&PiiConfig::default(), text).0, text);
            assert_ne!(cleaned(&config, text).0, text);
        }
        assert_eq!(cleaned(&PiiConfig::default(), "at 1.2.3.4.").0, "at 22.214.171.124.");
    }

    /// datatrove's replacements depend on the documents before.
    #[test]
    fn replacements_begin_anew_in_each_document() {
        let rules = Pii::new(&PiiConfig::default()).unwrap();
        for _ in 0..2 {
            let mut document = Document::new("a", "a@b.cd");
            rules.apply(&mut document, &mut Counts::default());
            assert_eq!(document.text, "email@example.com");
        }
    }

    #[test]
    fn telephone_numbers_are_replaced_when_that_is_asked_for() {
        let config = PiiConfig { phones: true, ..Default::default() };
        for number in ["+49 30 1234 5678", "(030) 123-4567", "555-867-5309", "+1 (415) 555 2671", "0049-30-12345678"] {
            let text = format!("call {number} now");
            assert_eq!(cleaned(&config, &text).0, "call +1 202-555-0143 now", "{number}");
            assert_eq!(cleaned(&PiiConfig::default(), &text).0, text);
        }
        for other in ["2023-10-11", "1999-2000", "10.1093/nar", "1 000 000 000", "ISBN 978-3-16-148410-0", "3.14159265358", "12:30-14:00"] {
            assert_eq!(cleaned(&config, other).0, other);
        }
    }

    #[test]
    fn hostile_texts_are_searched_in_time() {
        let config = PiiConfig { phones: true, ..Default::default() };
        for piece in ["@", "a@", "a@b", "1.", "255.255.255.", "(1", "+1 ", "a@[1.", "1-"] {
            cleaned(&config, &piece.repeat(1 << 17));
        }
    }

    #[test]
    fn settings_that_replace_nothing_are_refused() {
        let off = PiiConfig { emails: false, addresses: false, ..Default::default() };
        assert!(Pii::new(&off).is_err());
        assert!(Pii::new(&PiiConfig { email_replacements: vec![], ..Default::default() }).is_err());
    }
}
