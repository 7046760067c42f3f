//! How languages write comments.

/// Comments of a family of languages.
#[derive(Debug)]
pub(super) struct Syntax {
    /// What begins a comment of one line; longer ones first.
    pub lines: &'static [&'static str],
    /// What begins and ends a comment of several lines.
    pub blocks: &'static [(&'static str, &'static str)],
}

const SLASHES: Syntax = Syntax { lines: &["///", "//!", "//"], blocks: &[("/*", "*/")] };
const STYLES: Syntax = Syntax { lines: &["//"], blocks: &[("/*", "*/"), ("<!--", "-->")] };
const HASHES: Syntax = Syntax { lines: &["#"], blocks: &[] };
const PHP: Syntax = Syntax { lines: &["//", "#"], blocks: &[("/*", "*/"), ("<!--", "-->")] };
const RUBY: Syntax = Syntax { lines: &["#"], blocks: &[("=begin", "=end"), ("=pod", "=cut")] };
const POWERSHELL: Syntax = Syntax { lines: &["#"], blocks: &[("<#", "#>")] };
const JULIA: Syntax = Syntax { lines: &["#"], blocks: &[("#=", "=#")] };
const DASHES: Syntax = Syntax { lines: &["--"], blocks: &[("--[[", "]]"), ("{-", "-}"), ("/*", "*/")] };
const MARKUP: Syntax = Syntax { lines: &[], blocks: &[("<!--", "-->")] };
const SEMICOLONS: Syntax = Syntax { lines: &[";"], blocks: &[("#|", "|#")] };
const ASSEMBLY: Syntax = Syntax { lines: &[";", "//", "#", "@"], blocks: &[("/*", "*/")] };
const PERCENTS: Syntax = Syntax { lines: &["%"], blocks: &[("%{", "%}")] };
/// Objective-C and Matlab share an ending.
const M: Syntax = Syntax { lines: &["//", "%"], blocks: &[("/*", "*/"), ("%{", "%}")] };
const STARS: Syntax = Syntax { lines: &["//"], blocks: &[("(*", "*)"), ("{", "}")] };
const QUOTES: Syntax = Syntax { lines: &["'", "Rem", "REM"], blocks: &[] };
const BATCH: Syntax = Syntax { lines: &["@rem", "@REM", "rem", "REM", "::"], blocks: &[] };
const FORTRAN: Syntax = Syntax { lines: &["!", "C", "c", "*"], blocks: &[] };
const RESTRUCTURED: Syntax = Syntax { lines: &[".."], blocks: &[] };
const ROFF: Syntax = Syntax { lines: &[".\\\"", "'\\\""], blocks: &[] };
const UNKNOWN: Syntax =
    Syntax { lines: &["///", "//!", "//", "#", "--", ";", "%"], blocks: &[("/*", "*/"), ("<!--", "-->"), ("(*", "*)"), ("{-", "-}")] };

impl Syntax {
    /// What begins the comment of one line that a text is, white space before it skipped.
    pub(super) fn line_mark(&self, text: &str) -> Option<&'static str> {
        let begins = |mark: &&&str| {
            let word = mark.ends_with(|c: char| c.is_ascii_alphabetic());
            let rest = text.trim_start_matches([' ', '\t', '\u{feff}']).strip_prefix(**mark);
            rest.is_some_and(|rest| !word || !rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '=' | '(' | '.')))
        };
        self.lines.iter().find(begins).copied()
    }
}

/// The comments of the language that a file's name tells; of all if it tells none.
pub(super) fn syntax(path: Option<&str>) -> &'static Syntax {
    let name = path.and_then(|path| path.rsplit(['/', '\\']).next()).unwrap_or_default().to_ascii_lowercase();
    let ending = name.rsplit_once('.').map_or(name.as_str(), |(_, ending)| ending);
    match ending {
        "c" | "h" | "cc" | "hh" | "cpp" | "hpp" | "cxx" | "hxx" | "c++" | "h++" | "inl" | "java" | "js" | "mjs" | "cjs" | "jsx" | "ts"
        | "tsx" | "go" | "rs" | "cs" | "kt" | "kts" | "swift" | "scala" | "groovy" | "gradle" | "dart" | "proto" | "thrift" | "cu"
        | "cuh" | "cl" | "glsl" | "hlsl" | "v" | "sv" | "mm" | "d" | "zig" | "sol" => &SLASHES,
        "css" | "scss" | "sass" | "less" => &STYLES,
        "py" | "pyi" | "pyx" | "sh" | "bash" | "zsh" | "command" | "fish" | "r" | "yaml" | "yml" | "toml" | "cmake" | "mk" | "makefile"
        | "dockerfile" | "tcl" | "nim" | "ex" | "exs" | "coffee" | "conf" | "cfg" | "properties" | "gemfile" | "rakefile" => &HASHES,
        "rb" | "pl" | "pm" | "pod" | "perl" | "t" => &RUBY,
        "php" | "php3" | "php4" | "php5" | "phps" | "phpt" => &PHP,
        "ps1" | "psd1" | "psm1" => &POWERSHELL,
        "jl" => &JULIA,
        "sql" | "lua" | "hs" | "lhs" | "elm" | "ada" | "adb" | "ads" | "vhd" | "vhdl" => &DASHES,
        "html" | "htm" | "xhtml" | "xml" | "xsl" | "xslt" | "svg" | "vue" | "md" | "markdown" | "txt" => &MARKUP,
        "el" | "lisp" | "scm" | "clj" | "cljs" | "rkt" | "ini" => &SEMICOLONS,
        "asm" | "s" | "smali" | "nasm" => &ASSEMBLY,
        "tex" | "sty" | "cls" | "bib" | "erl" | "hrl" | "pro" => &PERCENTS,
        "m" => &M,
        "ml" | "mli" | "fs" | "fsi" | "pas" | "pp" | "dpr" => &STARS,
        "vb" | "vbs" | "bas" => &QUOTES,
        "bat" | "cmd" => &BATCH,
        "f" | "for" | "f77" | "f90" | "f95" | "f03" | "f08" | "fpp" => &FORTRAN,
        "rst" => &RESTRUCTURED,
        "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" => &ROFF,
        _ => &UNKNOWN,
    }
}

/// Whether a line must stay in its place, and what follows it is still the top of a file.
pub(super) fn is_preamble(line: &str, first: bool) -> bool {
    let line = line.trim_start_matches('\u{feff}');
    let bare = line.trim();
    first && line.starts_with("#!")
        || bare == "<?php"
        || bare == "<?"
        || bare.starts_with("<?xml")
        || bare.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("<!doctype"))
        || ["#ifndef ", "#define ", "#pragma once"].iter().any(|guard| bare.starts_with(guard))
        || matches!(bare, "'use strict';" | "\"use strict\";" | "@echo off" | "@ECHO OFF")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_language() {
        assert_eq!(syntax(Some("a/b.RS")).lines, SLASHES.lines);
        assert_eq!(syntax(Some("Makefile")).lines, HASHES.lines);
        assert!(syntax(Some("README.md")).lines.is_empty());
        assert_eq!(syntax(None).lines, UNKNOWN.lines);
        assert_eq!(BATCH.line_mark("  REM\n"), Some("REM"));
        assert_eq!(QUOTES.line_mark("Remove(x)"), None);
        assert_eq!(SLASHES.line_mark("\t//! a"), Some("//!"));
        assert_eq!(syntax(Some("dir.py/noending")).lines, UNKNOWN.lines);
    }
}
