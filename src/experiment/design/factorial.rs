//! All combinations of levels, or a regular fraction of them.

use super::{
    super::spec::{BASE, DesignConfig},
    Role, Variant,
    effects::{self, Effect, effect},
    factors::{Factor, Level, cell},
    fraction,
    names::Names,
};
use crate::settings::Problem;

/// More cells than anybody trains.
const MOST: usize = 10_000;

/// The cells but the base, and the effects that they are run for.
///
/// # Errors
///
/// A factor without levels; no such fraction; too many cells.
pub(super) fn factorial<E: From<Problem>>(factors: &[Factor], design: &DesignConfig) -> Result<(Vec<Variant>, Vec<Effect>), E> {
    if let Some(index) = factors.iter().position(|factor| factor.levels.is_empty()) {
        let message = format!("factor `{}` has no level but the base's", factors[index].name);
        return Err(Problem::new(format!("factor[{index}]"), message).help("add a value that the base does not have").into());
    }
    let (cells, fraction) = cells(factors, design)?;
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
    let found = effects_of(factors, &cells, &arms, design, fraction.as_ref());
    Ok((variants, found))
}

/// A fraction: factors that are varied in full, and the generators of the others.
type Fraction = (usize, Vec<u32>);

fn cells<E: From<Problem>>(factors: &[Factor], design: &DesignConfig) -> Result<(Vec<Vec<usize>>, Option<Fraction>), E> {
    if let Some(resolution) = design.resolution {
        if let Some(index) = factors.iter().position(|factor| factor.levels.len() > 1) {
            let message = format!("factor `{}` has more than two levels, the base's included", factors[index].name);
            return Err(Problem::new(format!("factor[{index}]"), message).help("leave design.resolution out for all cells").into());
        }
        if factors.len() > 24 {
            return Err(Problem::new("factor", "more than 24 factors").help("screen them with fewer").into());
        }
        if let Some((full, generators)) = fraction::generators(factors.len(), resolution) {
            return Ok((fraction::cells(full, &generators), Some((full, generators))));
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
    Ok((cells, None))
}

/// Main effects, then interactions of two. In a fraction, of effects that it cannot tell apart only the first.
fn effects_of(
    factors: &[Factor],
    cells: &[Vec<usize>],
    arms: &[String],
    design: &DesignConfig,
    fraction: Option<&Fraction>,
) -> Vec<Effect> {
    let mut parts: Vec<Vec<(usize, usize)>> = Vec::new();
    let levels = |at: usize| (1..=factors[at].levels.len()).map(move |level| (at, level));
    parts.extend((0..factors.len()).flat_map(levels).map(|part| vec![part]));
    if design.interactions {
        for a in 0..factors.len() {
            for b in a + 1..factors.len() {
                parts.extend(levels(a).flat_map(|first| levels(b).map(move |second| vec![first, second])));
            }
        }
    }
    let mut seen: Vec<u64> = Vec::new();
    let mut found = Vec::new();
    for part in parts {
        let set: u64 = part.iter().map(|(at, _)| 1u64 << at).sum();
        let aliases = fraction.map_or(vec![], |(full, generators)| fraction::aliases(set, *full, generators, factors.len()));
        if aliases.iter().any(|other| seen.contains(other)) {
            continue;
        }
        seen.push(set);
        let named = |set: &u64| {
            let parts: Vec<(usize, usize)> = (0..factors.len()).filter(|at| set >> at & 1 == 1).map(|at| (at, 1)).collect();
            effects::name(factors, &parts)
        };
        found.push(effect(factors, cells, arms, &part, aliases.iter().map(named).collect()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Change, Layer},
        *,
    };

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
        factorial::<Problem>(factors, &design).unwrap()
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
    fn merged_cells_share_their_weight() {
        let (_, mut effects) = run(&[factor("a", &["on"]), factor("b", &["on"])], None);
        let effect = &mut effects[1];
        assert_eq!(effect.weights.len(), 4);
        effect.merge("a-on+b-on", "a-on");
        // b does nothing where a is on: what is left is half its effect where a is off.
        assert_eq!(effect.weights, [("base".to_string(), -0.5), ("b-on".to_string(), 0.5)].into());
    }
}
