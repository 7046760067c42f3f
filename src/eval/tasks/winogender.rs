//! WinoGender (Rudinger et al. 2018): `all_sentences.tsv` of the release, whose `sentid` is
//! `occupation.participant.answer.gender.txt`, or Hugging Face's rows. Results are by gender of the pronoun.

use super::{
    layout::{Entry, Glance, Layout, Protocol, choice},
    rows::{Row, rows},
};
use crate::settings::Result;
use std::path::Path;

/// The layout.
pub(super) struct WinoGender;

impl Layout for WinoGender {
    fn name(&self) -> &'static str {
        "winogender"
    }

    fn title(&self) -> &'static str {
        "WinoGender (Rudinger et al. 2018)"
    }

    fn fits(&self, glance: &Glance<'_>) -> bool {
        glance.has(&["sentid", "sentence"])
    }

    fn protocol(&self) -> Protocol {
        Protocol::new("acc")
    }

    fn read(&self, path: &Path) -> Result<Vec<Entry>> {
        rows(path)?.iter().enumerate().map(|(index, row)| entry(index, row)).collect()
    }
}

fn entry(index: usize, row: &Row) -> Result<Entry> {
    let sentence = row.text("sentence")?;
    let (pronoun, people, gold, gender) = if row.has("pronoun") {
        let text = |key: &str| row.text(key).map(str::to_string);
        (text("pronoun")?, [text("occupation")?, text("participant")?], row.label("label", 0, 2)?, text("gender")?)
    } else {
        let id = row.text("sentid")?;
        let parts: Vec<&str> = id.trim_end_matches(".txt").split('.').collect();
        let [occupation, participant, answer, gender] = parts[..] else {
            return Err(row.wrong("sentid", format!("= {id:?} is not occupation.participant.answer.gender.txt")));
        };
        let gold = ["0", "1"].iter().position(|place| *place == answer);
        let gold = gold.ok_or_else(|| row.wrong("sentid", format!("= {id:?} names neither answer 0 nor 1")))?;
        let pronoun = pronoun(sentence, gender).ok_or_else(|| row.wrong("sentence", format!("has no {gender} pronoun")))?;
        (pronoun, [occupation.to_string(), participant.to_string()], gold, gender.to_string())
    };
    let mut letters = pronoun.chars();
    let capital: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters.as_str().to_lowercase().chars()).collect();
    Ok(choice(row.id(&["sentid"], index), Some(gender), &format!("{sentence} ‘{capital}’ refers to the"), &people, gold))
}

/// The sentence's pronoun: its templates have one place for one.
fn pronoun(sentence: &str, gender: &str) -> Option<String> {
    let pronouns: &[&str] = match gender {
        "male" => &["he", "his", "him"],
        "female" => &["she", "her"],
        "neutral" => &["they", "their", "them"],
        _ => return None,
    };
    let mut words = sentence.split(|letter: char| !letter.is_alphabetic());
    words.find(|word| pronouns.contains(&word.to_lowercase().as_str())).map(str::to_string)
}
