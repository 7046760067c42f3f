//! RACE, middle and high (Lai et al. 2017): the release's folders of `.txt` files that hold JSON, EleutherAI's rows (a list
//! of `problems` an article, written in Python), or Hugging Face's (a row a question).
//!
//! As in lm-evaluation-harness, the last question of an article is asked, behind the others with their answers.

use super::{
    layout::{Entry, Glance, Layout, Protocol, choice},
    rows::{Row, ending, files, rows, text},
};
use crate::settings::{Error, Result};
use serde_json::Value;
use std::path::Path;

/// The layout.
pub(super) struct Race;

/// A question about an article.
struct Problem {
    question: String,
    options: Vec<String>,
    answer: usize,
}

impl Layout for Race {
    fn name(&self) -> &'static str {
        "race"
    }

    fn title(&self) -> &'static str {
        "RACE, middle and high (Lai et al. 2017)"
    }

    fn fits(&self, glance: &Glance<'_>) -> bool {
        let release = ending(glance.path) == "txt" || glance.path.is_dir() && glance.row.is_none();
        let rows = glance.has(&["article", "problems"]) || glance.has(&["article", "question", "options", "answer"]);
        rows || glance.has(&["article", "questions", "options", "answers"]) || release && glance.named(&["race"])
    }

    fn protocol(&self) -> Protocol {
        Protocol::new("acc")
    }

    fn read(&self, path: &Path) -> Result<Vec<Entry>> {
        let texts = if path.is_dir() { files(path, &["txt"]).unwrap_or_default() } else { vec![path.to_path_buf()] };
        if texts.first().is_some_and(|file| ending(file) == "txt") {
            let entry = |(index, file): (usize, &std::path::PathBuf)| {
                let fields = serde_json::from_str(&text(file)?)
                    .map_err(|error| Error::input(file.display(), format!("not JSON: {error}"), "name a folder of RACE's release"))?;
                let row = Row::new(file.display().to_string(), fields);
                let level = ["middle", "high"].into_iter().find(|level| file.parent().is_some_and(|folder| folder.ends_with(level)));
                let id = file.file_stem().map_or(index.to_string(), |name| name.to_string_lossy().into_owned());
                entry(id, level.map(str::to_string), &row, &released(&row)?)
            };
            return texts.iter().enumerate().map(entry).collect();
        }
        let rows = rows(path)?;
        // A row a question: those of an article stand together.
        let articles =
            rows.chunk_by(|a, b| !a.has("problems") && !a.has("questions") && a.fields.get("article") == b.fields.get("article"));
        let entry = |(index, rows): (usize, &[Row])| {
            let row = &rows[0];
            let problems = if row.has("problems") {
                listed(row)?
            } else if row.has("questions") {
                released(row)?
            } else {
                rows.iter().map(single).collect::<Result<_>>()?
            };
            entry(row.id(&["id", "example_id"], index), None, row, &problems)
        };
        articles.enumerate().map(entry).collect()
    }
}

/// The release's form: `questions`, `options`, `answers` side by side.
fn released(row: &Row) -> Result<Vec<Problem>> {
    let (questions, answers, options) = (row.texts("questions", 1)?, row.texts("answers", 1)?, row.list("options")?);
    if questions.len() != answers.len() || questions.len() != options.len() {
        return Err(row.wrong("questions", format!("are {}, options {}, answers {}", questions.len(), options.len(), answers.len())));
    }
    let problem = |((question, answer), options): ((String, String), &Value)| {
        let inner = row.with([("options".to_string(), options.clone())].into_iter().collect());
        problem(&inner, question, inner.texts("options", 2)?, &answer)
    };
    questions.into_iter().zip(answers).zip(options).map(problem).collect()
}

/// EleutherAI's form: `problems` is a list, written as Python writes one.
fn listed(row: &Row) -> Result<Vec<Problem>> {
    let value = match row.value("problems")? {
        Value::String(written) => python_literal(written).ok_or_else(|| row.wrong("problems", "is no list as Python writes it"))?,
        other => other.clone(),
    };
    let list = row.with([("problems".to_string(), value)].into_iter().collect());
    let problems = list.objects("problems")?;
    if problems.is_empty() {
        return Err(row.wrong("problems", "is empty"));
    }
    problems.iter().map(single).collect()
}

fn single(row: &Row) -> Result<Problem> {
    problem(row, row.text("question")?.to_string(), row.texts("options", 2)?, row.text("answer")?)
}

fn problem(row: &Row, question: String, options: Vec<String>, answer: &str) -> Result<Problem> {
    let place = ["A", "B", "C", "D"].iter().position(|letter| *letter == answer).filter(|place| *place < options.len());
    let answer = place.ok_or_else(|| row.wrong("answer", format!("= {answer:?} names none of the {} options", options.len())))?;
    Ok(Problem { question, options, answer })
}

fn entry(id: String, group: Option<String>, row: &Row, problems: &[Problem]) -> Result<Entry> {
    let (last, before) = problems.split_last().ok_or_else(|| row.wrong("questions", "is empty"))?;
    let mut context = format!("Article: {}\n\n", row.text("article")?);
    for Problem { question, options, answer } in before {
        let answer = &options[*answer];
        context += &match question.strip_suffix("  _  .") {
            Some(start) => format!("{start} {answer}\n"),
            None => format!("Question: {question}\nAnswer: {answer}\n"),
        };
    }
    context += &last.question;
    Ok(choice(id, group, &context, &last.options, last.answer))
}

/// Lists, dictionaries and strings as Python's `repr` writes them: quotes of either kind, its escapes.
fn python_literal(text: &str) -> Option<Value> {
    let mut json = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' | '"' => {
                let mut content = String::new();
                loop {
                    match letters.next()? {
                        end if end == letter => break,
                        '\\' => content.push(escaped(&mut letters)?),
                        other => content.push(other),
                    }
                }
                json += &Value::String(content).to_string();
            }
            '[' | ']' | '{' | '}' | ',' | ':' => json.push(letter),
            space if space.is_whitespace() => json.push(' '),
            _ => return None,
        }
    }
    serde_json::from_str(&json).ok()
}

fn escaped(letters: &mut impl Iterator<Item = char>) -> Option<char> {
    let digits = match letters.next()? {
        'n' => return Some('\n'),
        't' => return Some('\t'),
        'r' => return Some('\r'),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        other @ ('\\' | '\'' | '"') => return Some(other),
        _ => return None,
    };
    let digits: String = letters.take(digits).collect();
    u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn python_lists_are_read() {
        let written = r#"[{'question': "It's  _  .", 'options': ['a "b"', 'c\'d', 'e\\f\n', 'g\xa0\u2019'], 'answer': 'B'}]"#;
        let expected = json!([{ "question": "It's  _  .", "options": ["a \"b\"", "c'd", "e\\f\n", "g\u{a0}\u{2019}"], "answer": "B" }]);
        assert_eq!(python_literal(written), Some(expected));
        for broken in ["[{'a': b}]", "['a", "[1]", "['\\q']"] {
            assert_eq!(python_literal(broken), None, "{broken}");
        }
    }
}
