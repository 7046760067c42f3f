//! A summary as an experiment would leave it, with metrics and records to match, made from a formula.

use ablate::{
    experiment::{
        ArmSummary, Claim, Comparison, Cost, Difference, FactorSummary, MetricSummary, PublishedSummary, Quantity, Role, Solved, Summary,
        Verdict, WelchSummary,
    },
    train::{Outcome, RunResult},
};
use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

/// An arm of the example: name, effect against the arm before, verdict.
pub type Arm<'a> = (&'a str, f64, Verdict);

/// LLaMA's changes one on another.
pub const LADDER: [Arm<'static>; 6] = [
    ("vaswani", 0.0, Verdict::Base),
    ("pre-norm", -0.0871, Verdict::Better),
    ("rmsnorm", 0.0007, Verdict::NoDifference),
    ("swiglu", -0.0242, Verdict::Better),
    ("rope", -0.0318, Verdict::Better),
    ("no-bias", 0.0059, Verdict::Worse),
];

/// A small deterministic wobble in [-1, 1].
pub fn wobble(key: u64) -> f64 {
    let mut x = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d;
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 32;
    (x >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

/// The example with these arms and seeds; in a ladder each arm is compared with the one before and with the base.
pub fn summary(arms: &[Arm], seeds: u64, ladder: bool) -> Summary {
    let mut level = 2.3147;
    let base = level;
    let mut made: Vec<ArmSummary> = Vec::new();
    for (index, (name, effect, verdict)) in arms.iter().enumerate() {
        level = if ladder { level + effect } else { base + effect };
        let values: BTreeMap<u64, Option<f64>> = (0..seeds).map(|s| (s, Some(level + value_noise(index, s)))).collect();
        let reference = if index == 0 {
            None
        } else if ladder {
            Some(index - 1)
        } else {
            Some(0)
        };
        let compare = |reference: usize, delta: f64, verdict| {
            let half = 0.0021 + 0.0008 * wobble(index as u64);
            comparison(arms[reference].0, delta, half, seeds, verdict)
        };
        let mut comparisons: Vec<Comparison> = reference.map(|r| compare(r, *effect, *verdict)).into_iter().collect();
        if ladder && index > 1 {
            let delta = level - base;
            comparisons.push(compare(0, delta, if delta < 0.0 { Verdict::Better } else { Verdict::Worse }));
        }
        let first = comparisons.first().cloned();
        let mean = values.values().flatten().sum::<f64>() / seeds.max(1) as f64;
        let verdict = first.as_ref().map_or(Verdict::Base, |c| c.verdict);
        let metric = |times: f64| MetricSummary {
            mean: Some(mean + times),
            ci95: (seeds > 1).then_some([mean + times - 0.01, mean + times + 0.01]),
            delta: first.as_ref().and_then(|c| c.delta),
            delta_ci95: first.as_ref().and_then(|c| c.delta_ci95),
        };
        let undefined = MetricSummary { mean: None, ci95: None, delta: None, delta_ci95: None };
        made.push(ArmSummary {
            name: (*name).into(),
            reference: reference.map(|r| arms[r].0.into()),
            parameters: 1_837_440 - 1_212 * index as u64,
            flops_per_token: 9.8e6 - 1e4 * index as f64,
            tokens: 8_192_000,
            role: if index == 0 { Role::Base } else { Role::Compared },
            levels: Default::default(),
            cost: Cost {
                runs: seeds as usize,
                tuning_runs: 0,
                tokens: 8_192_000 * seeds,
                flops: 9.8e6 * 8_192_000.0 * seeds as f64,
                seconds: 171.0 * seeds as f64,
                peak_memory_bytes: Some(210 << 20),
            },
            seeds: seeds as usize,
            mean: Some(mean),
            ci95: (seeds > 1).then_some([mean - 0.0094, mean + 0.0094]),
            delta: first.as_ref().and_then(|c| c.delta),
            delta_ci95: first.as_ref().and_then(|c| c.delta_ci95),
            p: first.as_ref().and_then(|c| c.p),
            p_adjusted: first.as_ref().and_then(|c| c.p_adjusted),
            verdict,
            verdict_text: sentence(verdict, first.as_ref()),
            diverged: 0,
            failed: 0,
            tokens_per_second: Some(48_200.0 - 700.0 * index as f64),
            comparisons,
            values,
            metrics: BTreeMap::from([
                ("valid/bits_per_byte@2x".into(), if index < 4 { undefined.clone() } else { metric(0.04) }),
                ("valid/bits_per_byte@4x".into(), if index < 4 { undefined } else { metric(0.11) }),
            ]),
            solved: if *name == "swiglu" { vec![matched()] } else { vec![] },
            differences: if index == 0 { vec![] } else { differences(name) },
            paired_parameters: (index > 0).then_some(0.973),
            folders: (0..seeds).map(|s| (s, format!("{name}/seed-{s}"))).collect(),
        });
    }
    Summary {
        name: "llama-ladder".into(),
        question: "Which of LLaMA's changes to the Transformer pays, at equal parameters and equal tokens?".into(),
        source: Some("Touvron et al. 2023, LLaMA: Open and Efficient Foundation Language Models, section 2.2".into()),
        expected: Some("The paper adopts all changes from earlier work and reports no ablation of its own.".into()),
        metric: "valid/bits_per_byte".into(),
        lower_is_better: true,
        alpha: 0.05,
        margin: None,
        seeds: (0..seeds).collect(),
        sequential: None,
        matched: vec!["parameters, by model.feed_forward.hidden, within 0.41 % (most: swiglu -0.41 %)".into()],
        effects: vec![],
        scaling: None,
        compute: None,
        tuning: vec![],
        left_out: vec![],
        published: vec![published()],
        factors: vec![FactorSummary {
            name: "rate".into(),
            correlation: -0.7,
            p: 0.01,
            arms: 6,
            text: "larger values of rate are better".into(),
        }],
        design: if ladder { "ladder".into() } else { "list".into() },
        command: "ablate run experiments/llama-ladder.toml --seeds 5 --set train.steps=2000".into(),
        arms: made,
        post_hoc: vec![],
        warnings: vec![],
        tokens_per_parameter: 4.46,
        version: "0.1.0".into(),
    }
}

/// A comparison with everything beside it: Welch's interval is 2.4 times as wide, from six seeds on there is a sign-flip test.
pub fn comparison(reference: &str, delta: f64, half: f64, seeds: u64, verdict: Verdict) -> Comparison {
    let many = seeds > 1;
    let p = many.then(|| (-(delta / half).abs() * 3.0).exp().max(1e-7));
    Comparison {
        reference: reference.into(),
        pairs: seeds as usize,
        delta: Some(delta),
        delta_ci95: many.then_some([delta - half, delta + half]),
        p,
        p_adjusted: p.map(|p| (p * 5.0).min(1.0)),
        detectable: many.then_some(half * 1.4),
        verdict: if many { verdict } else { Verdict::Undecided },
        correlation: many.then_some(0.93),
        welch: many.then_some(WelchSummary { ci95: [delta - 2.4 * half, delta + 2.4 * half], p: 0.21 }),
        p_sign_flip: (seeds >= 6).then_some(0.031),
        equivalence: None,
        would_change: many.then(|| match verdict {
            Verdict::NoDifference => {
                format!("if the true difference is the {delta:+.4} seen here, 32 more seeds would find it with 80 % probability")
            }
            Verdict::Equivalent => format!("a margin below {:.4} would leave it open", delta.abs() + half),
            _ => format!("the differences would have to move by {:.4} towards 0", delta.abs() - half),
        }),
        pairs_needed: (many && verdict == Verdict::NoDifference).then_some(37),
    }
}

fn matched() -> Solved {
    Solved {
        key: "model.feed_forward.hidden".into(),
        value: 341,
        quantity: Quantity::Parameters,
        achieved: 1_829_907.0,
        target: 1_837_440.0,
        residual: -0.0041,
    }
}

fn published() -> PublishedSummary {
    let claim = |better: &str, worse: &str, delta, verdict| Claim {
        better: better.into(),
        worse: worse.into(),
        delta: Some(delta),
        ci95: Some([delta - 0.01, delta + 0.01]),
        p_adjusted: Some(0.01),
        verdict,
    };
    PublishedSummary {
        source: "A paper <2020>".into(),
        order: vec![vec!["plus-rope".into(), "plus-swiglu".into()], vec!["base".into()]],
        claims: vec![claim("plus-rope", "base", -0.05, Verdict::Better), claim("plus-swiglu", "base", 0.02, Verdict::Worse)],
        tau: Some(0.5),
        text: "of 2 pairs that A paper <2020> ranks, 1 hold here, 1 are the other way round, 0 are open".into(),
    }
}

fn value_noise(index: usize, seed: u64) -> f64 {
    0.008 * wobble(seed + 1) + 0.0015 * wobble(seed * 31 + index as u64 + 7)
}

fn sentence(verdict: Verdict, comparison: Option<&Comparison>) -> String {
    let Some(c) = comparison else { return "the base of all comparisons".into() };
    match verdict {
        Verdict::Better => {
            format!("better than {}, by {:.4} in {} of {} pairs", c.reference, c.delta.unwrap_or(0.0).abs(), c.pairs, c.pairs)
        }
        Verdict::Worse => format!("worse than {}, by {:.4}", c.reference, c.delta.unwrap_or(0.0).abs()),
        Verdict::Equivalent => format!("equivalent to {}", c.reference),
        Verdict::NotCompared => "not compared".into(),
        Verdict::NoDifference => {
            format!("no difference found to {}; {} pairs could have seen {:.4}", c.reference, c.pairs, c.detectable.unwrap_or(0.0))
        }
        Verdict::Base | Verdict::Undecided => "undecided: fewer than two pairs of finished runs".into(),
    }
}

fn differences(name: &str) -> Vec<Difference> {
    let row = |key: &str, base: Option<&str>, arm: Option<&str>, origin: &str| Difference {
        key: key.into(),
        base: base.map(Into::into),
        arm: arm.map(Into::into),
        origin: origin.into(),
    };
    match name {
        "swiglu" => vec![
            row("model.feed_forward.kind", Some("relu"), Some("swiglu"), "named"),
            row("model.feed_forward.hidden", Some("512"), Some("341"), "matched"),
        ],
        "rope" => vec![
            row("model.position.kind", Some("sinusoidal"), Some("rope"), "named"),
            row("model.position.theta", None, Some("10000.0"), "derived"),
        ],
        _ => vec![row("model.norm.kind", Some("layer"), Some("rms"), "named")],
    }
}

/// Makes a run that did not finish out of one that did.
pub fn lose(summary: &mut Summary, arm: usize, seed: u64, outcome: Outcome) {
    let arm = &mut summary.arms[arm];
    arm.values.insert(seed, None);
    arm.seeds -= 1;
    match outcome {
        Outcome::Diverged => arm.diverged += 1,
        _ => arm.failed += 1,
    }
}

/// Writes `metrics.jsonl` of every run, and `records.jsonl`.
pub fn write_runs(folder: &Path, summary: &Summary, steps: usize) {
    write_records(folder, summary, steps, |arm, _| format!("{arm:08x}"));
}

/// The same, with the identifier of each run by place of its arm and by seed.
pub fn write_records(folder: &Path, summary: &Summary, steps: usize, id: impl Fn(usize, u64) -> String) {
    let mut records = String::new();
    for (index, arm) in summary.arms.iter().enumerate() {
        for (seed, path) in &arm.folders {
            let finished = arm.values.get(seed).copied().flatten();
            let end = if finished.is_some() { steps } else { steps / 3 };
            let level = finished.unwrap_or(2.4);
            let mut lines = String::new();
            for step in (1..=end).step_by(2) {
                let progress = step as f64 / steps as f64;
                let noise = 0.15 * wobble(step as u64 * 977 + seed) + 0.02 * wobble(index as u64 * 131 + step as u64 * 7 + seed);
                let runaway = if finished.is_none() { (progress * 12.0).exp() / 12.0 } else { 0.0 };
                let loss = level * 1.7 + 4.6 * (-progress * 9.0).exp() + 0.35 * (1.0 - progress) + noise + runaway;
                let _ = write!(lines, "{{\"step\":{step},\"loss\":{loss},\"gradient_norm\":0.9,\"learning_rate\":0.001");
                if step % (steps / 20) < 2 || step + 2 > end {
                    let bits = level + 1.9 * (-progress * 9.0).exp() + 0.14 * (1.0 - progress) + runaway;
                    let _ = write!(lines, ",\"valid/bits_per_byte\":{bits}");
                }
                lines.push_str("}\n");
            }
            fs::create_dir_all(folder.join(path)).unwrap();
            fs::write(folder.join(path).join("metrics.jsonl"), lines).unwrap();
            let result = RunResult {
                operators: vec![],
                id: id(index, *seed),
                outcome: if finished.is_some() { Outcome::Finished } else { Outcome::Diverged },
                reason: finished.is_none().then(|| format!("loss was not finite at step {end}")),
                steps: end,
                tokens: end as u64 * 4096,
                metrics: finished.map(|value| (summary.metric.clone(), value)).into_iter().collect(),
                tokens_per_second: arm.tokens_per_second,
                seconds: 171.0,
                device: "flex".into(),
                path: "composed".into(),
                threads: 2,
                version: "0.1.0 (3f9c2d1)".into(),
                data_hash: "5d41402a".into(),
                data_marks: Default::default(),
                noise: (0..40).map(|at| (format!("blocks.{at}.attention.query.weight"), format!("{:016x}", at * 977 + seed))).collect(),
                peak_memory_bytes: None,
                waited_seconds: None,
                notes: vec![],
                parallel: None,
            };
            let record = ablate::experiment::Record {
                arm: arm.name.clone(),
                seed: *seed,
                stage: Default::default(),
                folder: path.clone(),
                attempt: 1,
                cause: None,
                host: String::new(),
                result,
                ended: format!("2026-11-20T10:{:02}:{seed:02}Z", index % 60),
            };
            records.push_str(&serde_json::to_string(&record).unwrap());
            records.push('\n');
        }
    }
    fs::write(folder.join("records.jsonl"), records).unwrap();
    // What tells the folder of an experiment; no report reads it.
    fs::write(folder.join("plan.json"), "{}").unwrap();
}
