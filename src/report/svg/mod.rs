//! Plots as SVG text, drawn in the page's own colours (CSS variables), so that one drawing serves light, dark and paper.

mod element;
mod forest;
mod lines;
mod scale;

pub use forest::{Forest, Mark};
pub use lines::{LinePlot, Series, swatch};
