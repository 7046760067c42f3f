//! `ablate export`: a model for other programs.

use ablate::{
    Result,
    hub::{self, Described, Dtype, Quantisation, model_name, write_gguf},
    settings::Error,
    train::{Origin, Publishing, checkpoint::Which, hand_on, open_model, publish},
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Write a model for other programs.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder of a run, or of a model in the layout of Hugging Face.
    model: PathBuf,
    /// Which checkpoint of a run: newest, best, or the step of one that was kept.
    #[arg(long, default_value_t, value_name = "WHICH")]
    checkpoint: Which,
    /// Layout: hf, a folder that transformers loads; gguf, a file of llama.cpp's; ablate, a run without its history.
    #[arg(long, value_enum, default_value_t = Format::Hf)]
    format: Format,
    /// Folder to write, or file for gguf; the name of the model with the layout behind it by default.
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Type of the weights: f32, f16, bf16, and q8_0 for gguf; by default that of the files for a model in the layout of Hugging
    /// Face and for a run that was imported from one, else f32.
    #[arg(long, value_name = "TYPE")]
    dtype: Option<String>,
    /// Architecture of transformers, by its model_type; by default the first that covers the model.
    #[arg(long, value_name = "NAME")]
    family: Option<String>,
}

/// Layouts of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Hugging Face.
    Hf,
    /// llama.cpp.
    Gguf,
    /// A run.
    Ablate,
}

impl Format {
    /// What stands behind the name of the model.
    fn ending(self) -> &'static str {
        match self {
            Self::Hf => "-hf",
            Self::Gguf => ".gguf",
            Self::Ablate => "-model",
        }
    }
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let out = args.out.clone().unwrap_or_else(|| {
        let mut name = args.model.components().collect::<PathBuf>().into_os_string();
        name.push(args.format.ending());
        name.into()
    });
    let filled = |folder: &Path| folder.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    if out.is_file() || filled(&out) {
        return Err(Error::input(out.display(), "is there already", "choose another --out, or delete it"));
    }
    let what = match args.format {
        Format::Ablate => hand_on(&args.model, args.checkpoint, &out).map(|()| "ablate"),
        Format::Hf | Format::Gguf => convert(&args, &out),
    }?;
    super::print(&format!("{what}: {}\n", out.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn convert(args: &Args, out: &Path) -> Result<&'static str> {
    let model = open_model(&args.model, args.checkpoint)?;
    let wrong = |message: String| Error::input("--dtype", message, "see `ablate export --help`");
    let name = args.dtype.as_deref();
    if args.format == Format::Gguf {
        let quantisation = name.map_or(Ok(Quantisation::F32), |name| name.parse().map_err(wrong))?;
        let (spec, tokenizer, companions) = (model.spec.clone(), model.tokenizer()?, model.companions());
        let name = model_name(model.folder());
        let described = Described { name: name.as_deref(), tokenizer: tokenizer.as_ref(), companions: Some(&companions) };
        return write_gguf(&spec, model.weights()?, described, quantisation, out);
    }
    let stored = match &model.origin {
        Origin::Run(..) => hub::stored_dtype(&model.companions()).unwrap_or(Dtype::F32),
        Origin::Hub { dtype, .. } => *dtype,
    };
    let dtype = name.map_or(Ok(stored), |name| name.parse().map_err(wrong))?;
    publish(model, Publishing { out, dtype, family: args.family.as_deref() })
}
