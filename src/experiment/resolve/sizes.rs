//! Sizes and numbers of steps that are solved for an arm.

use super::{
    super::{
        arms::{Arm, described},
        design::Variant,
        matching::{self, Quantity, Refusal, Solved, Task},
        spec::{MatchConfig, STEPS},
        tree,
    },
    layers::Resolver,
};
use crate::{
    settings::{Document, Error, Result, flatten},
    train::RunSpec,
};

impl Resolver<'_> {
    pub(super) fn solve_steps(&self, spec: &RunSpec, home: &Arm, tolerance: f64, variant: &Variant, named: &[String]) -> Result<Solved> {
        if named.iter().any(|key| tree::is_within(key, STEPS)) {
            let message = format!("arm `{}` sets `{STEPS}`, which [match] solves", variant.name);
            return Err(self.refuse(&format!("{}.set", variant.at), message, "leave it to [match]"));
        }
        let per_step = |spec: &RunSpec| spec.model.account(spec.model.context).flops_per_token * spec.tokens_per_step() as f64;
        let target = per_step(&home.spec) * home.spec.train.steps as f64;
        Task { key: STEPS, quantity: Quantity::Flops, target, tolerance }
            .steps(per_step(spec))
            .map_err(|refusal| self.refusal(refusal, variant, home, tolerance, "match.flops"))
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn solve(
        &self,
        matching: &MatchConfig,
        (at, size_key): (&str, &str),
        variant: &Variant,
        named: &[String],
        layers: &Document,
        home: &Arm,
        reference: &Arm,
    ) -> Result<Solved> {
        let arm = &variant.name;
        let set_by_arm = named.iter().any(|name| tree::is_within(name, size_key));
        if set_by_arm && layers.value(size_key) != Some("matched".into()) {
            let message = format!("arm `{arm}` sets `{size_key}`, which [match] solves");
            return Err(self.refuse(&format!("{}.set", variant.at), message, "leave it to [match], or write \"matched\""));
        }
        let written = self.written(layers)?;
        let model = &written.model;
        let size = |arm: &Arm| flatten(&arm.spec).get(size_key).and_then(serde_json::Value::as_u64);
        let (Some(home_size), Some(reference_size)) = (size(home), size(reference)) else {
            let help = "for example \"model.feed_forward.hidden\" or \"model.width\"";
            return Err(self.refuse(at, format!("`{size_key}` is no size of the model"), help));
        };
        if matching::with_size(model, size_key, home_size).is_none() {
            return Err(self.refuse(at, format!("`{size_key}` takes no number in arm `{arm}`"), "match another size"));
        }
        let vocab = written.data.resolve().map_or(Some(home.spec.model.vocab), |data| Some(data.vocab));
        let amount = |value: u64| {
            if !value.is_multiple_of(matching.multiple_of) {
                return None;
            }
            let resolved = matching::with_size(model, size_key, value)?.resolve(vocab).ok()?;
            Some(matching::amount(&resolved, matching))
        };
        let quantity = if matching.parameters.is_some() { Quantity::Parameters } else { Quantity::FlopsPerToken };
        let target = matching::amount(&home.spec.model, matching);
        let task = Task { key: size_key, quantity, target, tolerance: matching.tolerance };
        task.size(&[reference_size, home_size], amount).map_err(|refusal| {
            // What is wrong whatever the size is the better message.
            let sized = matching::with_size(model, size_key, home_size).unwrap_or(model.clone());
            match (&refusal, sized.resolve(vocab)) {
                (Refusal::NoValidSize, Err(problems)) => layers.locate(problems),
                (Refusal::Constant, _) => self.refusal(refusal, variant, home, matching.tolerance, at),
                _ => self.refusal(refusal, variant, home, matching.tolerance, "match"),
            }
        })
    }

    pub(super) fn refusal(&self, refusal: Refusal, variant: &Variant, home: &Arm, tolerance: f64, key: &str) -> Error {
        let arm = &variant.name;
        let (message, help) = match refusal {
            Refusal::TooCoarse(nearest) => (
                format!(
                    "arm `{arm}` cannot have the {} {} of {}: the nearest is {} = {} with {} ({:+.2} %, tolerance {} %)",
                    nearest.target,
                    nearest.quantity,
                    described(&home.name),
                    nearest.key,
                    nearest.value,
                    nearest.achieved,
                    100.0 * nearest.residual,
                    100.0 * tolerance
                ),
                "raise match.tolerance, match a finer size, or use a larger model",
            ),
            Refusal::NotMonotone => (format!("what is matched does not grow with the size in arm `{arm}`"), "match another size"),
            Refusal::Constant => {
                let help = "match another size; model.attention.heads counts only where model.attention.head_dim is written";
                (format!("does not change what is matched in arm `{arm}`"), help)
            }
            Refusal::NoValidSize => (format!("no value of the size gives a valid model in arm `{arm}`"), "match another size"),
        };
        self.refuse(key, message, help)
    }
}
