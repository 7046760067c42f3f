//! The scripts that are submitted.

use super::words::quote;
use crate::settings::{Error, Result};
use minijinja::{Environment, context};
use std::path::Path;

const ARRAY: &str = include_str!("array.sh");
const CONTROLLER: &str = include_str!("controller.sh");

/// What both scripts say.
pub struct Script<'a> {
    /// Name of the experiment.
    pub name: &'a str,
    /// Where the command was given.
    pub directory: &'a Path,
    /// Folder of the batch.
    pub folder: &'a Path,
}

/// What the script of the tasks says beside that.
pub struct Tasks<'a> {
    /// How many there are.
    pub count: usize,
    /// How many may run at a time.
    pub most: Option<usize>,
    /// Seconds before the end at which they are told.
    pub notice: u32,
    /// The program: this one.
    pub program: &'a Path,
    /// Implementation of the operators.
    pub ops: String,
}

impl Script<'_> {
    /// The array job: one run per task.
    ///
    /// # Errors
    ///
    /// A path that no script can hold.
    pub fn tasks(&self, tasks: &Tasks) -> Result<String> {
        let program = quote(text(tasks.program)?);
        let (last, most, notice, ops) = (tasks.count - 1, tasks.most, tasks.notice, &tasks.ops);
        self.render(ARRAY, context! { last, most, notice, program, ops })
    }

    /// The job that comes after job `after`, and runs `command`.
    ///
    /// # Errors
    ///
    /// A path that no script can hold.
    pub fn controller(&self, after: &str, command: &[String]) -> Result<String> {
        let command = command.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
        self.render(CONTROLLER, context! { job => after, command })
    }

    fn render(&self, template: &str, more: minijinja::Value) -> Result<String> {
        let (directory, folder) = (text(self.directory)?, text(self.folder)?);
        let name = format!("ablate-{}", self.name);
        let all = context! { name, directory, folder, ..more };
        Ok(Environment::new().render_str(template, all).expect("the template is valid") + "\n")
    }
}

/// A path as a line of a script can hold it.
fn text(path: &Path) -> Result<&str> {
    let plain = |text: &&str| !text.chars().any(|c| c.is_control() || c.is_whitespace() || "'\"\\%".contains(c));
    path.to_str().filter(plain).ok_or_else(|| {
        let what = "cannot be named in a script for SLURM: it has spaces, quotes, per cents or other signs";
        Error::input(path.display(), what, "use another folder, with --out or by giving the command elsewhere")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_say_what_they_are_given() {
        let script = Script { name: "e", directory: Path::new("/home/x"), folder: Path::new("/out/.slurm/0") };
        let tasks = Tasks { count: 8, most: Some(2), notice: 60, program: Path::new("/bin/ablate"), ops: "fused".into() };
        let array = script.tasks(&tasks).unwrap();
        let options: Vec<&str> = array.lines().filter_map(|line| line.strip_prefix("#SBATCH ")).collect();
        assert!(options.contains(&"--array=0-7%2") && options.contains(&"--signal=B:USR1@60") && options.contains(&"--requeue"), "{array}");
        // SLURM reads options up to the first line that is neither empty nor a comment.
        assert_eq!(
            array.lines().take_while(|line| line.is_empty() || line.starts_with('#')).filter(|line| line.starts_with("#SBATCH")).count(),
            7
        );
        assert!(array.ends_with("exec '/bin/ablate' --ops fused task --batch /out/.slurm/0 --index \"$SLURM_ARRAY_TASK_ID\"\n"), "{array}");
        assert!(script.tasks(&Tasks { most: None, ..tasks }).unwrap().contains("--array=0-7\n"));
        let words = ["ablate", "run", "it's.toml"].map(String::from);
        let controller = script.controller("17", &words).unwrap();
        assert!(
            controller.contains("--dependency=afterany:17\n") && controller.ends_with("exec 'ablate' 'run' 'it'\\''s.toml'\n"),
            "{controller}"
        );
    }

    #[test]
    fn paths_that_no_script_can_hold_are_refused() {
        let script = Script { name: "e", directory: Path::new("/home/x"), folder: Path::new("/my results") };
        assert!(script.controller("1", &[]).unwrap_err().to_string().contains("/my results"));
    }
}
