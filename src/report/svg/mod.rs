//! Plots as SVG text, drawn in the page's own colours (CSS variables), so that one drawing serves light, dark and paper.

mod compute;
mod element;
mod forest;
mod frame;
mod interaction;
mod lines;
mod look;
mod scale;
mod scaling;
mod sensitivity;

pub use compute::{BudgetPlot, Worth};
pub use forest::{Forest, Mark};
pub use interaction::{InteractionPlot, LevelLine};
pub use lines::{LinePlot, Series};
pub use look::swatch;
pub use scaling::{SizeLine, SizePlot};
pub use sensitivity::{Sensitivity, SensitivityPlot, Tried};
