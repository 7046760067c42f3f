//! The models that recipes judge by, trained on files.

use super::step::pieces;
use crate::{
    data::{
        Tokenizer,
        pipeline::{
            filter::{NormaliseOptions, normalise},
            formats::{Format, Limits, Read, expand, open},
            language::{
                Held, QualityTrainConfig, Samples,
                fasttext::{TrainConfig, TrainingText},
                ngram::{NgramConfig, Trainer},
                words,
            },
        },
    },
    settings::{Error, Result},
};
use std::path::Path;

/// What an n-gram model was trained on, and what it is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct NgramReport {
    /// Sentences.
    pub sentences: u64,
    /// Words, ends of sentences included.
    pub words: u64,
    /// Distinct n-grams by order.
    pub ngrams: Vec<u64>,
}

/// Calls back with the text of every document of files in any format, as they come.
///
/// # Errors
///
/// Files that are not there, are damaged or of no known format; what the callback says.
pub fn texts_of(paths: &[String], each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
    texts_while(paths, &mut |text| each(text).map(|()| true))
}

/// The same until the callback wants no more.
///
/// # Errors
///
/// As [`texts_of`].
pub fn texts_while(paths: &[String], wanted: &mut dyn FnMut(&str) -> Result<bool>) -> Result<()> {
    for input in expand(paths, None)? {
        let unknown = || Error::input(input.path.display(), "its name does not say what it holds", "name files of text or JSON lines");
        let format = Format::of(&input.path).ok_or_else(unknown)?;
        for read in open(&input, &format, &Limits::default())? {
            match read? {
                Read::Document(document) if wanted(&document.text)? => {}
                Read::Document(_) => return Ok(()),
                Read::Damage(damage) => {
                    return Err(Error::input(
                        damage.place,
                        damage.message,
                        "mend the file or leave it out: models are trained on whole text",
                    ));
                }
            }
        }
    }
    Ok(())
}

/// Trains an n-gram model, a sentence being a document (CCNet) or a line, and writes it: as ARPA if the name ends so.
///
/// # Errors
///
/// Files that cannot be read or hold no word; options out of range; an unwritable target.
pub fn train_ngram(
    config: &NgramConfig,
    paths: &[String],
    lines: bool,
    options: &NormaliseOptions,
    tokenizer: Option<&Path>,
    out: &Path,
) -> Result<NgramReport> {
    let scratch = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut trainer = Trainer::new(config, scratch)?;
    let tokenise = match tokenizer {
        Some(path) => pieces(Tokenizer::read(path)?),
        None => words(),
    };
    let mut sentence = |text: &str| {
        let mut list: Vec<String> = vec![];
        tokenise(&normalise(text, options), &mut |word| list.push(word.to_string()));
        if list.is_empty() { Ok(()) } else { trainer.sentence(list.iter().map(String::as_str)) }
    };
    texts_of(paths, &mut |text| if lines { text.lines().try_for_each(&mut sentence) } else { sentence(text) })?;
    let (sentences, words) = (trainer.sentences(), trainer.words());
    let estimate = trainer.estimate()?;
    let ngrams = estimate.counts();
    if out.extension().is_some_and(|ending| ending == "arpa") {
        estimate.write_arpa(out)?;
    } else {
        estimate.into_model().write(out)?;
    }
    Ok(NgramReport { sentences, words, ngrams })
}

/// Trains a classifier of references against random text.
///
/// # Errors
///
/// Files that cannot be read, too few texts, options out of range, an unwritable target.
pub fn train_quality(config: &QualityTrainConfig, references: &[String], random: &[String], out: &Path) -> Result<Held> {
    let scratch = tempfile::tempdir().map_err(Error::io("create a folder in", &std::env::temp_dir()))?;
    let mut samples = Samples::new(config, scratch.path())?;
    texts_of(references, &mut |text| samples.reference(text).map(drop))?;
    texts_of(random, &mut |text| samples.random(text).map(drop))?;
    samples.train(out)
}

/// Trains an identifier of languages: a label with its files for each. The mean loss of training, in nats.
///
/// # Errors
///
/// Files that cannot be read, fewer than two labels, options out of range, an unwritable target.
pub fn train_language(config: &TrainConfig, labels: &[(String, Vec<String>)], out: &Path) -> Result<f64> {
    let scratch = tempfile::tempdir().map_err(Error::io("create a folder in", &std::env::temp_dir()))?;
    let mut training = TrainingText::new(scratch.path())?;
    for (label, paths) in labels {
        // As the identifier sees documents: paragraphs are short ones.
        texts_of(paths, &mut |text| {
            text.split("\n\n").filter(|part| !part.trim().is_empty()).try_for_each(|part| training.add(label, part))
        })?;
    }
    training.train(config, out)
}
