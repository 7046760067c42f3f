//! What holds for attention whatever it computes.

use super::{
    Results, Setting,
    attention::{Attention, Bias, Inputs, Options, settings},
    config,
    numbers::{Form, USUAL, close, draw, finite, same, wide},
};
use ablate::ops::reference::Sums;
use proptest::{
    prelude::*,
    sample::{Index, select},
    test_runner::TestCaseResult,
};
use std::ops::Range;

/// Off by a few roundings: the same sums in another order.
const ORDER: f64 = 1e-6;

/// Rows of `width` numbers `[.., rows, width]`, those of `range` of each.
fn rows(x: &[f32], width: usize, rows: usize, range: Range<usize>) -> Vec<f32> {
    x.chunks(rows * width).flat_map(|x| &x[range.start * width..range.end * width]).copied().collect()
}

/// Writes what [`rows`] reads, added to what is there.
fn add_rows(to: &mut [f64], x: &[f32], width: usize, rows: usize, range: Range<usize>) {
    for (to, x) in to.chunks_mut(rows * width).zip(x.chunks(range.len() * width)) {
        to[range.start * width..range.end * width].iter_mut().zip(x).for_each(|(to, x)| *to += f64::from(*x));
    }
}

/// Every kv head of `[batch, kv_heads, ..]`, `group` times.
fn repeated(x: &[f32], heads: usize, group: usize) -> Vec<f32> {
    x.chunks(x.len() / heads).flat_map(|head| std::iter::repeat_n(head, group).flatten()).copied().collect()
}

/// The sum of the heads that [`repeated`] made of one.
fn summed(x: &[f32], heads: usize, group: usize) -> Vec<f64> {
    let size = x.len() / heads / group;
    x.chunks(group * size).flat_map(|heads| (0..size).map(|i| heads.iter().skip(i).step_by(size).map(|x| f64::from(*x)).sum())).collect()
}

/// Both ways agree; what float64 makes of it tells what may cancel.
fn agree(found: &Results, other: Vec<Vec<f64>>, want: Vec<Sums>) -> TestCaseResult {
    prop_assert_eq!(found.len(), other.len());
    for (((name, found), value), Sums { size, .. }) in found.iter().zip(other).zip(want) {
        close(name, found, &Sums { value, size }, ORDER)?;
    }
    Ok(())
}

/// From what is usual to what f32 still multiplies.
fn size() -> impl Strategy<Value = f32> {
    select(&[1f32, 1e2, 1e4, 1e7, 1e11, 1e15][..])
}

proptest! {
    #![proptest_config(config(120))]

    #[test]
    fn what_comes_after_a_query_changes_no_bit_of_it(setting in settings(), at in any::<Index>(), size in size()) {
        let Attention { batch, kv_heads, queries, keys, head_dim, seed, .. } = setting;
        let seen = 1 + at.index(queries);
        let before = setting.inputs();
        let mut after = before.clone();
        for (x, key) in [(&mut after.k, "other keys"), (&mut after.v, "other values")] {
            let other = draw((USUAL.0, size), seed, key, batch * kv_heads * keys, head_dim);
            for (i, x) in x.iter_mut().enumerate().filter(|(i, _)| i / head_dim % keys >= keys - queries + seen) {
                *x = other[i];
            }
        }
        // The output and the gradient of the queries.
        let [before, after] = [before, after].map(|inputs| {
            let found = setting.run_on(&inputs).into_iter().take(2);
            found.map(|(name, x)| (name, rows(&x, head_dim, queries, 0..seen))).collect()
        });
        same(&before, &after)?;
    }

    #[test]
    fn a_window_over_everything_is_none(setting in settings(), more in 0..70usize) {
        let with = |window| Attention { options: Options { window, ..setting.options }, ..setting }.run();
        same(&with(Some(setting.keys + more)), &with(None))?;
    }

    #[test]
    fn one_document_over_everything_is_none(setting in settings()) {
        let with = |starts| setting.run_on(&Inputs { starts, ..setting.inputs() });
        same(&with(Some(vec![0; setting.batch * setting.keys])), &with(None))?;
    }

    #[test]
    fn documents_are_sequences_of_their_own(setting in settings(), mean in select(&[1usize, 2, 8, 60][..])) {
        // One sequence, since the documents of others are elsewhere.
        let whole = Attention { batch: 1, queries: setting.keys, options: Options { documents: Some(mean), ..setting.options }, ..setting };
        let (keys, width, inputs) = (whole.keys, whole.head_dim, whole.inputs());
        let found = whole.run_on(&inputs);
        let mut sums: Vec<Vec<f64>> = found.iter().map(|(_, x)| vec![0.0; x.len()]).collect();
        let starts = inputs.starts.as_ref().unwrap();
        for range in starts.chunk_by(|a, b| a == b).map(|document| document[0]..document[0] + document.len()) {
            let of = |x: &[f32]| rows(x, width, keys, range.clone());
            let alone = Attention { queries: range.len(), keys: range.len(), ..whole };
            let Inputs { q, k, v, dy, table, .. } = &inputs;
            let part = alone.run_on(&Inputs { q: of(q), k: of(k), v: of(v), dy: of(dy), table: table.clone(), starts: None });
            for ((name, x), sum) in part.iter().zip(&mut sums) {
                if name.contains("table") {
                    sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += f64::from(*x));
                } else {
                    add_rows(sum, x, width, keys, range.clone());
                }
            }
        }
        agree(&found, sums, whole.want())?;
    }

    #[test]
    fn groups_are_repeated_heads(setting in settings(), group in 2..=4usize) {
        let Attention { batch, kv_heads, .. } = setting;
        let grouped = Attention { group, ..setting };
        let inputs = grouped.inputs();
        let [k, v] = [&inputs.k, &inputs.v].map(|x| repeated(x, batch * kv_heads, group));
        let each = Attention { kv_heads: kv_heads * group, group: 1, ..grouped }.run_on(&Inputs { k, v, ..inputs.clone() });
        let other = each.iter().map(|(name, x)| match *name {
            "gradient of k" | "gradient of v" => summed(x, batch * kv_heads, group),
            _ => wide(x),
        });
        agree(&grouped.run_on(&inputs), other.collect(), grouped.want())?;
    }

    #[test]
    fn scores_of_any_size_give_numbers(setting in settings(), sizes in [size(), size(), size()]) {
        let [_, _, v, dy, table] = setting.numbers;
        let [q, k, of_table] = sizes.map(|size| (Form::Noise, size));
        let table = if of_table.1 > 1.0 { of_table } else { table };
        for q in [q, (Form::ZeroRows, q.1), (Form::Equal, q.1)] {
            finite(&Attention { numbers: [q, k, v, dy, table], ..setting }.run())?;
        }
    }

    #[test]
    fn a_bias_of_nothing_is_none(setting in settings(), buckets in 2..=16usize) {
        let with = |bias| Attention { options: Options { bias, ..setting.options }, ..setting };
        let (none, zero) = (with(Bias::None), with(Bias::Relative { buckets, max_distance: 40 }));
        let mut inputs = zero.inputs();
        inputs.table.fill(0.0);
        let found = zero.run_on(&inputs);
        agree(&none.run_on(&inputs), found[..4].iter().map(|(_, x)| wide(x)).collect(), none.want())?;
    }
}
