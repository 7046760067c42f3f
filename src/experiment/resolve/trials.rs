//! What tuning tries.

use super::{
    super::{
        arms::{Arm, Trial},
        proof::prove,
    },
    layers::Resolver,
};
use crate::{
    settings::{Document, Result},
    train::RunSpec,
};

impl Resolver<'_> {
    /// Refuses tuning at more steps than the comparison has: what is best there need not be best here.
    pub(super) fn refuse_long_rungs(&self, base: &Arm) -> Result<()> {
        let rungs = self.config.retune.iter().flat_map(|retune| &retune.rungs);
        match rungs.max().filter(|steps| self.scaled(**steps) > base.spec.train.steps) {
            None => Ok(()),
            Some(steps) => {
                let message = format!("{steps} steps are more than the {} of the comparison", base.spec.train.steps);
                Err(self.refuse("retune.rungs", message, "end with the steps of the comparison, or fewer"))
            }
        }
    }

    /// The trials of tuning of the arm that has these layers and became this run.
    pub(super) fn trials(&self, layers: &Document, spec: &RunSpec) -> Result<Vec<Trial>> {
        let Some(retune) = &self.config.retune else { return Ok(vec![]) };
        let mut combinations: Vec<Vec<(String, usize)>> = vec![vec![]];
        for (key, values) in &retune.values {
            let extended = |chosen: &Vec<(String, usize)>| {
                let chosen = chosen.clone();
                (0..values.len()).map(move |at| [chosen.as_slice(), &[(key.clone(), at)]].concat())
            };
            combinations = combinations.iter().flat_map(extended).collect();
        }
        let mut trials = Vec::new();
        for chosen in combinations {
            let mut layers = layers.clone();
            for (key, at) in &chosen {
                if let Some(set) = self.document.nested(&format!("retune.values.\"{key}\"[{at}]"), key) {
                    layers.overlay(&set);
                }
            }
            let mut written = self.written(&layers)?;
            written.rescale(spec.train.steps);
            let resolved = written.resolve().map_err(|problems| layers.locate(problems))?;
            if resolved.model.account(spec.model.context).parameters != spec.model.account(spec.model.context).parameters {
                let message = "changes the number of parameters".into();
                return Err(self.refuse("retune.values", message, "tune settings of training; sizes are what [match] and arms are for"));
            }
            // Nothing but what is tuned may differ from the arm.
            let tuned: Vec<String> = chosen.iter().map(|(key, _)| key.clone()).collect();
            prove(spec, &resolved, &tuned, &[]).map_err(|problems| layers.locate(problems))?;
            let settings = chosen.iter().map(|(key, at)| (key.clone(), retune.values[key][*at].clone())).collect();
            trials.push(Trial { settings, written });
        }
        Ok(trials)
    }
}
