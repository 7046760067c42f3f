//! A question in a file, its arms, the plan, the runs, the verdicts. No tensors.
//!
//! ```text
//! experiment.toml ─ Experiment::load ─► arms ─ Plan::new ─► missing(plan, records) ─ launch ─► records ─ summarise ─► Summary
//! ```

mod arms;
mod clock;
mod conduct;
mod freeze;
mod inbox;
mod launch;
mod ledger;
mod matching;
mod paths;
mod plan;
mod proof;
mod record;
mod run_lock;
mod runs;
mod spec;
mod store;
mod summary;
mod tree;
mod verdict;
mod warnings;

pub use arms::{Arm, Experiment, Overrides};
pub use conduct::{Conduct, Event, conduct, default_folder, summarise};
pub use freeze::{Frozen, Pairing, PlanFile};
pub use launch::{DISK_CODE, Lifeline, interrupt};
pub use matching::Solved;
pub use plan::{Job, Plan, PlannedArm, missing};
pub use record::{Cause, Record};
pub use run_lock::RunLock;
pub use spec::{ArmConfig, BASE, Count, Design, DesignConfig, ExperimentConfig, MatchConfig, Seeds};
pub use store::Store;
pub use summary::{ArmSummary, Comparison, Difference, MetricSummary, Summary, Verdict};
