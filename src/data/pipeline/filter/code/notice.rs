//! Which lines of a comment are notices of copyright and licences.

use crate::data::pipeline::filter::class::pattern;
use regex::Regex;
use std::sync::LazyLock;

/// Phrases of licences, from the texts of those that are common in headers. Over lower case, with single spaces.
const PHRASES: &str = r#"permission is hereby granted|permission to use, copy|permission notice|above copyright notice|redistribution and use
redistributions (?:of|in|must)|neither the name of|(?:this|the) software is provided|this work is provided|(?:"|'|``|“)as[ -]is(?:"|''?|”)
without (?:any )?(?:express or implied )?warrant(?:y|ies)|in no event (?:shall|will)|implied warrant|merchantability
fitness for a particular purpose|licen[sc]ed under|licen[sc]ed to the|licen[sc]e agreement|under the terms of|distributed under
is free software|(?:gnu|lesser|library|affero) general public|(?:mozilla|eclipse|common|gnu) public licen[sc]e|apache licen[sc]e
apache\.org/licen[sc]es|\b(?:mit|isc|bsd|zlib|x11) licen[sc]e|bsd-style|boost software licen[sc]e|creative ?commons
in the public domain|gnu\.org/(?:licen[sc]es|copyleft)|opensource\.org/licen[sc]es|mozilla\.org/mpl|boost\.org/license
governed by (?:a|an|the)\b|you may not use this file|obtain a copy of the licen[sc]e|copy of the licen[sc]e|required by applicable law
see (?:the )?(?:accompanying )?(?:file )?(?:licen[sc]e|copying|copyright)\b|licen[sc]e file in the|licen[sc]e that can be found
should have received a copy|free software foundation|provided that the following conditions
contents of this file are subject to|(?:original|covered) code|initial developer of|notice (?:may|must) not be removed
reproduction of this|misrepresented|plainly marked as such|property of .{0,60} and may not"#;

/// Lines that are a notice by themselves.
const NOTICES: &str = r#"^\W*(?:[@\\]?copyright:? *(?:\(c\)|©|&copy;|\xa9|[0-9\pL]*[0-9]{4}|by\b|the\b)|(?:\(c\)|©) *(?:copyright|[0-9]{4}))
^\W*spdx-|^\W*[@\\]?licen[sc]e *:|^\W*@licen[sc]e\b|^\W*all rights reserved|^\W*(?:portions|parts) copyright
^\W*(?:begin|end) licen[sc]e\b|\bcopyright (?:\(c\)|©|[0-9]{4})|^\W*\(c\) .*[0-9]{4}"#;

/// Lines that go with a notice but are none.
const WEAK: &str = r#"^\W*(?:[@\\]?authors?\b|written by|contributors?\b|[@\\]?maintainers?\b)"#;

/// Lines that go on with the notice before them: other years and holders, an address of mail.
const CONTINUED: &str = r#"^\W*(?:(?:19|20)[0-9]{2}\b.*\pL|\S+@\S+$)"#;

fn alternatives(patterns: &str) -> Regex {
    pattern(&patterns.replace('\n', "|"))
}

static PHRASE: LazyLock<Regex> = LazyLock::new(|| alternatives(PHRASES));
static NOTICE: LazyLock<Regex> = LazyLock::new(|| alternatives(NOTICES));
static EXTRA: LazyLock<Regex> = LazyLock::new(|| alternatives(WEAK));
static FOLLOWS: LazyLock<Regex> = LazyLock::new(|| alternatives(CONTINUED));
/// A proper name after the word: `Copyright Jane Roe`.
static NAMED: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\W*(?:COPYRIGHT|Copyright) +\p{Lu}"));

/// Whether a text has a word that every notice has: most comments do not.
pub(super) fn may_have_any(text: &str) -> bool {
    static WORDS: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r"(?i)copyright|licen[sc]e|©|\(c\)|spdx|rights reserved|permission|warrant|redistribut|free software|public domain|as is")
    });
    WORDS.is_match(text)
}

