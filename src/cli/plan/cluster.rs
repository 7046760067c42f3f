//! `ablate plan CONFIG --cluster`: what a run would take on many devices.

use crate::cli::text::{self, bytes, count, duration, grouped, json, right};
use ablate::{
    Error, Result,
    ops::Activations,
    parallel::{Cluster, Proposal, Sharded, Work, proposals},
};
use comfy_table::Cell;
use std::path::{Path, PathBuf};

/// Layouts that are shown.
const SHOWN: usize = 5;

/// A cluster, and what is wanted of a layout on it.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Instead of an experiment, plan the configuration of one run on a cluster, e.g. a100-80g:2048: memory, sending, speed
    /// and days by the cost model of docs/parallel.md, for every layout, the fastest first.
    #[arg(long, value_name = "KIND:DEVICES")]
    pub cluster: Option<Cluster>,
    /// Only layouts that divide each layer among so many neighbours.
    #[arg(long, value_name = "N", requires = "cluster")]
    tensor: Option<usize>,
    /// Only layouts that share out so much: nothing, moments, gradients, parameters (ZeRO-0 to 3).
    #[arg(long, value_name = "WHAT", requires = "cluster")]
    sharded: Option<Sharded>,
    /// Only layouts with so many sequences at a time on a group of neighbours.
    #[arg(long, value_name = "N", requires = "cluster")]
    micro: Option<usize>,
    /// Write the backward pass of the best layout as a trace for Perfetto or chrome://tracing.
    #[arg(long, value_name = "FILE", requires = "cluster")]
    trace: Option<PathBuf>,
}

impl Args {
    fn wants(&self, proposal: &Proposal) -> bool {
        let layout = proposal.layout;
        self.tensor.is_none_or(|tensor| tensor == layout.tensor)
            && self.sharded.is_none_or(|sharded| sharded == layout.sharded)
            && self.micro.is_none_or(|micro| micro == layout.micro)
    }
}

/// The plan of a run on a cluster, for people or as JSON.
pub fn plan(args: &Args, cluster: &Cluster, file: &Path, set: &[String], as_json: bool) -> Result<String> {
    let (document, config) = crate::cli::train::configuration(file, set)?;
    let spec = config.resolve().map_err(|problems| document.locate(problems))?;
    // The run by every policy of what is kept.
    let works = Activations::EACH.map(|activations| {
        let mut work = spec.model.work(activations, spec.train.batch, spec.train.steps);
        work.undivided.extend(spec.optimizer.undivided());
        work
    });
    let all = proposals(&works, cluster);
    let wrong = |message: String, help: String| Error::input(format!("--cluster {cluster}"), message, help);
    let Some(best) = all.first() else {
        let work = &works[0];
        let sizes: Vec<String> = work.divided.iter().map(|(name, size)| format!("{size} {name}")).collect();
        let message = format!("{} sequences, {} can be divided in no way by these devices", work.sequences, sizes.join(", "));
        return Err(wrong(message, "take another number of devices, or set train.batch".into()));
    };
    let wanted: Vec<&Proposal> = all.iter().filter(|proposal| args.wants(proposal)).collect();
    let proposed = format!("the fastest that fits: {}", sentence(best));
    let Some(first) = wanted.first() else {
        return Err(wrong("no layout is like that".into(), if best.fits(cluster) { proposed } else { "ask for less".into() }));
    };
    if !first.fits(cluster) {
        let message = format!(
            "no such layout fits: {} takes {} of {} on each device",
            sentence(first),
            bytes(first.cost.memory.total()),
            bytes(cluster.kind.memory)
        );
        return Err(wrong(message, if best.fits(cluster) { proposed } else { "take more devices, or ones with more memory".into() }));
    }
    if let Some(path) = &args.trace {
        let text = serde_json::to_vec(&first.cost.backward.trace()).expect("numbers and names");
        std::fs::write(path, text).map_err(Error::io("write", path))?;
    }
    let fitting: Vec<&Proposal> = wanted.iter().copied().filter(|proposal| proposal.fits(cluster)).collect();
    if as_json {
        return json("plan", &fitting.iter().take(SHOWN).map(|proposal| value(proposal, &works, cluster)).collect::<Vec<_>>());
    }
    Ok(shown(&fitting, &works[first.work], cluster))
}

