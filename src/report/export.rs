//! `summary.json` and `summary.csv`.

use crate::experiment::{ArmSummary, Comparison, Summary};

/// The summary as indented JSON with a final newline. A number that is not finite becomes `null`.
pub fn json(summary: &Summary) -> String {
    let mut text = serde_json::to_string_pretty(summary).expect("a summary has string keys only");
    text.push('\n');
    text
}

/// One row per arm and per effect: the fields of `summary.json`, then further metrics, then the primary metric by seed.
///
/// Numbers have full precision; what does not exist is an empty cell. A row of `role` `effect` has no runs of its own.
pub fn csv(summary: &Summary) -> Vec<u8> {
    let metrics = super::words::further_metrics(summary);
    let mut header: Vec<String> = COLUMNS.iter().map(|(name, _)| name.to_string()).collect();
    for metric in &metrics {
        header.extend([metric.to_string(), format!("{metric} delta")]);
    }
    header.extend(summary.seeds.iter().map(|seed| format!("{} seed {seed}", summary.metric)));

    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&header).expect("memory takes every write");
    let arms = summary.arms.iter().map(|arm| Row {
        summary,
        name: &arm.name,
        role: word(&arm.role),
        verdict: word(&arm.verdict),
        arm: Some(arm),
        comparison: arm.comparisons.first(),
    });
    let effects = summary.effects.iter().map(|effect| Row {
        summary,
        name: &effect.name,
        role: "effect".into(),
        verdict: word(&effect.comparison.verdict),
        arm: None,
        comparison: Some(&effect.comparison),
    });
    for row in arms.chain(effects) {
        let mut cells: Vec<String> = COLUMNS.iter().map(|(_, of)| of(&row)).collect();
        for metric in &metrics {
            let found = row.arm.and_then(|arm| arm.metrics.get(*metric));
            cells.extend([cell(found.and_then(|m| m.mean)), cell(found.and_then(|m| m.delta))]);
        }
        let value = |seed: &u64| row.arm.and_then(|arm| arm.values.get(seed).copied().flatten());
        cells.extend(summary.seeds.iter().map(|seed| cell(value(seed))));
        writer.write_record(&cells).expect("memory takes every write");
    }
    writer.into_inner().expect("memory takes every write")
}

/// What a row is made from.
struct Row<'a> {
    summary: &'a Summary,
    name: &'a str,
    role: String,
    verdict: String,
    arm: Option<&'a ArmSummary>,
    comparison: Option<&'a Comparison>,
}

impl Row<'_> {
    /// A cell of rows that are arms.
    fn arm(&self, of: impl Fn(&ArmSummary) -> String) -> String {
        self.arm.map(of).unwrap_or_default()
    }

    /// A number of the comparison.
    fn compared(&self, of: impl Fn(&Comparison) -> Option<f64>) -> String {
        cell(self.comparison.and_then(of))
    }

    /// The values that were tuned, as one writes them.
    fn tuned(&self) -> String {
        let tuning = self.summary.tuning.iter().find(|tuning| self.arm.is_some() && tuning.arm == self.name);
        tuning.and_then(super::words::chosen).map(|trial| super::words::settings(trial).join(", ")).unwrap_or_default()
    }
}

type Column = (&'static str, fn(&Row) -> String);

const COLUMNS: [Column; 38] = [
    ("name", |row| row.name.into()),
    ("role", |row| row.role.clone()),
    ("reference", |row| row.arm(|arm| arm.reference.clone().unwrap_or_default())),
    ("parameters", |row| row.arm(|arm| arm.parameters.to_string())),
    ("flops_per_token", |row| row.arm(|arm| cell(Some(arm.flops_per_token)))),
    ("tokens", |row| row.arm(|arm| arm.tokens.to_string())),
    ("seeds", |row| row.arm(|arm| arm.seeds.to_string())),
    ("mean", |row| row.arm(|arm| cell(arm.mean))),
    ("ci95_low", |row| row.arm(|arm| low(arm.ci95))),
    ("ci95_high", |row| row.arm(|arm| high(arm.ci95))),
    ("delta", |row| row.compared(|c| c.delta)),
    ("delta_ci95_low", |row| low(row.comparison.and_then(|c| c.delta_ci95))),
    ("delta_ci95_high", |row| high(row.comparison.and_then(|c| c.delta_ci95))),
    ("p", |row| row.compared(|c| c.p)),
    ("p_adjusted", |row| row.compared(|c| c.p_adjusted)),
    ("verdict", |row| row.verdict.clone()),
    ("pairs", |row| row.comparison.map(|c| c.pairs.to_string()).unwrap_or_default()),
    ("detectable", |row| row.compared(|c| c.detectable)),
    ("pairs_needed", |row| row.compared(|c| c.pairs_needed.map(|pairs| pairs as f64))),
    ("correlation", |row| row.compared(|c| c.correlation)),
    ("welch_ci95_low", |row| low(row.comparison.and_then(|c| c.welch).map(|welch| welch.ci95))),
    ("welch_ci95_high", |row| high(row.comparison.and_then(|c| c.welch).map(|welch| welch.ci95))),
    ("welch_p", |row| row.compared(|c| c.welch.map(|welch| welch.p))),
    ("p_sign_flip", |row| row.compared(|c| c.p_sign_flip)),
    ("equivalence_p", |row| row.compared(|c| c.equivalence.map(|test| test.p))),
    ("equivalence_p_adjusted", |row| row.compared(|c| c.equivalence.map(|test| test.p_adjusted))),
    ("diverged", |row| row.arm(|arm| arm.diverged.to_string())),
    ("failed", |row| row.arm(|arm| arm.failed.to_string())),
    ("tokens_per_second", |row| row.arm(|arm| cell(arm.tokens_per_second))),
    ("paired_parameters", |row| row.arm(|arm| cell(arm.paired_parameters))),
    ("mismatch", |row| row.arm(|arm| cell(mismatch(arm)))),
    ("tuned", |row| row.tuned()),
    ("runs", |row| row.arm(|arm| arm.cost.runs.to_string())),
    ("tuning_runs", |row| row.arm(|arm| arm.cost.tuning_runs.to_string())),
    ("training_tokens", |row| row.arm(|arm| arm.cost.tokens.to_string())),
    ("training_flops", |row| row.arm(|arm| cell(Some(arm.cost.flops)))),
    ("training_seconds", |row| row.arm(|arm| cell(Some(arm.cost.seconds)))),
    ("peak_memory_bytes", |row| row.arm(|arm| arm.cost.peak_memory_bytes.map(|n| n.to_string()).unwrap_or_default())),
];

/// The largest relative mismatch that matching left.
fn mismatch(arm: &ArmSummary) -> Option<f64> {
    arm.solved.iter().map(|solved| solved.residual).max_by(|a, b| a.abs().total_cmp(&b.abs()))
}

/// The word of an enumeration as in `summary.json`.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(String::from)).unwrap_or_default()
}

fn cell(x: Option<f64>) -> String {
    x.filter(|x| x.is_finite()).map(|x| x.to_string()).unwrap_or_default()
}

fn low(interval: Option<[f64; 2]>) -> String {
    cell(interval.map(|interval| interval[0]))
}

fn high(interval: Option<[f64; 2]>) -> String {
    cell(interval.map(|interval| interval[1]))
}
