//! Free answers: where they are in what was generated, and when two are the same.

use super::task::Rule;
use regex::Regex;
use std::sync::LazyLock;

/// One way to find the answer in what was generated.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// The metric that counts answers found in this way.
    pub metric: &'static str,
    find: fn(&str) -> Option<String>,
}

impl Reading {
    /// The answer in what was generated, in its normal form. None where there is none.
    pub fn find(&self, generated: &str) -> Option<String> {
        (self.find)(generated)
    }
}

impl Rule {
    /// The ways to find an answer, the one that counts first.
    pub fn readings(self) -> &'static [Reading] {
        const EXACT: &str = "exact_match";
        match self {
            Self::Words => &[Reading { metric: EXACT, find: |text| Some(words(text, false)) }],
            Self::SpacedWords => &[Reading { metric: EXACT, find: |text| Some(words(text, true)) }],
            Self::Number => {
                &[Reading { metric: EXACT, find: marked_number }, Reading { metric: "exact_match_flexible", find: last_number }]
            }
            Self::Formula => &[Reading { metric: EXACT, find: final_answer }],
        }
    }

    /// The normal form of a right answer.
    pub fn normal(self, answer: &str) -> String {
        match self {
            Self::Words => words(answer, false),
            Self::SpacedWords => words(answer, true),
            Self::Number => number(answer),
            Self::Formula => formula(answer),
        }
    }
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern of ours")
}

/// Words without articles and punctuation. SQuAD deletes ASCII punctuation; TriviaQA makes spaces of it, of a few quotes and of
/// underscores.
fn words(text: &str, spaced: bool) -> String {
    static ARTICLES: LazyLock<Regex> = LazyLock::new(|| regex(r"\b(a|an|the)\b"));
    let marks: String = if spaced {
        let mark = |letter: char| letter.is_ascii_punctuation() || "‘’´".contains(letter);
        text.to_lowercase().chars().map(|letter| if mark(letter) { ' ' } else { letter }).collect()
    } else {
        text.to_lowercase().chars().filter(|letter| !letter.is_ascii_punctuation()).collect()
    };
    ARTICLES.replace_all(&marks, " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// lm-evaluation-harness, GSM8K, `strict-match`.
fn marked_number(text: &str) -> Option<String> {
    static MARKED: LazyLock<Regex> = LazyLock::new(|| regex(r"#### (-?[0-9.,]+)"));
    MARKED.captures(text).map(|found| number(&found[1]))
}

/// lm-evaluation-harness, GSM8K, `flexible-extract`.
fn last_number(text: &str) -> Option<String> {
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| regex(r"(-?[$0-9.,]{2,})|(-?[0-9]+)"));
    NUMBER.find_iter(text).last().map(|found| number(found.as_str()))
}

/// Without commas, dollars and a full stop at the end.
fn number(text: &str) -> String {
    let text = text.replace([',', '$'], "").to_lowercase();
    text.strip_suffix('.').unwrap_or(&text).to_string()
}

/// Minerva's phrase.
fn final_answer(text: &str) -> Option<String> {
    static PHRASE: LazyLock<Regex> = LazyLock::new(|| regex(r"Final Answer: The final answer is(.*?). I hope it is correct."));
    // The phrase may have been cut off by the limit of tokens.
    PHRASE.captures(&format!("{text}I hope it is correct.")).map(|found| formula(found[1].trim()))
}

/// What is in the last `\boxed{}` or `\fbox{}` of a solution.
pub(super) fn boxed(text: &str) -> Option<&str> {
    if let Some((_, rest)) = text.rsplit_once("\\boxed ") {
        return Some(rest.split('$').next().unwrap_or_default());
    }
    let start = text.rfind("\\boxed").or_else(|| text.rfind("\\fbox"))?;
    let open = start + text[start..].find('{')?;
    let mut depth = 0;
    for (at, letter) in text[open..].char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(&text[open + 1..open + at]);
        }
    }
    None
}

const REPLACED: [(&str, &str); 10] = [
    ("an ", ""),
    ("a ", ""),
    (".$", "$"),
    ("\\$", ""),
    (r"\ ", ""),
    (" ", ""),
    ("mbox", "text"),
    (",\\text{and}", ","),
    ("\\text{and}", ","),
    ("\\text{m}", "\\text{}"),
];

