//! A question of Stack Exchange with its answers → text.

use super::html;
use crate::data::pipeline::{Counts, Document, Rules, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::cmp::Reverse;

/// How answers are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// From the highest score to the lowest, as numbers; of equal ones the accepted one first, then the older one.
    #[default]
    Score,
    /// As they come.
    None,
}

/// Questions with their answers: HTML is removed, answers are sorted by score from highest to lowest, as LLaMA did (Touvron et al. 2023,
/// section 2.1); the layout `Q: … A: …` is that of RedPajama-Data (branch `rp_v1`, `data_prep/stack_exchange`).
///
/// Reads `title`, `body` and `answers` (objects with `score`, `body`, `accepted`, `id`) of [`Document::meta`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StackExchange {
    /// Order of the answers.
    pub order: Order,
    /// Put the accepted answer first, whatever its score.
    pub accepted_first: bool,
    /// Keep at most so many answers, the first ones; 0 keeps all.
    pub max_answers: usize,
    /// Leave out answers with a lower score.
    pub min_score: Option<i64>,
    /// Drop questions with fewer answers (`stack_exchange.few_answers`).
    pub min_answers: usize,
    /// Put `- ` before items of lists.
    pub bullets: bool,
}

impl Default for StackExchange {
    fn default() -> Self {
        Self { order: Order::Score, accepted_first: false, max_answers: 0, min_score: None, min_answers: 0, bullets: true }
    }
}

struct Answer {
    score: i64,
    id: i64,
    accepted: bool,
    text: String,
}

/// A whole number, also one that is written as a string, as in the dumps' XML.
fn number(value: Option<&Value>) -> i64 {
    match value {
        Some(Value::String(text)) => text.trim().parse().unwrap_or(0),
        Some(value) => value.as_i64().or_else(|| value.as_f64().map(|value| value as i64)).unwrap_or(0),
        None => 0,
    }
}

fn string<'a>(map: &'a Map<String, Value>, key: &str) -> &'a str {
    map.get(key).and_then(Value::as_str).unwrap_or("")
}

