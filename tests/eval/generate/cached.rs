//! What a model says of tokens that it reads piece by piece is what it says of the whole.

use super::{disturbed, numbers, rows, text};
use crate::model::{
    axes::{axes, valid},
    covering::pairwise,
};
use ablate::{
    model::{ModelConfig, ModelSpec, Pass, Transformer, position::PositionConfig},
    ops::{Path, with},
};

const SEQ: usize = 13;

/// A model for each pair of values of the axes.
fn models() -> Vec<(String, ModelSpec)> {
    let axes = axes();
    let sizes: Vec<usize> = axes.iter().map(|axis| axis.values.len()).collect();
    let (rows, _) = pairwise(&sizes, &|row| valid(&axes, row));
    let model = |row: Vec<usize>| {
        let mut config = ModelConfig { context: SEQ, ..Default::default() };
        for (axis, value) in axes.iter().zip(&row) {
            axis.values[*value](&mut config);
        }
        let name = axes.iter().zip(&row).map(|(axis, value)| format!("{} {value}", axis.name)).collect::<Vec<_>>().join(", ");
        (name, config.resolve(None).unwrap())
    };
    rows.into_iter().map(model).collect()
}

/// The terms of the sums on the longest path from a token to a logit, each of which may be rounded: that many units in the last
/// place may come apart.
fn tolerance(spec: &ModelSpec, seq: usize) -> f64 {
    let attention = 2 * spec.width + spec.attention.head_dim + seq + spec.attention.heads * spec.attention.head_dim;
    let block = attention + spec.width + spec.feed_forward.hidden + 4 * spec.width;
    f64::from(f32::EPSILON) * (spec.layers * block + 2 * spec.width) as f64
}

/// The largest difference, relative to the largest number.
fn apart(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0f64, |most, x| most.max(f64::from(x.abs())));
    let difference = found.iter().zip(expected).fold(0f64, |most, (a, b)| most.max(f64::from((a - b).abs())));
    // A number that is none must not pass.
    if found.iter().all(|x| x.is_finite()) { difference / largest } else { f64::INFINITY }
}

/// The logits of a text read in pieces of these lengths.
fn in_pieces(model: &Transformer, tokens: &[u32], pieces: &[usize]) -> Vec<f32> {
    let mut cache = model.cache(vec![0]);
    let (mut at, mut logits) = (0, vec![]);
    for piece in pieces {
        logits.extend(numbers(model.extend(rows(&[&tokens[at..at + piece]]), &mut cache, &Pass::default())));
        at += piece;
        assert_eq!(cache.tokens(0), at);
    }
    assert_eq!(at, tokens.len());
    logits
}

#[test]
fn every_variant_says_the_same_with_a_cache() {
    let (mut worst, mut blind) = (0f64, vec![]);
    for (index, (name, spec)) in models().into_iter().enumerate() {
        let path = if index % 4 == 3 { Path::Composed } else { Path::Fused };
        with(path, || {
            let model = disturbed(&spec, index as u64);
            let tokens = text(spec.vocab, index, SEQ);
            let whole = numbers(model.forward(rows(&[&tokens]), &Pass::default()));
            let tolerance = tolerance(&spec, SEQ);
            for pieces in [&[1; SEQ][..], &[SEQ], &[5, 1, 1, 4, 2], &[1, 10, 2]] {
                let off = apart(&in_pieces(&model, &tokens, pieces), &whole);
                assert!(off <= tolerance, "{name}, {pieces:?}: {off:.1e} of {tolerance:.1e}");
                worst = worst.max(off / tolerance);
            }
            // Proof that a cache that forgets would be seen.
            let alone = numbers(model.forward(rows(&[&tokens[SEQ - 1..]]), &Pass::default()));
            if apart(&alone, &whole[(SEQ - 1) * spec.vocab..]) < 50.0 * tolerance {
                blind.push(name);
            }
        });
    }
    assert!(blind.is_empty(), "these models do not look back: {blind:#?}");
    assert!(worst > 0.0, "the cache was not used: not one bit differs");
}

