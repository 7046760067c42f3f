//! `ablate generate`: sample text from a checkpoint.

use super::{
    manner::{Author, Manner},
    print,
};
use ablate::{
    Result,
    eval::{Completion, Prompt, generate},
    settings::Error,
};
use serde::Deserialize;
use std::{
    io::IsTerminal,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Sample text from a checkpoint.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder of a run.
    run: PathBuf,
    /// Text to continue; may be repeated.
    #[arg(long, value_name = "TEXT", required_unless_present = "prompts")]
    prompt: Vec<String>,
    /// Texts to continue: a line each, or with the ending .jsonl the field `prompt` of each line.
    #[arg(long, value_name = "FILE")]
    prompts: Option<PathBuf>,
    /// Continuations of each text.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    num: u64,
    /// Texts that are written at the same time.
    #[arg(long, default_value_t = 16, value_name = "N")]
    batch: usize,
    #[command(flatten)]
    manner: Manner,
    /// Print a line of JSON per text: prompt, its number, that of the continuation, text, why it ended.
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    if args.batch == 0 {
        return Err(Error::input("--batch", "0 texts at a time", "use 1 or more"));
    }
    let mut texts = args.prompt;
    if let Some(file) = &args.prompts {
        texts.extend(read_prompts(file)?);
    }
    let Author { model, tokenizer, opening, how, .. } = args.manner.open(&args.run, args.batch)?;
    let prompt = |text: &String, draw: u64| {
        let tokens = [opening.clone(), tokenizer.encode(text)].concat();
        // A model has to read something before it writes.
        Prompt { tokens: if tokens.is_empty() { vec![tokenizer.bos()] } else { tokens }, draw }
    };
    let prompts: Vec<Prompt> =
        texts.iter().flat_map(|text| (0..args.num).map(move |draw| (text, draw))).map(|(t, d)| prompt(t, d)).collect();
    // One text can be read while it is written.
    let streams = prompts.len() == 1 && !args.json && std::io::stdout().is_terminal();
    if streams {
        print(&texts[0])?;
    }
    let mut watch = |_: usize, new: &str| match streams.then(|| print(new)) {
        Some(Err(_)) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let completions = generate(&model, &tokenizer, &prompts, &how, &mut watch)?;
    if streams {
        print("\n")?;
    } else {
        for (index, completion) in completions.iter().enumerate() {
            let (text, draw) = (index / args.num as usize, index % args.num as usize);
            print(&shown(&texts[text], text, draw, completion, args.json, completions.len()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A text as it is printed.
fn shown(prompt: &str, number: usize, draw: usize, completion: &Completion, json: bool, count: usize) -> String {
    if json {
        let Completion { text, tokens, end } = completion;
        let line = serde_json::json!({
            "prompt": prompt, "number": number, "draw": draw, "text": text, "tokens": tokens.len(), "end": end.name(),
        });
        return format!("{line}\n");
    }
    let head = if count > 1 { format!("== prompt {}, continuation {}\n", number + 1, draw + 1) } else { String::new() };
    format!("{head}{prompt}{}\n", completion.text)
}

fn read_prompts(path: &Path) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Line {
        prompt: String,
    }
    let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let is_json = path.extension().is_some_and(|end| end == "jsonl");
    let prompts: Vec<String> = lines
        .map(|(index, line)| match is_json {
            true => serde_json::from_str::<Line>(line).map(|line| line.prompt).map_err(|error| {
                let place = format!("{}, line {}", path.display(), index + 1);
                Error::input(place, error.to_string(), "write a line such as {\"prompt\": \"Once\"}")
            }),
            false => Ok(line.to_owned()),
        })
        .collect::<Result<_>>()?;
    if prompts.is_empty() {
        return Err(Error::input(path.display(), "it holds no prompt", "write one on each line"));
    }
    Ok(prompts)
}