impl StackExchange {
    /// The answers to be shown, in order.
    fn answers(&self, meta: &Map<String, Value>, counts: &mut Counts) -> Vec<Answer> {
        let given = meta.get("answers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let mut answers: Vec<Answer> = Vec::with_capacity(given.len());
        for answer in given.iter().filter_map(Value::as_object) {
            let body = string(answer, "body");
            let score = number(answer.get("score"));
            if self.min_score.is_some_and(|least| score < least) {
                counts.add("stack_exchange.low_score", body.len());
                continue;
            }
            let text = html::text(body, self.bullets).text;
            counts.add("stack_exchange.markup", body.len().saturating_sub(text.len()));
            if !text.is_empty() {
                let accepted = answer.get("accepted").and_then(Value::as_bool).unwrap_or(false);
                answers.push(Answer { score, id: number(answer.get("id")), accepted, text });
            }
        }
        // Stable: without an order they stay as they came.
        match self.order {
            Order::Score => answers.sort_by_key(|answer| (Reverse(answer.score), !answer.accepted, answer.id)),
            Order::None => {}
        }
        if self.accepted_first {
            answers.sort_by_key(|answer| !answer.accepted);
        }
        if self.max_answers > 0 {
            for answer in answers.drain(self.max_answers.min(answers.len())..) {
                counts.add("stack_exchange.more_answers", answer.text.len());
            }
        }
        answers
    }
}

impl Rules for StackExchange {
    /// The text becomes `Q: title`, the question, and `A: ` with each answer, with empty lines between; `body` and `answers` leave
    /// [`Document::meta`]. Drops documents without a question (`stack_exchange.no_question`).
    fn apply(&self, document: &mut Document, counts: &mut Counts) -> Verdict {
        let title = html::text(string(&document.meta, "title"), false).text.replace('\n', " ");
        let body = string(&document.meta, "body");
        let question = html::text(body, self.bullets).text;
        counts.add("stack_exchange.markup", body.len().saturating_sub(question.len()));
        if title.is_empty() && question.is_empty() {
            return Verdict::Drop("stack_exchange.no_question");
        }
        let answers = self.answers(&document.meta, counts);
        if answers.len() < self.min_answers {
            return Verdict::Drop("stack_exchange.few_answers");
        }
        let mut text = String::from("Q: ");
        text.push_str(&title);
        if !title.is_empty() && !question.is_empty() {
            text.push_str("\n\n");
        }
        text.push_str(&question);
        for answer in &answers {
            text.push_str("\n\nA: ");
            text.push_str(&answer.text);
        }
        document.text = text;
        document.meta.remove("body");
        document.meta.remove("answers");
        Verdict::Keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn question(scores: &[Value]) -> Document {
        let answers: Vec<Value> = scores
            .iter()
            .enumerate()
            .map(|(index, score)| json!({"score": score, "body": format!("<p>answer {index}</p>"), "accepted": index == 2, "id": index}))
            .collect();
        let mut document = Document::new("1", "");
        document.meta.insert("title".into(), "How &amp; why?".into());
        document.meta.insert("body".into(), "<p>It <b>fails</b>:</p><pre><code>a  &lt; b\n  c</code></pre><ul><li>one</li></ul>".into());
        document.meta.insert("answers".into(), answers.into());
        document
    }

    fn order(rules: &StackExchange, scores: &[Value]) -> Vec<usize> {
        let mut document = question(scores);
        assert_eq!(rules.apply(&mut document, &mut Counts::default()), Verdict::Keep);
        document.text.split("A: answer ").skip(1).map(|rest| rest.trim().parse().unwrap()).collect()
    }

    #[test]
    fn layout() {
        let mut document = question(&[json!(1), json!(3)]);
        let mut counts = Counts::default();
        assert_eq!(StackExchange::default().apply(&mut document, &mut counts), Verdict::Keep);
        assert_eq!(document.text, "Q: How & why?\n\nIt fails:\na  < b\n  c\n- one\n\nA: answer 1\n\nA: answer 0");
        assert_eq!(document.meta.keys().collect::<Vec<_>>(), ["title"]);
        assert_eq!(counts.get("stack_exchange.markup").times, 3);
    }

    /// RedPajama-Data `rp_v1` sorts scores as strings, which puts 9 before 100 and -1 before -10.
    #[test]
    fn scores_are_numbers() {
        let scores = [json!(9), json!(10), json!(100), json!(-1), json!(-10)];
        assert_eq!(order(&StackExchange::default(), &scores), [2, 1, 0, 3, 4]);
        let strings = scores.map(|score| Value::from(score.to_string()));
        assert_eq!(order(&StackExchange::default(), &strings), [2, 1, 0, 3, 4]);
    }

    #[test]
    fn ties_go_to_the_accepted_one_then_to_the_older_one() {
        assert_eq!(order(&StackExchange::default(), &[json!(5), json!(5), json!(5), json!(5), json!(6)]), [4, 2, 0, 1, 3]);
    }

    #[test]
    fn options() {
        let scores = [json!(9), json!(10), json!(1), json!(-1)];
        let rules = StackExchange::default();
        assert_eq!(order(&StackExchange { order: Order::None, ..rules.clone() }, &scores), [0, 1, 2, 3]);
        assert_eq!(order(&StackExchange { accepted_first: true, ..rules.clone() }, &scores), [2, 1, 0, 3]);
        assert_eq!(order(&StackExchange { max_answers: 2, ..rules.clone() }, &scores), [1, 0]);
        assert_eq!(order(&StackExchange { min_score: Some(0), ..rules.clone() }, &scores), [1, 0, 2]);
        let few = StackExchange { min_answers: 5, ..rules.clone() };
        assert_eq!(few.apply(&mut question(&scores), &mut Counts::default()), Verdict::Drop("stack_exchange.few_answers"));
        let nothing = rules.apply(&mut Document::new("2", "text"), &mut Counts::default());
        assert_eq!(nothing, Verdict::Drop("stack_exchange.no_question"));
    }

    /// What readers do not give, or give in another form, does no harm.
    #[test]
    fn strange_meta() {
        let mut document = Document::new("3", "");
        document.meta.insert("title".into(), "T".into());
        document.meta.insert("body".into(), 7.into());
        document.meta.insert("answers".into(), json!([1, null, {"score": 1e300}, {"body": "<p>x"}, {"score": [], "body": "y"}]));
        assert_eq!(StackExchange::default().apply(&mut document, &mut Counts::default()), Verdict::Keep);
        assert_eq!(document.text, "Q: T\n\nA: x\n\nA: y");
    }
}