/// For each line of a comment, without its marks, whether it goes. Empty lines separate paragraphs, and stay here.
pub(super) fn judge(lines: &[&str]) -> Vec<bool> {
    let mut goes = vec![false; lines.len()];
    // For each paragraph its lines, and whether a text of a licence was found in it.
    let mut paragraphs: Vec<(std::ops::Range<usize>, bool)> = vec![];
    let mut start = 0;
    while start < lines.len() {
        let end = lines[start..].iter().position(|line| line.is_empty()).map_or(lines.len(), |length| start + length);
        if end > start {
            let found = paragraph(&lines[start..end], &mut goes[start..end]);
            paragraphs.push((start..end, found));
        }
        start = end + 1;
    }
    // What stands between two parts of a licence is one too.
    let first = paragraphs.iter().position(|(_, found)| *found);
    let last = paragraphs.iter().rposition(|(_, found)| *found);
    if let (Some(first), Some(last)) = (first, last) {
        paragraphs[first + 1..last.max(first + 1)].iter().for_each(|(range, _)| goes[range.clone()].fill(true));
    }
    if goes.contains(&true) {
        let (mut goes_on, mut gone) = (false, false);
        for (goes, line) in goes.iter_mut().zip(lines) {
            let lower = line.to_lowercase();
            // What a file is part of may take several lines, up to the end of the sentence.
            goes_on = (goes_on || lower.contains("file is part of")) && !line.is_empty();
            *goes |= goes_on || EXTRA.is_match(&lower) || gone && FOLLOWS.is_match(&lower);
            goes_on &= !line.ends_with('.');
            gone = *goes;
        }
    }
    goes
}

/// Marks what goes of a paragraph; whether it has the text of a licence.
fn paragraph(lines: &[&str], goes: &mut [bool]) -> bool {
    let lower: Vec<String> = lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()).collect();
    let notice = |at: usize| NOTICE.is_match(&lower[at]) || NAMED.is_match(lines[at]);
    let joined = lower.join(" ");
    let Some(phrase) = PHRASE.find(&joined) else {
        (0..lines.len()).for_each(|at| goes[at] = notice(at));
        return false;
    };
    // The text of a licence runs from the line where the phrase begins, or from the notice before it, to the end.
    let mut end = 0;
    let begins = lower.iter().position(|line| {
        end += line.len() + 1;
        end > phrase.start()
    });
    let first = (0..lines.len()).find(|&at| notice(at)).unwrap_or(usize::MAX).min(begins.unwrap_or(0));
    goes[first..].fill(true);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept<'a>(lines: &[&'a str]) -> Vec<&'a str> {
        let goes = judge(lines);
        lines.iter().zip(goes).filter(|(line, goes)| !goes && !line.is_empty()).map(|(line, _)| *line).collect()
    }

    #[test]
    fn notices_and_licences_go() {
        let none: Vec<&str> = vec![];
        for text in [
            "Copyright (c) 2020 Jane Roe. All rights reserved.\n2021 John Doe",
            "Copyright 2014-2016 The Project Developers",
            "Copyright The Authors.",
            "SPDX-License-Identifier: MIT",
            "© 1999 Example AG\nAuthor: Jane Roe",
            "This program is free software; you can redistribute it\nand/or modify it.\n\nIt comes with nothing else.\n\nYou should have received a copy.",
            "License: BSD",
            "Copyright (C) 2013\n    jane@roe.example",
            "This file is part of Words, a program for\ncounting.\n\nCopyright 2020 Jane Roe",
            "BEGIN LICENSE BLOCK\nCopyright 2020 Jane Roe\nEND LICENSE BLOCK",
        ] {
            assert_eq!(kept(&text.split('\n').collect::<Vec<_>>()), none, "{text}");
        }
    }

    #[test]
    fn what_is_no_notice_stays() {
        let text = ["copyright parsing utilities", "Reads licence files and their names.", "", "Author: Jane Roe", "2020 was a good year"];
        assert_eq!(kept(&text).len(), 4);
        let text = ["foo.c - counts the words of a text", "Copyright (C) 1999 Jane Roe", "", "The words are counted twice."];
        assert_eq!(kept(&text), [text[0], text[3]]);
        let text = ["Copyright 2020 Jane Roe", "", "History:", "2020-01-02 created", "jane@roe.example asked for it"];
        assert_eq!(kept(&text).len(), 3);
        let text = ["Counts words.", "Licensed under the MIT licence, as found", "in the file of that name.", "", "Fast."];
        assert_eq!(kept(&text), [text[0], text[4]]);
    }
}
