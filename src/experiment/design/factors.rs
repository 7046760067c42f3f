//! Factors with their levels, and the designs that vary them one at a time or together.

use super::{
    super::spec::{BASE, ExperimentConfig, FactorConfig},
    Change, Layer, Role, Variant,
    names::{Names, word},
};
use serde_json::Value;

/// A factor with the levels that change the base; the base's own comes on top of them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Factor {
    pub name: String,
    pub levels: Vec<Level>,
}

/// A level.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Level {
    pub name: String,
    pub value: Value,
    pub layer: Layer,
}

/// Level `level` of factor `index`: its name, its value, its change.
pub(in super::super) fn level_layer(factor: &FactorConfig, index: usize, level: usize) -> (String, Value, Layer) {
    let when = factor.when.as_ref().map(|_| format!("factor[{index}].when"));
    match (&factor.key, factor.values.get(level)) {
        (Some(key), Some(value)) => {
            let at = format!("factor[{index}].values[{level}]");
            (word(value), value.clone(), Layer { at, change: Change::Key(key.clone()), when })
        }
        _ => {
            let name = factor.levels[level].name.clone();
            let at = format!("factor[{index}].level[{level}].set");
            (name.clone(), Value::from(name), Layer { at, change: Change::Table, when })
        }
    }
}

/// All factors; a level that changes nothing is the base's own and left out, unless a condition may make it another.
pub(super) fn factors<E>(config: &ExperimentConfig, changes: &mut dyn FnMut(&Layer) -> Result<bool, E>) -> Result<Vec<Factor>, E> {
    let mut factors = Vec::new();
    for (index, factor) in config.factors.iter().enumerate() {
        let mut levels = Vec::new();
        for level in 0..factor.levels() {
            let (name, value, layer) = level_layer(factor, index, level);
            if layer.when.is_some() || changes(&layer)? {
                levels.push(Level { name, value, layer });
            }
        }
        factors.push(Factor { name: factor.name.clone(), levels });
    }
    Ok(factors)
}

/// Puts the changes of factors with conditions above all others: a condition asks what the others made of the run.
pub(super) fn conditions_last(layers: &mut [Layer]) {
    layers.sort_by_key(|layer| layer.when.is_some());
}

/// An arm that takes these levels.
pub(super) fn cell(names: &mut Names, chosen: &[(&Factor, &Level)], role: Role) -> Variant {
    let parts: Vec<String> = chosen.iter().map(|(factor, level)| format!("{}-{}", factor.name, level.name)).collect();
    let mut layers: Vec<Layer> = chosen.iter().map(|(_, level)| level.layer.clone()).collect();
    conditions_last(&mut layers);
    Variant {
        name: names.of(&parts),
        note: None,
        role,
        layers,
        steps: None,
        references: if role == Role::Compared { vec![BASE.into()] } else { vec![] },
        home: Some(BASE.into()),
        levels: chosen.iter().map(|(factor, level)| (factor.name.clone(), level.value.clone())).collect(),
        size: None,
        at: chosen.first().map_or_else(|| "factor".into(), |(_, level)| level.layer.at.clone()),
        generated: true,
    }
}

/// Every level alone.
pub(super) fn one_at_a_time(factors: &[Factor]) -> Vec<Variant> {
    let mut names = Names::default();
    let alone = factors.iter().flat_map(|factor| factor.levels.iter().map(move |level| [(factor, level)]));
    alone.map(|chosen| cell(&mut names, &chosen, Role::Compared)).collect()
}

/// The first levels together, the second ones, and so on.
pub(super) fn zip(config: &ExperimentConfig) -> Vec<Variant> {
    let mut names = Names::default();
    let count = config.factors.first().map_or(0, FactorConfig::levels);
    let arm = |at: usize| {
        let chosen: Vec<(Factor, Level)> = config
            .factors
            .iter()
            .enumerate()
            .map(|(index, factor)| {
                let (name, value, layer) = level_layer(factor, index, at);
                (Factor { name: factor.name.clone(), levels: vec![] }, Level { name, value, layer })
            })
            .collect();
        let chosen: Vec<(&Factor, &Level)> = chosen.iter().map(|(factor, level)| (factor, level)).collect();
        cell(&mut names, &chosen, Role::Compared)
    };
    (0..count).map(arm).collect()
}
