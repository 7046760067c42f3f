//! Errors for people at a terminal and for programs behind a pipe.

use ablate::{Error, settings::Mistake};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report};
use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
};

/// Prints an error on standard error; answers with the exit code it stands for.
///
/// On a terminal, mistakes in files are shown in their line. Elsewhere each is `file:line: key = value: message`,
/// followed by an indented `help:` line if there is help.
pub fn report(error: &Error) -> ExitCode {
    let terminal = std::io::stderr().is_terminal();
    let text = match error {
        Error::Settings(mistakes) if terminal => mistakes.iter().map(graphical).collect(),
        Error::Settings(_) => format!("{error}\n"),
        Error::Interrupted(_) => format!("{error}\n"),
        _ => format!("error: {error}\n"),
    };
    // There is nobody left to tell if this fails.
    let _ = std::io::stderr().write_all(text.as_bytes());
    ExitCode::from(if matches!(error, Error::Interrupted(_)) { 130 } else { 2 })
}

fn graphical(mistake: &Mistake) -> String {
    let theme = if std::env::var_os("NO_COLOR").is_some() { GraphicalTheme::unicode_nocolor() } else { GraphicalTheme::unicode() };
    let width = columns().unwrap_or(80).clamp(40, 120);
    let handler = GraphicalReportHandler::new_themed(theme).with_width(width).with_context_lines(1);
    drawn(mistake, &handler).unwrap_or_else(|| format!("{mistake}\n"))
}

/// The mistake with its line, if the file can still be read.
fn drawn(mistake: &Mistake, handler: &GraphicalReportHandler) -> Option<String> {
    let subject = match &mistake.value {
        Some(value) => format!("{} = {value}: {}", mistake.key, mistake.message),
        None if mistake.key.is_empty() => mistake.message.clone(),
        None => format!("{}: {}", mistake.key, mistake.message),
    };
    let mut diagnostic = MietteDiagnostic::new(subject);
    diagnostic.help.clone_from(&mistake.help);
    let report = match mistake.line {
        Some(line) => {
            let source = std::fs::read_to_string(&mistake.file).ok()?;
            let (start, length) = span(&source, line, mistake)?;
            diagnostic = diagnostic.with_label(LabeledSpan::underline(start..start + length));
            Report::new(diagnostic).with_source_code(NamedSource::new(&mistake.file, source))
        }
        None => {
            diagnostic.message = format!("{}: {}", mistake.file, diagnostic.message);
            Report::new(diagnostic)
        }
    };
    let mut text = String::new();
    handler.render_report(&mut text, report.as_ref()).ok()?;
    Some(text + "\n")
}

/// What to underline in a line: the value, else (or if the key is what is wrong) the key's last name, else all of it.
fn span(source: &str, line: usize, mistake: &Mistake) -> Option<(usize, usize)> {
    let start: usize = source.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let text = source.get(start..)?.lines().next().unwrap_or_default();
    let name = mistake.key.rsplit(['.', '"']).find(|name| !name.is_empty()).unwrap_or(&mistake.key);
    let after = text.find('=').map_or(0, |at| at + 1);
    let value = mistake
        .value
        .as_deref()
        .filter(|_| !mistake.message.starts_with("unknown key"))
        .and_then(|value| Some((after + text[after..].find(value)?, value.len())));
    let found = value.or_else(|| text.find(name).filter(|_| !name.is_empty()).map(|at| (at, name.len())));
    let (at, length) = found.unwrap_or_else(|| (text.len() - text.trim_start().len(), text.trim().len()));
    Some((start + at, length))
}

/// Columns of the terminal behind standard error.
#[cfg(unix)]
fn columns() -> Option<usize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the call writes one `winsize` behind a valid pointer.
    let answer = unsafe { libc::ioctl(libc::STDERR_FILENO, libc::TIOCGWINSZ, &mut size) };
    (answer == 0 && size.ws_col > 0).then_some(size.ws_col.into())
}

#[cfg(not(unix))]
fn columns() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(key: &str, value: Option<&str>, line: usize) -> Mistake {
        let value = value.map(str::to_string);
        Mistake { file: "a.toml".into(), line: Some(line), key: key.into(), value, message: "wrong".into(), help: None }
    }

    #[test]
    fn underlines_the_value_else_the_key_else_the_line() {
        let source = "[model]\n  width = 5 # é width\n\n";
        let part = |mistake| span(source, 2, &mistake).map(|(start, length)| &source[start..start + length]);
        assert_eq!(part(mistake("model.width", Some("5"), 2)), Some("5"));
        assert_eq!(part(mistake("model.width", None, 2)), Some("width"));
        assert_eq!(part(mistake("", None, 2)), Some("width = 5 # é width"));
        assert_eq!(span(source, 9, &mistake("x", None, 9)), Some((source.len(), 0)));
    }
}
