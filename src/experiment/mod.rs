//! A question in a file, its arms, the plan, the runs, the verdicts. No tensors.
//!
//! ```text
//! experiment.toml ─ Experiment::load ─► arms ─ Plan::new ─► missing(plan, records) ─ launch ─► records ─ summarise ─► Summary
//! ```

mod arms;
mod clock;
mod compare;
mod condition;
mod conduct;
mod contrast;
mod decided;
mod design;
mod files;
mod freeze;
mod inbox;
mod job;
mod launch;
mod ledger;
mod matching;
mod paths;
mod plan;
mod price;
mod progress;
mod proof;
mod published;
mod reach;
mod record;
mod resolve;
mod run_diff;
mod run_lock;
mod runs;
mod scaling;
mod sensitivity;
mod sentence;
mod sequence;
mod spec;
mod status;
mod store;
mod summary;
mod tidy;
mod tree;
mod tuning;
mod verdict;
mod wanted;
mod warnings;

pub use arms::{Arm, Experiment, Overrides, Trial};
pub use conduct::{Conduct, Conducted, Event, conduct, default_folder, summarise};
pub use design::Effect;
pub use freeze::{Frozen, Pairing, PlanFile};
pub use job::{Job, Stage};
pub use launch::{DISK_CODE, Launcher, Lifeline, SlurmOptions, Submitted, TaskEnd, interrupt, task};
pub use matching::{Quantity, Solved};
pub use plan::{Plan, PlannedArm, missing};
pub use price::{Budget, Price};
pub use record::{Cause, Record};
pub use run_diff::{Parting, RunDiff, compare};
pub use run_lock::RunLock;
pub use spec::{
    ArmConfig, BASE, Count, Design, DesignConfig, ExperimentConfig, FactorConfig, LevelConfig, MatchConfig, PublishedConfig, RetuneConfig,
    Scale, Seeds, SequentialSeeds, SizeConfig, Until,
};
pub use status::{RunState, RunStatus, Status, status};
pub use store::Store;
pub use summary::{
    ArmSummary, Claim, Comparison, ComputeSummary, Cost, Difference, EffectSummary, EquivalenceSummary, FactorSummary, MetricSummary,
    Multiplier, PublishedSummary, Role, Rung, ScalingCurve, ScalingFit, ScalingSummary, ScalingTrend, Summary, TrialSummary, TuningSummary,
    Verdict, WelchSummary,
};
pub use tidy::{Tidied, clean, cleanable, removable, remove};
