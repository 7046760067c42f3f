use super::{
    super::tests::{cut, run, run_in},
    *,
};
use std::fs;

#[test]
fn evaluation_text_is_dropped_or_cut() {
    let question = "What is the name of the long river that flows through the old town, by night?";
    let short = "one two three four five six seven eight";
    let evaluations = [Evaluation { name: "rivers".into(), items: vec![question.into(), "Too short.".into(), short.into()] }];
    let long = "Some other words of the page. ".repeat(20);
    let copied = format!("{long}WHAT is the name of the long river, that flows through the old town by night?! {long}");
    let shards = vec![vec![copied, long.clone(), format!("{short}."), question[..60].to_string()]];
    let run_with = |config: ContaminationConfig| run(&Contamination::new(config, &evaluations).unwrap(), &shards);
    let found = run_with(ContaminationConfig { action: ContaminationAction::Drop, ..ContaminationConfig::default() });
    assert_eq!(found.kept().iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false, true]);
    assert_eq!(found.counts.get("contamination.rivers").times, 2);
    let found = run_with(ContaminationConfig::default());
    let left = found.kept()[0].unwrap();
    // 200 characters on both sides went too.
    assert!(!left.to_lowercase().contains("river") && left.chars().count() == 400 + 2 + 403, "{}", left.len());
    assert_eq!(found.documents[0][2], Err("contamination.none-left"));
    assert_eq!((found.summary["items"], found.summary["items found"]), (3, 2));
    let found = run_with(ContaminationConfig { min_words: 9, max_pieces: 1, ..ContaminationConfig::default() });
    assert_eq!(found.kept().iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, true, true]);
    assert_eq!(found.documents[0][0], Err("contamination.pieces"));
}

#[test]
fn common_phrases_are_let_through_and_reports_say_what_was_found() {
    let phrase = "this page is free for all to read and to copy as you like";
    let rare = "a rare line of thirteen words that only one document here has got";
    let items = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    let evaluations =
        [Evaluation { name: "x".into(), items: items(&[phrase, rare]) }, Evaluation { name: "y".into(), items: items(&[rare, "no"]) }];
    let mut texts: Vec<String> = (0..4).map(|number| format!("{phrase} {number}")).collect();
    texts.push(rare.into());
    let stage = Contamination::new(ContaminationConfig { ignore_above: 3, ..ContaminationConfig::default() }, &evaluations).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let found = run_in(folder.path(), &stage, &cut(&texts, 2), 0, 1);
    assert_eq!(found.kept().iter().filter(|text| text.is_some()).count(), 4);
    let report: serde_json::Value = serde_json::from_slice(&fs::read(folder.path().join("contamination.json")).unwrap()).unwrap();
    let x = serde_json::json!({"name": "x", "items": 2, "items_too_short": 0, "items_found": 1, "documents": 1, "grams_found": 1, "grams_ignored": 2});
    assert_eq!(report[0], x);
    assert_eq!((&report[1]["items_too_short"], &report[1]["items_found"]), (&1.into(), &1.into()));
    let items = fs::read_to_string(folder.path().join("contamination-items.jsonl")).unwrap();
    assert_eq!(items, "{\"evaluation\":\"x\",\"item\":1,\"documents\":1}\n{\"evaluation\":\"y\",\"item\":0,\"documents\":1}\n");
}
