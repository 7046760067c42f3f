//! `plan.json`: what was declared before the first result, and what has been changed since.

use super::{Plan, clock, spec::RetuneConfig};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The content of `plan.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanFile {
    /// What was declared before the first result.
    pub frozen: Frozen,
    /// The plan as of the last invocation.
    pub current: Plan,
}

/// What was declared before the first result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frozen {
    /// The metric that decides.
    pub metric: String,
    /// Level of the family of comparisons.
    pub alpha: f64,
    /// The smallest difference that would matter.
    #[serde(default)]
    pub margin: Option<f64>,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// Where seeds are added until the comparisons are decided: from how many to how many.
    #[serde(default)]
    pub sequential: Option<[u64; 2]>,
    /// The family of comparisons.
    pub comparisons: Vec<Pairing>,
    /// Names of the effects that are compared, in a factorial design.
    #[serde(default)]
    pub effects: Vec<String>,
    /// How every arm is tuned.
    #[serde(default)]
    pub retune: Option<RetuneConfig>,
    /// What is made equal between the arms, in words: the specifications are hashed before time is measured. None in files of
    /// versions that did not tell.
    #[serde(default)]
    pub matched: Option<Vec<String>>,
    /// Hash of every arm's specification with seed 0.
    pub specs: BTreeMap<String, String>,
    /// When, UTC, RFC 3339.
    pub at: String,
    /// Version of `ablate`.
    pub version: String,
}

/// Two arms that are compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairing {
    /// The arm.
    pub arm: String,
    /// The arm it is compared with.
    pub reference: String,
}

impl Frozen {
    /// Freezes a plan.
    pub fn new(plan: &Plan) -> Self {
        Self {
            metric: plan.metric.clone(),
            alpha: plan.alpha,
            margin: plan.margin,
            seeds: plan.seeds.clone(),
            sequential: plan.sequential,
            effects: plan.effects.iter().map(|effect| effect.name.clone()).collect(),
            retune: plan.retune.clone(),
            matched: Some(plan.matched.clone()),
            comparisons: plan
                .comparisons()
                .map(|(arm, reference)| Pairing { arm: arm.name.clone(), reference: reference.into() })
                .collect(),
            specs: plan.arms.iter().map(|arm| (arm.name.clone(), arm.spec.clone())).collect(),
            at: clock::now(),
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }
}

impl PlanFile {
    /// The file after an invocation with `plan`: what was frozen stays, unless there is no result yet.
    pub fn update(before: Option<PlanFile>, plan: Plan, results: bool) -> Self {
        let frozen = before.filter(|_| results).map_or_else(|| Frozen::new(&plan), |before| before.frozen);
        Self { frozen, current: plan }
    }

    /// What has been changed since the freeze, in words.
    pub fn post_hoc(&self) -> Vec<String> {
        let (then, now) = (&self.frozen, Frozen::new(&self.current));
        let mut changes = Vec::new();
        if then.metric != now.metric {
            changes.push(format!("the metric was {}, is {}", then.metric, now.metric));
        }
        if then.alpha != now.alpha {
            changes.push(format!("alpha was {}, is {}", then.alpha, now.alpha));
        }
        if then.margin != now.margin {
            let text = |margin: Option<f64>| margin.map_or("none".into(), |margin| margin.to_string());
            changes.push(format!("the margin was {}, is {}", text(then.margin), text(now.margin)));
        }
        if then.retune != now.retune {
            changes.push("how the arms are tuned was changed".into());
        }
        if let (Some(before), Some(after)) = (&then.matched, &now.matched)
            && before != after
        {
            let text = |matched: &[String]| if matched.is_empty() { "nothing".into() } else { matched.join("; ") };
            changes.push(format!("matched was {}, is {}", text(before), text(after)));
        }
        if then.sequential != now.sequential {
            let text = |rule: Option<[u64; 2]>| rule.map_or("a fixed number of seeds".into(), |[min, max]| format!("{min} to {max} seeds"));
            changes.push(format!("the plan was for {}, is for {}", text(then.sequential), text(now.sequential)));
        } else if then.seeds != now.seeds {
            changes.push(format!("the seeds were {:?}, are {:?}", then.seeds, now.seeds));
        }
        for (arm, spec) in &now.specs {
            match then.specs.get(arm) {
                None => changes.push(format!("arm {arm} was added")),
                Some(other) if other != spec => changes.push(format!("the specification of {arm} was changed")),
                Some(_) => {}
            }
        }
        changes.extend(then.specs.keys().filter(|arm| !now.specs.contains_key(*arm)).map(|arm| format!("arm {arm} was removed")));
        let effect = |name: &String, verb: &str| format!("the effect {name} was {verb}");
        changes.extend(now.effects.iter().filter(|name| !then.effects.contains(name)).map(|name| effect(name, "added")));
        changes.extend(then.effects.iter().filter(|name| !now.effects.contains(name)).map(|name| effect(name, "removed")));
        let both = |pairing: &&Pairing| then.specs.contains_key(&pairing.arm) && now.specs.contains_key(&pairing.arm);
        let line = |pairing: &Pairing, verb: &str| format!("the comparison of {} with {} was {verb}", pairing.arm, pairing.reference);
        changes.extend(now.comparisons.iter().filter(both).filter(|p| !then.comparisons.contains(p)).map(|p| line(p, "added")));
        changes.extend(then.comparisons.iter().filter(both).filter(|p| !now.comparisons.contains(p)).map(|p| line(p, "removed")));
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{design::Effect, plan::tests::plan},
        *,
    };

    #[test]
    fn what_is_frozen_stays_once_there_are_results() {
        let first = PlanFile::update(None, plan(&["a"], 2), false);
        assert_eq!(first.post_hoc(), Vec::<String>::new());
        let again = PlanFile::update(Some(first.clone()), plan(&["a", "b"], 2), false);
        assert_eq!(again.post_hoc(), Vec::<String>::new(), "no result has been seen");
        let mut changed = plan(&["b"], 3);
        changed.metric = "valid/bits_per_byte@2x".into();
        changed.alpha = 0.1;
        changed.arms[0].spec = "other".into();
        let late = PlanFile::update(Some(first), changed, true);
        let expected = [
            "the metric was valid/bits_per_byte, is valid/bits_per_byte@2x",
            "alpha was 0.05, is 0.1",
            "the seeds were [0, 1], are [0, 1, 2]",
            "arm b was added",
            "the specification of base was changed",
            "arm a was removed",
        ];
        assert_eq!(late.post_hoc(), expected);
    }

    /// Whatever decides what the results mean is told when it changes.
    #[test]
    fn every_declaration_is_frozen() {
        let after = |change: fn(&mut Plan)| {
            let mut changed = plan(&["a"], 2);
            change(&mut changed);
            PlanFile::update(Some(PlanFile::update(None, plan(&["a"], 2), false)), changed, true).post_hoc()
        };
        let effect = || Effect {
            name: "norm: rms".into(),
            factors: vec!["norm".into()],
            levels: vec!["rms".into()],
            aliases: vec![],
            weights: [("a".to_string(), 1.0), ("base".to_string(), -1.0)].into(),
        };
        assert_eq!(after(|_| ()), Vec::<String>::new());
        assert_eq!(
            after(|plan| plan.matched = vec!["training time, by train.steps".into()]),
            ["matched was nothing, is training time, by train.steps"]
        );
        assert_eq!(after(|plan| plan.margin = Some(0.01)), ["the margin was none, is 0.01"]);
        assert_eq!(
            after(|plan| plan.retune = Some(RetuneConfig { values: Default::default(), seeds: 1, rungs: vec![], keep: 0.5 })),
            ["how the arms are tuned was changed"]
        );
        assert_eq!(after(|plan| plan.sequential = Some([3, 9])), ["the plan was for a fixed number of seeds, is for 3 to 9 seeds"]);
        let mut factorial = plan(&["a"], 2);
        factorial.effects = vec![effect()];
        let added = PlanFile::update(Some(PlanFile::update(None, plan(&["a"], 2), false)), factorial.clone(), true);
        assert_eq!(added.post_hoc(), ["the effect norm: rms was added"]);
        let removed = PlanFile::update(Some(PlanFile::update(None, factorial, false)), plan(&["a"], 2), true);
        assert_eq!(removed.post_hoc(), ["the effect norm: rms was removed"]);
    }

    #[test]
    fn files_of_versions_that_froze_no_matching_are_read() {
        let mut matched = plan(&["a"], 2);
        matched.matched = vec!["training time, by train.steps".into()];
        let mut file = serde_json::to_value(PlanFile::update(None, matched, false)).unwrap();
        assert!(file["frozen"].as_object_mut().unwrap().remove("matched").is_some());
        let file: PlanFile = serde_json::from_value(file).unwrap();
        assert_eq!(file.post_hoc(), Vec::<String>::new(), "what was declared is not known");
    }

    #[test]
    fn another_reference_is_post_hoc() {
        let first = PlanFile::update(None, plan(&["a", "b"], 2), false);
        let mut ladder = plan(&["a", "b"], 2);
        ladder.arms[2].references = vec!["a".into(), "base".into()];
        assert_eq!(PlanFile::update(Some(first), ladder, true).post_hoc(), ["the comparison of b with a was added"]);
    }
}
