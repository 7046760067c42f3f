//! The ranks that follow the first one.

use super::{Command, GatherError, Start, Team, terms};
use crate::{
    data::Dataset,
    device::DeviceName,
    model::Transformer,
    parallel::group::{Lost, Mesh},
    settings::said,
    train::{
        Examination, RunSpec,
        batch::{Batches, Waited, next_step},
        optimizer,
        replica::{Replica, divergence},
    },
};
use burn::{
    data::dataloader::DataLoader,
    module::Module,
    store::{ModuleRecord, RecordError},
    tensor::{Bytes, Device},
    train::checkpoint::Checkpoint,
};
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    thread::JoinHandle,
};

/// Why a rank stopped following.
#[derive(Debug)]
pub enum Left {
    /// Another one is lost.
    Lost(Lost),
    /// Something went wrong here.
    Failed(String),
}

impl From<Lost> for Left {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

impl From<RecordError> for Left {
    fn from(error: RecordError) -> Self {
        Self::Failed(format!("a record cannot be read: {error}"))
    }
}

impl From<GatherError> for Left {
    fn from(error: GatherError) -> Self {
        match error {
            GatherError::Lost(lost) => Self::Lost(lost),
            GatherError::Record(error) => error.into(),
        }
    }
}

impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lost(lost) => lost.fmt(f),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

/// Takes the steps that the first rank says, until that says the run is over. Writes nothing.
///
/// # Errors
///
/// Why this rank left before that; the others have been told.
pub fn follow(spec: &RunSpec, data: &Dataset, device: &DeviceName, mesh: Mesh) -> Result<(), Left> {
    follow_on(spec, data, device, vec![], mesh)
}

/// [`follow`], where the GPUs of all ranks are at hand.
fn follow_on(spec: &RunSpec, data: &Dataset, device: &DeviceName, devices: Vec<Device>, mesh: Mesh) -> Result<(), Left> {
    let mut replica = None;
    // Outside of what may panic: what is said on the way out goes by connections that are still open.
    let result = catch_unwind(AssertUnwindSafe(|| steps(spec, data, device, devices, mesh, &mut replica)));
    let left = match result {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(left)) => left,
        Err(panic) => Left::Failed(message(panic.as_ref())),
    };
    let Some(team) = replica.as_ref().and_then(Replica::team) else { return Err(left) };
    let left = match left {
        Left::Lost(lost) => {
            // Others may soon miss this one, while it waits for a word.
            if let Lost::Silent { .. } = lost {
                team.leave(&lost.to_string());
            }
            Left::Lost(team.explain(lost))
        }
        failed => failed,
    };
    team.leave(&left.to_string());
    Err(left)
}

fn steps(
    spec: &RunSpec,
    data: &Dataset,
    device: &DeviceName,
    devices: Vec<Device>,
    mesh: Mesh,
    kept: &mut Option<Replica>,
) -> Result<(), Left> {
    let groups = mesh.groups(spec.parallel.tensor);
    let commands = &groups.commands;
    let Some(Start { terms, step, initial_loss, model: record, optimizer: state }) = Start::hear(commands)? else { return Ok(()) };
    let model = model(spec, device, &terms, record).inspect_err(|why| commands.leave(why)).map_err(Left::Failed)?;
    let team = Team::new(groups, &spec.model, &model, &spec.parallel, devices);
    let optimizer = team.load(optimizer::build(&spec.optimizer, spec.model.multiple(), &model), state)?;
    let replica = kept.insert(Replica::new(spec, model, optimizer, Some(team)));
    let examination = Examination { dataset: data.clone(), evaluation: spec.examined() };
    let batches = Batches::of(spec, data, step, Waited::default());
    let mut batches = batches.iter();
    let (mut step, mut initial) = (step, initial_loss);
    loop {
        match replica.team().expect("it has one").command(Command::End)? {
            Command::End => return Ok(()),
            Command::Gather => drop(replica.optimizer()?),
            Command::Whole => drop(replica.whole()?),
            Command::Evaluate => drop(replica.evaluate(&replica.model().valid(), &examination)?),
            Command::Step => {
                let micro = next_step(&mut batches, spec.train.accumulation, step).map_err(Left::Failed)?;
                let computed = replica.compute(spec, step, micro)?;
                let initial = *initial.get_or_insert(computed.measured.loss);
                if divergence(&computed.measured, initial).is_some() {
                    // The first rank sees the same, and ends the run.
                    return Ok(());
                }
                replica.update(computed)?;
                step += 1;
            }
        }
    }
}

/// The model as the first rank has it, with the identifiers that groups of parameters and buckets go by.
fn model(spec: &RunSpec, device: &DeviceName, agreed: &str, record: Vec<u8>) -> Result<Transformer, String> {
    if agreed != terms(spec) {
        return Err("it was started with another configuration than the first rank".into());
    }
    let device = device.train_device().map_err(|error| error.to_string())?;
    let record = ModuleRecord::checkpoint_from_bytes(Bytes::from_bytes_vec(record)).map_err(|error| error.to_string())?;
    spec.model.build(spec.train.seed, &device).try_load_record(record).map_err(|error| error.to_string())
}

/// What a panic said.
pub(in crate::train) fn message(panic: &(dyn Any + Send)) -> String {
    format!("internal error: {}", said(panic).unwrap_or_else(|| "no message".into()))
}

/// Ranks that follow as threads of this process.
#[derive(Debug, Default)]
pub struct Followers(Vec<JoinHandle<Result<(), Left>>>);

impl Followers {
    /// Starts a thread for each mesh, on the device that goes with it.
    pub fn start(spec: &RunSpec, data: &Dataset, names: Vec<DeviceName>, devices: &[Device], meshes: Vec<Mesh>) -> Self {
        let start = |(device, mesh): (DeviceName, Mesh)| {
            let (spec, data, devices) = (spec.clone(), data.clone(), devices.to_vec());
            std::thread::Builder::new()
                .name(format!("rank {}", mesh.rank()))
                .spawn(move || follow_on(&spec, &data, &device, devices, mesh))
                .expect("a thread can be started")
        };
        Self(names.into_iter().zip(meshes).map(start).collect())
    }

    /// Waits for those that come to their end; one that hangs is left behind.
    pub fn join(self, patience: std::time::Duration) {
        let until = std::time::Instant::now() + patience;
        for follower in self.0 {
            while !follower.is_finished() && std::time::Instant::now() < until {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            if follower.is_finished() {
                let _ = follower.join();
            }
        }
    }
}
