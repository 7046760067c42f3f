//! Factors with conditions, and draws of which some are no model.

use super::{Bench, arm};

/// A factor that another one must be at its level for; the base has learned positions.
const THETA: &str =
    "[[factor]]\nname = \"theta\"\nkey = \"model.position.theta\"\nvalues = [500.0]\nwhen = \"model.position.kind == 'rope'\"\n";
const POSITION: &str = "[[factor]]\nname = \"position\"\nkey = \"model.position.kind\"\nvalues = [\"rope\"]\n";

#[test]
fn a_nested_factor_has_one_effect_where_it_applies_wherever_it_is_written() {
    for (first, second) in [(POSITION, THETA), (THETA, POSITION)] {
        let experiment = Bench::new(&format!("design.kind = \"factorial\"\n{first}{second}")).load();
        assert_eq!(experiment.arms.len(), 3, "{:?}", experiment.left_out);
        let effects: Vec<_> = experiment.effects.iter().map(|effect| (effect.factors[0].as_str(), effect.factors.len())).collect();
        assert!(effects.len() == 2 && effects.contains(&("position", 1)) && effects.contains(&("theta", 1)), "{effects:?}");
        // What theta does is a difference of two arms with rotary positions, and not half of it.
        let theta = experiment.effects.iter().find(|effect| effect.factors[0] == "theta").unwrap();
        let mut weights: Vec<f64> = theta.weights.values().copied().collect();
        weights.sort_by(f64::total_cmp);
        assert_eq!(weights, [-1.0, 1.0]);
        for name in theta.weights.keys() {
            assert_eq!(arm(&experiment, name).levels["position"], "rope");
        }
    }
}

#[test]
fn a_factor_that_never_applies_is_refused() {
    let never = THETA.replace("'rope'", "'alibi'");
    let refused = Bench::new(&format!("design.kind = \"factorial\"\n{never}{POSITION}")).refused();
    assert!(refused.contains("e.toml:5: factor[0]: factor `theta` changes no cell"), "{refused}");
    let refused = Bench::new(&format!("design.kind = \"one-at-a-time\"\n{never}")).refused();
    assert!(refused.contains("no arm is left") && !refused.contains("not written"), "{refused}");
}

#[test]
fn a_fraction_refuses_conditions_that_drop_levels() {
    let others = "[[factor]]\nname = \"norm\"\nkey = \"model.norm.kind\"\nvalues = [\"rms\"]\n\
                  [[factor]]\nname = \"layers\"\nkey = \"model.layers\"\nvalues = [1]\n";
    let design = "design = { kind = \"factorial\", resolution = 4 }\n";
    let refused = Bench::new(&format!("{design}{others}{POSITION}{THETA}")).refused();
    assert!(refused.contains("factor[3].when") && refused.contains("does not hold in the cell"), "{refused}");
    // One that always holds drops none.
    let rate = "[[factor]]\nname = \"rate\"\nkey = \"optimizer.lr\"\nvalues = [1e-3]\nwhen = \"optimizer.kind == 'adamw'\"\n";
    assert_eq!(Bench::new(&format!("{design}{others}{POSITION}{rate}")).load().arms.len(), 8);
}

fn drawn(range: &str) -> Bench {
    Bench::new(&format!("design = {{ kind = \"halton\", count = 8 }}\n[[factor]]\nname = \"x\"\n{range}\n"))
}

#[test]
fn draws_that_are_no_model_are_left_out_with_their_reason() {
    let experiment = drawn("key = \"model.attention.heads\"\nmin = 1\nmax = 4\nint = true").load();
    let why = "model.attention.heads = 3: heads (3) must divide width (16)";
    assert!(experiment.left_out.contains(&format!("draw-1: {why}")), "{:?}", experiment.left_out);
    let heads: Vec<usize> = experiment.arms[1..].iter().map(|arm| arm.spec.model.attention.heads).collect();
    assert!(!heads.is_empty() && heads.iter().all(|heads| [1, 4].contains(heads)), "{heads:?}");
}

#[test]
fn draws_of_which_none_is_a_model_are_refused_where_the_range_is_written() {
    let refused = drawn("key = \"model.attention.heads\"\nmin = 5\nmax = 7\nint = true").refused();
    assert!(refused.contains("e.toml:5: model.attention.heads = 6: heads (6) must divide width (16)"), "{refused}");
    let refused = drawn("key = \"model.layers\"\nmin = 1\nmax = 4").refused();
    assert!(refused.contains("e.toml:5: model.layers = 2.5") && refused.contains("int = true"), "{refused}");
    // What somebody wrote down stays refused, though other draws are models.
    let refused = drawn("key = \"model.norm.kind\"\nvalues = [\"rms\", \"layr\"]").refused();
    assert!(refused.contains("e.toml:8: model.norm.kind = \"layr\": unknown value"), "{refused}");
}
