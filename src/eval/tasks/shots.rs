//! Examples in prompts.

use super::{
    layout::{Entry, Picks, Protocol},
    python_random::PythonRandom,
    task::{Item, Pair, Question},
};
use crate::settings::{Error, Result};

/// The seed of lm-evaluation-harness (`--seed`, fourth number) and of the CORE metric.
const SEED: u64 = 1234;

/// Complete prompts for the entries: `shots` examples from `pool`, or from the entries themselves, before each.
///
/// # Errors
///
/// Fewer rows than examples are asked for.
pub(super) fn prompted(place: &str, entries: Vec<Entry>, pool: Option<&[Entry]>, shots: usize, protocol: &Protocol) -> Result<Vec<Item>> {
    let mut harness = PythonRandom::new(SEED);
    let mut items = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let source = pool.unwrap_or(&entries);
        let own = |candidate: usize| pool.is_none() && candidate == index;
        let allowed = |candidate: &usize| !own(*candidate) && (!protocol.within_group || source[*candidate].group == entry.group);
        let candidates = || (0..source.len()).filter(allowed);
        let there = candidates().count();
        if there < shots {
            let part = entry.group.as_ref().filter(|_| protocol.within_group).map_or(String::new(), |group| format!(" of {group}"));
            let message = format!("{shots} examples are asked for, and there are {there} rows{part} to take them from");
            return Err(Error::input(place, message, "ask for fewer with --shots, or name a file with more with --examples"));
        }
        let picked: Vec<usize> = match protocol.picks {
            _ if shots == 0 => vec![],
            Picks::First => candidates().take(shots).collect(),
            Picks::Core => {
                let candidates: Vec<usize> = candidates().collect();
                PythonRandom::new(SEED + index as u64).sample(candidates.len(), shots).into_iter().map(|i| candidates[i]).collect()
            }
            // The harness draws one more than it needs where the question itself might be among them.
            Picks::Harness if pool.is_none() && source.len() > shots => {
                harness.sample(source.len(), shots + 1).into_iter().filter(allowed).take(shots).collect()
            }
            Picks::Harness => harness.sample(source.len(), shots),
        };
        let examples: String = picked.iter().map(|index| source[*index].example.clone() + protocol.between).collect();
        let before = (protocol.preface)(entry.group.as_deref()) + &examples;
        items.push(Item { id: entry.id.clone(), group: entry.group.clone(), question: behind(&before, entry.question.clone()) });
    }
    Ok(items)
}

/// The question with `before` at the start of its prompts.
fn behind(before: &str, mut question: Question) -> Question {
    if before.is_empty() {
        return question;
    }
    let put = |text: &mut String| text.insert_str(0, before);
    match &mut question {
        Question::Choice(choice) => choice.options.iter_mut().for_each(|option| put(&mut option.pair.context)),
        Question::Continuation(Pair { context, .. }) => put(context),
        Question::Answer(answer) => put(&mut answer.prompt),
        Question::Program(program) => put(&mut program.prompt),
        Question::Text(_) => {}
    }
    question
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: usize, group: &str) -> Entry {
        let question = Question::Continuation(Pair { context: format!("{id}?"), continuation: " !".into() });
        Entry { id: id.to_string(), group: Some(group.into()), question, example: format!("{id}? !") }
    }

    fn contexts(picks: Picks, within_group: bool, pool: Option<&[Entry]>, shots: usize) -> Vec<String> {
        let protocol = Protocol { picks, within_group, ..Protocol::new("acc") };
        let entries = (0..8).map(|i| entry(i, if i % 2 == 0 { "even" } else { "odd" })).collect();
        let items = prompted("f", entries, pool, shots, &protocol).unwrap();
        items
            .into_iter()
            .map(|item| match item.question {
                Question::Continuation(pair) => pair.context,
                _ => unreachable!(),
            })
            .collect()
    }

    #[test]
    fn examples_are_others_of_the_group_and_stand_before_the_question() {
        assert_eq!(contexts(Picks::First, false, None, 2)[..2], ["1? !\n\n2? !\n\n0?", "0? !\n\n2? !\n\n1?"]);
        assert_eq!(contexts(Picks::First, true, None, 2)[1], "3? !\n\n5? !\n\n1?");
        let pool = [entry(100, "even"), entry(101, "odd")];
        assert_eq!(contexts(Picks::First, true, Some(&pool), 1)[1], "101? !\n\n1?");
        for picks in [Picks::First, Picks::Harness, Picks::Core] {
            assert!(contexts(picks, false, None, 0).iter().eq(&(0..8).map(|i| format!("{i}?")).collect::<Vec<_>>()));
            for (own, context) in contexts(picks, false, None, 7).iter().enumerate() {
                assert_eq!(context.matches("\n\n").count(), 7);
                assert_eq!(context.matches(&format!("{own}?")).count(), 1, "{context:?}");
            }
        }
    }

    #[test]
    fn too_few_rows_are_an_error() {
        let protocol = Protocol { within_group: true, ..Protocol::new("acc") };
        let error = prompted("f.jsonl", vec![entry(0, "a"), entry(1, "b")], None, 1, &protocol).unwrap_err().to_string();
        assert!(error.contains("f.jsonl") && error.contains("of a") && error.contains("there are 0"), "{error}");
    }
}
