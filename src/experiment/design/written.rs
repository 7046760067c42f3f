//! Designs whose arms are written down.

use super::{
    super::spec::{ArmConfig, BASE, ExperimentConfig},
    Change, Layer, Role, Variant,
};

/// The change of arm `index`.
fn layer(arm: &ArmConfig, index: usize) -> Layer {
    let when = arm.when.as_ref().map(|_| format!("arm[{index}].when"));
    Layer { at: format!("arm[{index}].set"), change: Change::Table, when }
}

fn variant(config: &ExperimentConfig, index: usize, layers: Vec<Layer>, references: Vec<String>) -> Variant {
    let arm = &config.arms[index];
    Variant {
        name: arm.name.clone(),
        note: arm.note.clone(),
        role: Role::Compared,
        layers,
        steps: None,
        references,
        home: Some(BASE.into()),
        levels: Default::default(),
        size: None,
        at: format!("arm[{index}]"),
        generated: false,
    }
}

/// Every arm against the base.
pub(super) fn list(config: &ExperimentConfig) -> Vec<Variant> {
    let one = |(index, arm)| variant(config, index, vec![layer(arm, index)], vec![BASE.into()]);
    config.arms.iter().enumerate().map(one).collect()
}

/// Every arm on top of the one before, against it and against the base.
pub(super) fn ladder(config: &ExperimentConfig) -> Vec<Variant> {
    let rung = |index: usize| {
        let layers = config.arms[..=index].iter().enumerate().map(|(below, arm)| layer(arm, below)).collect();
        let before = index.checked_sub(1).map(|before| config.arms[before].name.clone());
        variant(config, index, layers, before.into_iter().chain([BASE.to_string()]).collect())
    };
    (0..config.arms.len()).map(rung).collect()
}

/// What the arm with all changes is called.
pub(super) const ALL: &str = "all";

/// All changes at once against the base, then without each, against all.
pub(super) fn leave_one_out(config: &ExperimentConfig) -> Vec<Variant> {
    let layers = |left_out: Option<usize>| {
        let kept = config.arms.iter().enumerate().filter(|(index, _)| Some(*index) != left_out);
        kept.map(|(index, arm)| layer(arm, index)).collect::<Vec<_>>()
    };
    let all = Variant {
        name: ALL.into(),
        note: Some("all changes at once".into()),
        at: "arm".into(),
        generated: true,
        ..variant(config, 0, layers(None), vec![BASE.into()])
    };
    let without = |index: usize| {
        let name = format!("without-{}", config.arms[index].name);
        Variant { name, generated: true, ..variant(config, index, layers(Some(index)), vec![ALL.into()]) }
    };
    std::iter::once(all).chain((0..config.arms.len()).map(without)).collect()
}

/// Every arm at the base's own size, then base and arms at every other size; compared within each.
pub(super) fn sizes(config: &ExperimentConfig) -> Vec<Variant> {
    let mut variants = list(config);
    for (index, size) in config.sizes.iter().enumerate() {
        let named = |arm: &str| format!("{arm}.{}", size.name);
        let own = Layer { at: format!("size[{index}].set"), change: Change::Table, when: None };
        let base = Variant {
            name: named(BASE),
            note: None,
            role: Role::BaseOfSize,
            layers: vec![own.clone()],
            references: vec![],
            home: None,
            at: format!("size[{index}]"),
            ..variant(config, 0, vec![], vec![])
        };
        variants.push(Variant { size: Some(size.name.clone()), ..base });
        variants.extend(config.arms.iter().enumerate().map(|(arm_index, arm)| Variant {
            name: named(&arm.name),
            size: Some(size.name.clone()),
            home: Some(named(BASE)),
            ..variant(config, arm_index, vec![own.clone(), layer(arm, arm_index)], vec![named(BASE)])
        }));
    }
    variants
}

/// The base with other numbers of steps.
pub(super) fn budgets(config: &ExperimentConfig) -> impl Iterator<Item = Variant> {
    config.budgets.iter().enumerate().map(|(index, steps)| Variant {
        name: format!("{BASE}.steps-{steps}"),
        note: None,
        role: Role::BaseOfBudget,
        layers: vec![],
        steps: Some(*steps),
        references: vec![],
        home: None,
        levels: Default::default(),
        size: None,
        at: format!("budgets[{index}]"),
        generated: false,
    })
}