/// What is no part of an answer: units and their like, and marks of TeX.
const REMOVED: [&str; 42] = [
    "square",
    "ways",
    "integers",
    "dollars",
    "mph",
    "inches",
    "ft",
    "hours",
    "km",
    "units",
    "\\ldots",
    "sue",
    "points",
    "feet",
    "minutes",
    "digits",
    "cents",
    "degrees",
    "cm",
    "gm",
    "pounds",
    "meters",
    "meals",
    "edges",
    "students",
    "childrentickets",
    "multiples",
    "\\text{s}",
    "\\text{.}",
    "\\text{\ns}",
    "\\text{}^2",
    "\\text{}^3",
    "\\text{\n}",
    "\\text{}",
    r"\mathrm{th}",
    r"^\circ",
    r"^{\circ}",
    r"\;",
    r",\!",
    "{,}",
    "\"",
    "\\dots",
];

fn is_word(removed: &str) -> bool {
    removed.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// The normal form of a formula: Lewkowycz et al. 2022, appendix D, with the mends of lm-evaluation-harness 0.4.13
/// (`minerva_math/utils.py`, `normalize_final_answer`). There is no algebra: 1/2 and 0.5 differ.
fn formula(text: &str) -> String {
    static WORDS: LazyLock<Regex> = LazyLock::new(|| {
        let units: Vec<_> = REMOVED.into_iter().filter(|removed| is_word(removed)).collect();
        regex(&format!(r"\b({})\b", units.join("|")))
    });
    static COMMANDS: LazyLock<Regex> = LazyLock::new(|| regex(r"\\[a-zA-Z]+"));
    static RULES: LazyLock<[(Regex, &str); 8]> = LazyLock::new(|| {
        [
            (r"(.*?)(\$)(.*?)(\$)(.*)", "$$${3}$$"),
            (r"(\\text\{)(.*?)(\})", "${2}"),
            (r"(\\textbf\{)(.*?)(\})", "${2}"),
            (r"(\\overline\{)(.*?)(\})", "${2}"),
            (r"(\\boxed\{)(.*)(\})", "${2}"),
            (r"(frac)([^{])(.)", "frac{${2}}{${3}}"),
            (r"(sqrt)(\[[^\]]*\])(\w)", "${1}${2}{${3}}"),
            (r"(sqrt)([^{\[])", "sqrt{${2}}"),
        ]
        .map(|(pattern, with)| (regex(pattern), with))
    });
    static GROUPS: LazyLock<Regex> = LazyLock::new(|| regex(r"^-?\d{1,3}(,\d{3})+\z"));

    let last = text.rsplit('=').next().unwrap_or_default();
    // Units as words of their own, but not the names of commands.
    let mut answer = WORDS.replace_all(last, |found: &regex::Captures<'_>| {
        let at = found.get(0).map_or(0, |whole| whole.start());
        if last[..at].ends_with('\\') { found[0].to_string() } else { String::new() }
    });
    for (before, after) in REPLACED {
        answer = answer.replace(before, after).into();
    }
    for removed in REMOVED {
        if !is_word(removed) {
            answer = answer.replace(removed, "").into();
            continue;
        }
        // Units that touch what is around them, again outside of commands.
        let (mut clean, mut from) = (String::new(), 0);
        for command in COMMANDS.find_iter(&answer) {
            clean += &answer[from..command.start()].replace(removed, "");
            clean += command.as_str();
            from = command.end();
        }
        clean += &answer[from..].replace(removed, "");
        answer = clean.into();
    }
    for (pattern, with) in RULES.iter() {
        answer = pattern.replace_all(&answer, *with).into_owned().into();
    }
    let answer = answer.replace('$', "");
    if GROUPS.is_match(&answer) { answer.replace(',', "") } else { answer }
}

/// The answer that most samples gave; of several, the one that was given first. Samples without an answer do not vote
/// (self-consistency: Wang et al. 2022; maj1@k of Lewkowycz et al. 2022).
pub(in crate::eval) fn majority(answers: &[Option<String>]) -> Option<&String> {
    let votes = |answer: &String| answers.iter().flatten().filter(|other| *other == answer).count();
    answers.iter().flatten().rev().max_by_key(|answer| votes(answer))
}
