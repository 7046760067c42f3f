//! Integration tests, one file per room, in one binary so that Burn is linked once.

mod bench;
mod cli;
mod data;
mod eval;
mod experiment;
mod launch;
mod model;
mod ops;
mod reference;
mod report;
mod settings;
mod stats;
mod track;
mod train;
