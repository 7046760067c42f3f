//! `ablate new`: write a commented experiment to start from.

use ablate::{Error, Result};
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

const BASE_NAME: &str = "tiny-llama.toml";
const BASE: &str = include_str!("../../configs/tiny-llama.toml");
const TEMPLATE: &str = include_str!("template.toml");

/// Write a commented experiment to start from.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Name of the experiment; NAME.toml is written, and beside it tiny-llama.toml, the base, unless it is there.
    #[arg(value_name = "NAME")]
    name: PathBuf,
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let path = match args.name.extension() {
        Some(extension) if extension == "toml" => args.name.clone(),
        _ => {
            let mut name = args.name.clone().into_os_string();
            name.push(".toml");
            PathBuf::from(name)
        }
    };
    let name = path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| fit(stem)).ok_or_else(|| {
        let help = "use letters, digits, `-`, `_` and `.`, beginning with a letter or digit";
        Error::input(args.name.display(), "no name for an experiment", help)
    })?;
    if name == BASE_NAME.trim_end_matches(".toml") {
        return Err(Error::input(args.name.display(), "is the name of the base", "use another name"));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let base = folder.join(BASE_NAME);

    if !write_once(&path, &TEMPLATE.replace("NAME", name).replace("BASE", BASE_NAME))? {
        return Err(Error::input(path.display(), "exists", "use another name, or remove it first"));
    }
    let mut text = format!("wrote {}\n", path.display());
    if write_once(&base, BASE)? {
        text += &format!("wrote {}, the base\n", base.display());
    } else {
        text += &format!("kept {}, the base\n", base.display());
    }
    text += &format!("next: ablate plan {}\n", path.display());
    super::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Names become folders.
fn fit(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// Writes a file whole or not at all; false if it is there already.
fn write_once(path: &Path, text: &str) -> Result<bool> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(Error::input(folder.display(), "no such folder", "make it first, or name another"));
    }
    let mut builder = tempfile::Builder::new();
    // Like any file the user writes, not private like a temporary one.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(Error::io("write in", folder))?;
    file.write_all(text.as_bytes()).map_err(Error::io("write", path))?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(Error::io("write", path)(error.error)),
    }
}
