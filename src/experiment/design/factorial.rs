//! All combinations of levels, or a regular fraction of them.

use super::{
    super::spec::{BASE, DesignConfig},
    Role, Variant,
    effects::Cells,
    factors::{Factor, Level, cell},
    fraction,
    names::Names,
};
use crate::settings::Problem;

/// More cells than anybody trains.
const MOST: usize = 10_000;

/// The arms of the cells but the base, and all cells, from which the effects come.
///
/// # Errors
///
/// A factor without levels; no such fraction; too many cells.
pub(super) fn factorial<E: From<Problem>>(factors: Vec<Factor>, design: &DesignConfig) -> Result<(Vec<Variant>, Cells), E> {
    if let Some(index) = factors.iter().position(|factor| factor.levels.is_empty()) {
        let message = format!("factor `{}` has no level but the base's", factors[index].name);
        return Err(Problem::new(format!("factor[{index}]"), message).help("add a value that the base does not have").into());
    }
    let (cells, fraction) = cells(&factors, design)?;
    let mut names = Names::default();
    let mut variants = Vec::new();
    let mut arms = Vec::new();
    for levels in &cells {
        let chosen: Vec<(&Factor, &Level)> =
            factors.iter().zip(levels).filter_map(|(factor, level)| Some((factor, &factor.levels[level.checked_sub(1)?]))).collect();
        if chosen.is_empty() {
            arms.push(BASE.to_string());
            continue;
        }
        let variant = cell(&mut names, &chosen, Role::Cell);
        arms.push(variant.name.clone());
        variants.push(variant);
    }
    Ok((variants, Cells { factors, levels: cells, arms, fraction, interactions: design.interactions }))
}

