//! `ablate fetch`: a model from a hub.

use super::text::bytes;
use ablate::{
    Result,
    hub::{Place, fetch},
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{io::IsTerminal, process::ExitCode};

/// Fetch a model from a hub into the cache that Hugging Face's libraries share.
///
/// Honours HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_TOKEN_PATH and HF_HUB_OFFLINE. Prints the folder, for `ablate import`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Name of the model: owner/name.
    #[arg(value_name = "MODEL_ID")]
    model: String,
    /// Branch, tag or commit.
    #[arg(long, default_value = "main", value_name = "NAME")]
    revision: String,
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let target = if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(None, target);
    bar.set_style(ProgressStyle::with_template("{msg:40} {bar:30} {bytes}/{total_bytes} {eta}").expect("the template is valid"));
    let folder = fetch(&args.model, &args.revision, &Place::from_environment(), &|file, done, all| {
        bar.set_message(format!("{file}, {}", bytes(all as f64)));
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    super::print(&format!("{}\n", folder?.display()))?;
    Ok(ExitCode::SUCCESS)
}
