//! Draws that become no run.

use super::{
    super::design::{Layer, Variant},
    layers::Resolver,
};
use crate::settings::{Error, Result};

impl Resolver<'_> {
    /// Why a draw is left out. The first error is kept, for the case that no draw is left.
    ///
    /// # Errors
    ///
    /// The error itself where a value cannot be read: that is a mistake in the file, and not of this combination of values.
    pub(super) fn why_not(&self, draw: &Variant, error: Error, first: &mut Option<Error>) -> Result<String> {
        if !self.is_readable(draw) {
            return Err(self.advised(error));
        }
        let why = match &error {
            Error::Settings(mistakes) => {
                let written = |value: &Option<String>| value.as_ref().map(|value| format!(" = {value}")).unwrap_or_default();
                let each = mistakes.iter().map(|mistake| format!("{}{}: {}", mistake.key, written(&mistake.value), mistake.message));
                each.collect::<Vec<_>>().join("; ")
            }
            other => other.to_string(),
        };
        first.get_or_insert(error);
        Ok(why)
    }

    fn is_readable(&self, draw: &Variant) -> bool {
        let unconditional = || draw.layers.iter().filter(|layer| layer.when.is_none()).collect::<Vec<&Layer>>();
        let applied = self.applied(draw).unwrap_or_else(|_| unconditional());
        self.layers(&applied).and_then(|layers| self.written(&layers)).is_ok()
    }

    /// Says what makes whole numbers of a range.
    fn advised(&self, error: Error) -> Error {
        let Error::Settings(mut mistakes) = error else { return error };
        for mistake in &mut mistakes {
            let mut ranges = self.config.factors.iter().filter(|factor| factor.is_range() && !factor.int);
            if mistake.message.starts_with("expected an integer") && ranges.any(|factor| factor.key.as_ref() == Some(&mistake.key)) {
                mistake.help = Some("add int = true to the factor: whole numbers are drawn then".into());
            }
        }
        Error::Settings(mistakes)
    }
}
