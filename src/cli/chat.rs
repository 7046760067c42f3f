//! `ablate chat`: a conversation in the terminal.

use super::{
    manner::{Author, Manner},
    print,
};
use ablate::{
    Result,
    eval::{Conversation, Template},
    settings::Error,
};
use std::{
    io::{BufRead, IsTerminal},
    ops::ControlFlow,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Talk with a model.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder of a run.
    run: PathBuf,
    /// What the model is told before all.
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    #[command(flatten)]
    manner: Manner,
}

const HELP: &str = "/reset forgets what was said, /quit ends (so does the end of input), Ctrl-C ends an answer\n";

/// Runs the verb: a line in, an answer out. Piped, only answers are printed.
pub fn run(args: Args) -> Result<ExitCode> {
    let Author { model, tokenizer, folder, how, .. } = args.manner.open(&args.run, 1)?;
    let template = Template::read(&folder)?;
    let plain = template == Template::Plain;
    let mut conversation = Conversation::new(&model, &tokenizer, template, args.system, how);
    let people = std::io::stdin().is_terminal();
    if people {
        print(if plain { "no chat template: turns are lines with names before them\n" } else { "" })?;
        print(HELP)?;
    }
    let answering = stop_answers()?;
    let mut lines = std::io::stdin().lock().lines();
    loop {
        if people {
            print("> ")?;
        }
        let Some(line) = lines.next() else { break };
        let line = line.map_err(Error::io("read", "standard input"))?;
        match line.trim() {
            "" => continue,
            "/quit" => return Ok(ExitCode::SUCCESS),
            "/reset" => conversation.reset(),
            "/help" => print(HELP)?,
            _ => {
                answering.store(true, Ordering::Relaxed);
                let watch = &mut |new: &str| match print(new) {
                    Ok(()) if answering.load(Ordering::Relaxed) => ControlFlow::Continue(()),
                    _ => ControlFlow::Break(()),
                };
                conversation.say(&line, watch)?;
                answering.store(false, Ordering::Relaxed);
                print("\n")?;
            }
        }
    }
    if people {
        print("\n")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// True while an answer is written: Ctrl-C makes it false, and ends the program where it is false already.
fn stop_answers() -> Result<Arc<AtomicBool>> {
    let answering = Arc::new(AtomicBool::new(false));
    let handle = answering.clone();
    let handler = move || {
        if !handle.swap(false, Ordering::Relaxed) {
            std::process::exit(130);
        }
    };
    ctrlc::set_handler(handler).map_err(|error| Error::input("Ctrl-C", error.to_string(), "start the program again"))?;
    Ok(answering)
}