#[test]
fn rows_of_a_batch_do_not_know_of_each_other() {
    for (index, (name, spec)) in models().into_iter().enumerate() {
        let path = if index % 4 == 2 { Path::Composed } else { Path::Fused };
        with(path, || {
            let model = disturbed(&spec, index as u64);
            let (vocab, tolerance) = (spec.vocab, tolerance(&spec, SEQ));
            // Texts of these lengths, of which the last three tokens come one by one.
            let texts: Vec<Vec<u32>> = [13, 4, 9, 4].iter().enumerate().map(|(row, length)| text(vocab, index + row, *length)).collect();
            let alone: Vec<Vec<f32>> = texts.iter().map(|row| numbers(model.forward(rows(&[row]), &Pass::default()))).collect();
            let longest = 10;
            let filling: Vec<usize> = texts.iter().map(|row| longest - (row.len() - 3)).collect();
            let padded: Vec<Vec<u32>> =
                texts.iter().zip(&filling).map(|(row, filling)| [vec![0; *filling], row[..row.len() - 3].to_vec()].concat()).collect();
            let mut cache = model.cache(filling);
            let mut order = vec![0, 1, 2, 3];
            let padded: Vec<&[u32]> = padded.iter().map(|row| &row[..]).collect();
            let mut logits = numbers(model.extend_to_last(rows(&padded), &mut cache, &Pass::default()));
            for step in 0..4 {
                for (place, row) in order.iter().enumerate() {
                    let length = texts[*row].len() - 3 + step;
                    assert_eq!(cache.tokens(place), length);
                    let off = apart(&logits[place * vocab..][..vocab], &alone[*row][(length - 1) * vocab..][..vocab]);
                    assert!(off <= tolerance, "{name}, row {row}, step {step}: {off:.1e} of {tolerance:.1e}");
                }
                if step == 1 {
                    // One row is done; the others change places.
                    order = vec![3, 0, 2];
                    cache.select(&order, &model);
                }
                if step < 3 {
                    let next: Vec<&[u32]> = order.iter().map(|row| &texts[*row][texts[*row].len() - 3 + step..][..1]).collect();
                    logits = numbers(model.extend_to_last(rows(&next), &mut cache, &Pass::default()));
                }
            }
        });
    }
}

/// Longer than what a layer makes room for at a time, with windows inside and beyond that.
#[test]
fn long_texts_grow_and_drop() {
    let long = 300;
    for (toml, room) in [
        ("attention = { heads = 2 }", [320, 320]),
        ("attention = { heads = 4, kv_heads = 1, window = 10, pattern = [\"window\", \"full\"] }", [73, 320]),
        ("attention = { heads = 2, window = 100, pattern = [\"window\"] }\nposition = { kind = \"alibi\" }", [163, 163]),
        ("attention = { heads = 2, window = 1, pattern = [\"full\", \"window\"] }\nposition = { kind = \"t5\" }", [320, 64]),
        ("attention = { heads = 2, window = 64, pattern = [\"window\"] }\nposition = { kind = \"learned\" }", [127, 127]),
        // Beyond the training context, where tables have to be extended.
        ("context = 64\nattention = { heads = 2 }\nposition = { kind = \"sinusoidal\" }", [320, 320]),
        ("context = 64\nattention = { heads = 2 }\nposition = { kind = \"rope\", theta = 100.0 }", [320, 320]),
    ] {
        let mut config: ModelConfig =
            toml::from_str(&format!("layers = 2\nwidth = 16\nvocab = 17\nfeed_forward = {{ hidden = 24 }}\n{toml}")).unwrap();
        config.context = if toml.starts_with("context") { 64 } else { long };
        let spec = config.resolve(None).unwrap();
        let model = disturbed(&spec, 3);
        let tokens = text(17, 1, long);
        let whole = numbers(model.forward(rows(&[&tokens]), &Pass::default()));
        let tolerance = tolerance(&spec, long);
        let one_by_one = [&[70, 61][..], &[1; 100], &[69]].concat();
        for pieces in [&[1; 300][..], &one_by_one, &[200, 100]] {
            let off = apart(&in_pieces(&model, &tokens, pieces), &whole);
            assert!(off <= tolerance, "{toml}, {} pieces: {off:.1e} of {tolerance:.1e}", pieces.len());
        }
        // A window keeps the window.
        let mut cache = model.cache(vec![0]);
        for token in &tokens {
            model.extend_to_last(rows(&[&[*token]]), &mut cache, &Pass::default());
        }
        assert_eq!(cache.room(), room, "{toml}");
    }
}

#[test]
fn forgotten_tokens_are_read_again() {
    let models = models();
    for (index, (name, spec)) in models.into_iter().enumerate().step_by(5) {
        let model = disturbed(&spec, index as u64);
        let (old, new) = (text(spec.vocab, index, SEQ), text(spec.vocab, index + 1, SEQ));
        let mut cache = model.cache(vec![0]);
        model.extend(rows(&[&old]), &mut cache, &Pass::default());
        // No window dropped anything yet: there are fewer tokens than a layer makes room for.
        assert!(!cache.retreat(SEQ + 1));
        assert!(cache.retreat(8), "{name}");
        let found = numbers(model.extend(rows(&[&new[SEQ - 8..]]), &mut cache, &Pass::default()));
        let mixed = [&old[..SEQ - 8], &new[SEQ - 8..]].concat();
        let whole = numbers(model.forward(rows(&[&mixed]), &Pass::default()));
        let off = apart(&found, &whole[(SEQ - 8) * spec.vocab..]);
        assert!(off <= tolerance(&spec, SEQ), "{name}: {off:.1e}");
    }
}

#[test]
#[should_panic(expected = "learned positions: 14 tokens, trained on 13")]
fn learned_positions_end_with_the_context() {
    let spec = ModelConfig { context: SEQ, vocab: Some(9), position: PositionConfig::Learned(Default::default()), ..Default::default() }
        .resolve(None)
        .unwrap();
    let model = disturbed(&spec, 0);
    let mut cache = model.cache(vec![0]);
    model.extend(rows(&[&text(9, 0, SEQ)]), &mut cache, &Pass::default());
    model.extend(rows(&[&[1]]), &mut cache, &Pass::default());
}
