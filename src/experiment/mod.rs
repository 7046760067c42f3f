//! A question in a file, its arms, the plan, the runs, the verdicts. No tensors.
//!
//! ```text
//! experiment.toml ─ Experiment::load ─► arms ─ Plan::new ─► missing(plan, records) ─ launch ─► records ─ summarise ─► Summary
//! ```

mod arms;
mod clock;
mod compare;
mod conduct;
mod freeze;
mod inbox;
mod launch;
mod ledger;
mod matching;
mod paths;
mod plan;
mod progress;
mod proof;
mod record;
mod run_lock;
mod runs;
mod spec;
mod status;
mod store;
mod summary;
mod tidy;
mod tree;
mod verdict;
mod warnings;

pub use arms::{Arm, Experiment, Overrides};
pub use compare::{Parting, RunDiff, compare};
pub use conduct::{Conduct, Conducted, Event, conduct, default_folder, summarise};
pub use freeze::{Frozen, Pairing, PlanFile};
pub use launch::{DISK_CODE, Launcher, Lifeline, SlurmOptions, Submitted, TaskEnd, interrupt, task};
pub use matching::Solved;
pub use plan::{Job, Plan, PlannedArm, missing};
pub use record::{Cause, Record};
pub use run_lock::RunLock;
pub use spec::{ArmConfig, BASE, Count, Design, DesignConfig, ExperimentConfig, MatchConfig, Seeds};
pub use status::{RunState, RunStatus, Status, status};
pub use store::Store;
pub use summary::{ArmSummary, Comparison, Difference, MetricSummary, Summary, Verdict};
pub use tidy::{Tidied, clean, cleanable, removable, remove};