fn sentence(proposal: &Proposal) -> String {
    let layout = proposal.layout;
    format!(
        "{} × {} devices, {} at a time, sharded: {}, kept: {}",
        layout.data,
        layout.tensor,
        count(layout.micro as u64, "sequence"),
        layout.sharded,
        Activations::EACH[proposal.work]
    )
}

fn shown(fitting: &[&Proposal], work: &Work, cluster: &Cluster) -> String {
    let mut table = text::table(&["data × tensor", "at a time", "sharded", "kept", "memory", "step", "tokens/s each", "MFU", "in all"]);
    for proposal in fitting.iter().take(SHOWN) {
        let (layout, cost) = (proposal.layout, &proposal.cost);
        table.add_row([
            Cell::new(format!("{} × {}", layout.data, layout.tensor)),
            right(layout.micro),
            Cell::new(layout.sharded),
            Cell::new(Activations::EACH[proposal.work]),
            right(bytes(cost.memory.total())),
            right(format!("{:.2} s", cost.seconds.total())),
            right(grouped(cost.tokens_per_second as u64)),
            right(format!("{:.0} %", 100.0 * cost.mfu)),
            right(duration(cost.days * 86_400.0)),
        ]);
    }
    let cost = &fitting[0].cost;
    let (memory, seconds) = (cost.memory, cost.seconds);
    let listed = |parts: &[(&str, f64)], show: &dyn Fn(f64) -> String| -> String {
        let parts: Vec<String> =
            parts.iter().filter(|(_, size)| *size > 0.0).map(|(name, size)| format!("{name} {}", show(*size))).collect();
        parts.join(", ")
    };
    let bytes_of = listed(
        &[
            ("parameters", memory.parameters),
            ("gradients", memory.gradients),
            ("moments", memory.moments),
            ("kept", memory.activations),
            ("runtime", memory.fixed),
        ],
        &bytes,
    );
    let seconds_of = listed(
        &[
            ("products", seconds.products),
            ("scores", seconds.scores),
            ("again", seconds.again),
            ("memory", seconds.moved),
            ("within groups", seconds.tensor),
            ("between groups", seconds.data),
            ("optimizer", seconds.optimizer),
        ],
        &|seconds| format!("{:.1} ms", 1e3 * seconds),
    );
    let sent = match cost.sent.tensor + cost.sent.data {
        0.0 => String::new(),
        _ => format!(
            "it sends {} within its group and {} between groups, of which {:.0} % beside computation\n",
            bytes(cost.sent.tensor),
            bytes(cost.sent.data),
            100.0 * cost.hidden
        ),
    };
    format!(
        "{} parameters, {} tokens a step, {} steps on {cluster}; {} layouts fit\n{table}\n\
         the first, on each device: {bytes_of}\n\
         its step: {seconds_of}\n{sent}",
        grouped(work.parameters() as u64),
        grouped(work.tokens() as u64),
        grouped(work.steps as u64),
        fitting.len(),
    )
}

fn value(proposal: &Proposal, works: &[Work], cluster: &Cluster) -> serde_json::Value {
    let (layout, cost) = (proposal.layout, &proposal.cost);
    let (memory, seconds) = (cost.memory, cost.seconds);
    serde_json::json!({
        "cluster": cluster.to_string(),
        "parameters": works[proposal.work].parameters(),
        "layout": {
            "data": layout.data, "tensor": layout.tensor, "micro": layout.micro,
            "sharded": layout.sharded.name(), "activations": Activations::EACH[proposal.work],
        },
        "memory": {
            "parameters": memory.parameters, "gradients": memory.gradients, "moments": memory.moments,
            "activations": memory.activations, "fixed": memory.fixed, "total": memory.total(),
        },
        "seconds": {
            "products": seconds.products, "scores": seconds.scores, "again": seconds.again, "moved": seconds.moved,
            "tensor": seconds.tensor, "data": seconds.data, "optimizer": seconds.optimizer, "total": seconds.total(),
        },
        "sent": { "tensor": cost.sent.tensor, "data": cost.sent.data, "hidden": cost.hidden },
        "tokens_per_second": cost.tokens_per_second,
        "mfu": cost.mfu,
        "days": cost.days,
    })
}
