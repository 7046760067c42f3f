//! Thresholds that make sense.

use crate::settings::{Error, Result};

/// Refuses a threshold that is no number from 0 up.
pub(super) fn threshold(place: &str, value: f64) -> Result<()> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(Error::input(place, format!("{value} is no threshold"), "give a number from 0 up"))
}

/// Refuses a range that nothing is in.
pub(super) fn range(place: &str, least: f64, most: f64) -> Result<()> {
    threshold(place, least)?;
    threshold(place, most)?;
    if least <= most {
        return Ok(());
    }
    Err(Error::input(place, format!("nothing is at least {least} and at most {most}"), "make the first the smaller one"))
}

/// A part of a whole; none of nothing.
pub(super) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The lines of a list that a user supplies: trimmed, without empty ones and those that begin with `#`.
///
/// # Errors
///
/// The file cannot be read, is not UTF-8 or lists nothing.
pub(super) fn list(path: &str) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let list: Vec<_> = lines.map(String::from).collect();
    if list.is_empty() {
        return Err(Error::input(path, "nothing is listed", "write one entry a line"));
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_finite_and_ranges_hold_something() {
        assert!(threshold("t", 0.0).is_ok() && threshold("t", -0.1).is_err() && threshold("t", f64::NAN).is_err());
        assert!(range("t", 3.0, 10.0).is_ok() && range("t", 10.0, 3.0).is_err());
    }

    #[test]
    fn a_list_has_no_comments_and_something_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list").to_string_lossy().into_owned();
        std::fs::write(&path, "# words\n\n one \ntwo\n").unwrap();
        assert_eq!(list(&path).unwrap(), ["one", "two"]);
        std::fs::write(&path, "# none\n").unwrap();
        assert!(list(&path).unwrap_err().to_string().contains("nothing is listed"));
        assert!(list("/no/such/list").is_err());
    }
}