/// The level of every factor in each cell, and whether they are a fraction.
fn cells<E: From<Problem>>(factors: &[Factor], design: &DesignConfig) -> Result<(Vec<Vec<usize>>, bool), E> {
    if let Some(resolution) = design.resolution {
        if let Some(index) = factors.iter().position(|factor| factor.levels.len() > 1) {
            let message = format!("factor `{}` has more than two levels, the base's included", factors[index].name);
            return Err(Problem::new(format!("factor[{index}]"), message).help("leave design.resolution out for all cells").into());
        }
        if factors.len() > 24 {
            return Err(Problem::new("factor", "more than 24 factors").help("screen them with fewer").into());
        }
        if let Some((full, generators)) = fraction::generators(factors.len(), resolution) {
            return Ok((fraction::cells(full, &generators), true));
        }
    }
    let count = factors.iter().map(|factor| factor.levels.len() + 1).try_fold(1usize, usize::checked_mul);
    if count.is_none_or(|count| count > MOST) {
        return Err(Problem::new("factor", "more than 10,000 cells").help("use fewer levels, or design.resolution for a fraction").into());
    }
    let mut cells = vec![vec![]];
    for factor in factors {
        let extended = |cell: &Vec<usize>| {
            let cell = cell.clone();
            (0..=factor.levels.len()).map(move |level| [cell.as_slice(), &[level]].concat())
        };
        cells = cells.iter().flat_map(extended).collect();
    }
    Ok((cells, false))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Change, Effect, Layer},
        *,
    };
    use std::collections::BTreeMap;

    fn factor(name: &str, levels: &[&str]) -> Factor {
        let level = |name: &&str| Level {
            name: name.to_string(),
            value: (*name).into(),
            layer: Layer { at: String::new(), change: Change::Table, when: None },
        };
        Factor { name: name.into(), levels: levels.iter().map(level).collect() }
    }

    fn run(factors: &[Factor], resolution: Option<usize>) -> (Vec<Variant>, Vec<Effect>) {
        let design = DesignConfig { interactions: true, resolution, ..DesignConfig::default() };
        let (variants, cells) = factorial::<Problem>(factors.to_vec(), &design).unwrap();
        (variants, cells.effects(&BTreeMap::new()).unwrap())
    }

    /// The name of an effect, with the weights of cells by their names.
    type Weighed = (String, Vec<(String, f64)>);

    /// The weights of the effects of all cells, by name, where the first of each pair of arms is the same run as the second.
    fn weights(factors: &[Factor], same: &[(&str, &str)]) -> Result<Vec<Weighed>, Problem> {
        let design = DesignConfig { interactions: true, ..DesignConfig::default() };
        let (_, cells) = factorial::<Problem>(factors.to_vec(), &design)?;
        let same = same.iter().map(|(arm, run)| (arm.to_string(), run.to_string())).collect();
        Ok(cells.effects(&same)?.into_iter().map(|effect| (effect.name, effect.weights.into_iter().collect())).collect())
    }

    /// What an effect makes of a value per arm, given by the levels of the arm.
    fn estimate(effect: &Effect, variants: &[Variant], value: impl Fn(&dyn Fn(&str, &str) -> bool) -> f64) -> f64 {
        let none = Default::default();
        let levels = |arm: &str| variants.iter().find(|variant| variant.name == arm).map_or(&none, |variant| &variant.levels);
        effect
            .weights
            .iter()
            .map(|(arm, weight)| weight * value(&|factor, level| levels(arm).get(factor).is_some_and(|v| v == level)))
            .sum()
    }

    #[test]
    fn effects_give_back_what_the_cells_were_made_from() {
        let factors = [factor("norm", &["layer", "none"]), factor("gate", &["swiglu"]), factor("bias", &["on"])];
        let (variants, effects) = run(&factors, None);
        assert_eq!((variants.len(), effects.len()), (11, 4 + 2 + 2 + 1));
        // y = 5 + 2·layer - 1·swiglu + 3·(layer and swiglu), with indicators: the effect of layer, averaged over gates, is 3.5.
        let made = |is: &dyn Fn(&str, &str) -> bool| {
            let on = |factor, level| f64::from(u8::from(is(factor, level)));
            5.0 + 2.0 * on("norm", "layer") - on("gate", "swiglu") + 3.0 * on("norm", "layer") * on("gate", "swiglu")
        };
        let found: Vec<(String, f64)> =
            effects.iter().map(|effect| (effect.name.clone(), (estimate(effect, &variants, made) * 1e9).round() / 1e9)).collect();
        let of = |name: &str| found.iter().find(|(found, _)| found == name).unwrap().1;
        assert_eq!((of("norm: layer"), of("norm: none"), of("gate: swiglu"), of("bias: on")), (3.5, 0.0, 0.0, 0.0));
        assert_eq!((of("norm: layer × gate: swiglu"), of("norm: none × gate: swiglu"), of("norm: layer × bias: on")), (3.0, 0.0, 0.0));
        assert!(effects.iter().all(|effect| effect.weights.values().sum::<f64>().abs() < 1e-12));
    }

    #[test]
    fn fractions_name_what_they_cannot_tell_apart() {
        let factors = ["a", "b", "c", "d"].map(|name| factor(name, &["on"]));
        let (variants, effects) = run(&factors, Some(4));
        assert_eq!(variants.len(), 7, "and the base");
        let names: Vec<&str> = effects.iter().map(|effect| effect.name.as_str()).collect();
        assert_eq!(names, ["a: on", "b: on", "c: on", "d: on", "a: on × b: on", "a: on × c: on", "a: on × d: on"]);
        assert_eq!(effects[4].aliases, ["c: on × d: on"]);
        assert!(effects[0].aliases.is_empty());
        // Resolution 3 of three factors: the main effect of a is aliased with b × c, and only main effects are left.
        let (variants, effects) = run(&factors[..3], Some(3));
        assert_eq!((variants.len(), effects.len()), (3, 3));
        assert_eq!(effects[0].aliases, ["b: on × c: on"]);
    }

    #[test]
    fn in_a_fraction_of_resolution_4_main_effects_are_clear() {
        let factors = ["a", "b", "c", "d", "e", "f"].map(|name| factor(name, &["on"]));
        let (_, effects) = run(&factors, Some(4));
        assert!(effects[..6].iter().all(|effect| effect.factors.len() == 1 && effect.aliases.is_empty()));
        // Of 15 interactions every one is found, alone or among the aliases of another.
        assert_eq!(effects[6..].iter().map(|effect| 1 + effect.aliases.len()).sum::<usize>(), 15);
    }

    /// A factor that changes nothing where another is at the base's level: what it does is told by the cells where it does
    /// something, and no interaction repeats it.
    #[test]
    fn a_nested_factor_is_estimated_where_it_applies() {
        let factors = [factor("position", &["rope"]), factor("theta", &["high"])];
        let effects = weights(&factors, &[("theta-high", "base")]).unwrap();
        let weight = |arm: &str, weight: f64| (arm.to_string(), weight);
        let expected = [
            (
                "position: rope".to_string(),
                vec![weight("base", -1.0), weight("position-rope", 0.5), weight("position-rope+theta-high", 0.5)],
            ),
            ("theta: high".to_string(), vec![weight("position-rope", -1.0), weight("position-rope+theta-high", 1.0)]),
        ];
        assert_eq!(effects, expected);
    }

    #[test]
    fn what_does_nothing_in_some_cells_is_not_diluted_by_them() {
        let effects = weights(&[factor("a", &["on"]), factor("b", &["on"])], &[("a-on+b-on", "a-on")]).unwrap();
        // b does nothing where a is on.
        assert_eq!(effects[1], ("b: on".into(), vec![("b-on".into(), 1.0), ("base".into(), -1.0)]));
        assert_eq!(effects.len(), 2, "no interaction of four different cells");
    }

    #[test]
    fn the_same_comparison_is_not_made_twice() {
        let factors = [factor("a", &["on"]), factor("b", &["on"])];
        let design = DesignConfig { interactions: true, ..DesignConfig::default() };
        let (_, cells) = factorial::<Problem>(factors.to_vec(), &design).unwrap();
        // Both set the same key to the same value.
        let same = [("b-on", "a-on"), ("a-on+b-on", "a-on")].map(|(arm, run)| (arm.to_string(), run.to_string()));
        let effects = cells.effects(&same.into()).unwrap();
        let named: Vec<(&str, &[String])> = effects.iter().map(|effect| (effect.name.as_str(), effect.aliases.as_slice())).collect();
        assert_eq!(named, [("a: on", ["b: on".to_string()].as_slice())]);
    }

    #[test]
    fn a_factor_that_changes_no_cell_is_refused() {
        let factors = [factor("a", &["on"]), factor("b", &["on"])];
        let problem = weights(&factors, &[("b-on", "base"), ("a-on+b-on", "a-on")]).unwrap_err();
        assert_eq!((problem.key.as_str(), problem.message.as_str()), ("factor[1]", "factor `b` changes no cell"));
    }
}
