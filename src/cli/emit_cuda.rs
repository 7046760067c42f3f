//! `ablate emit-cuda`: write the CUDA C++ of every kernel, for a compiler without a GPU.

use ablate::{Error, Result, ops};
use std::{fmt::Write, path::PathBuf, process::ExitCode};

/// Write the CUDA C++ of every kernel.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder to write to; made if it is missing.
    dir: PathBuf,
    /// Architecture to write for.
    #[arg(long, default_value = "sm_90a", value_name = "ARCH")]
    arch: String,
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    std::fs::create_dir_all(&args.dir).map_err(Error::io("make", &args.dir))?;
    let mut lines = String::new();
    for kernel in ops::cuda_sources(&args.arch)? {
        let path = args.dir.join(format!("{}.cu", kernel.name));
        std::fs::write(&path, &kernel.source).map_err(Error::io("write", &path))?;
        let _ = writeln!(lines, "{}  entry {}  dynamic shared {} B", path.display(), kernel.entry, kernel.shared_bytes);
    }
    super::print(&lines)?;
    Ok(ExitCode::SUCCESS)
}
