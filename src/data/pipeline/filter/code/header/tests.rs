use super::*;

fn cleaned(path: Option<&str>, text: &str) -> String {
    let mut document = Document::new("a", text);
    document.meta.extend(path.map(|path| ("path".to_string(), path.into())));
    let mut counts = Counts::default();
    match Header::new(&HeaderConfig::default()).apply(&mut document, &mut counts) {
        Verdict::Keep => {
            assert_eq!(counts.get("header").bytes as usize, text.len() - document.text.len());
            document.text
        }
        Verdict::Drop(rule) => format!("<{rule}>"),
    }
}

/// What RedPajama-Data's rule deletes, as it goes by position.
#[test]
fn what_is_no_notice_stays_whole() {
    for (path, text) in [
        ("a.c", "#include <stdio.h>\n#define A 1\nint main(){}\n"),
        ("a.h", "#pragma once\n// Counts words.\n\n#include \"b.h\"\n"),
        ("a.sh", "#!/bin/sh\n# Prints the licence of every file.\necho\n"),
        ("a.hs", "-- | Words and how to count them.\nmodule Words where\n"),
        ("a.lua", "-- counts words\nlocal x = 1\n"),
        ("a.sql", "-- Tables of words\nCREATE TABLE words;\n"),
        ("README.md", "# Title\n\nText.\n"),
        ("README.md", "# Copyright 2020\n\nText about (c) 2020.\n"),
        ("a.py", "\"\"\"Module docs.\n\nCopyright law for beginners.\n\"\"\"\n"),
        ("a.py", "# -*- coding: utf-8 -*-\n# Counts words.\nimport os\n"),
        ("a.rs", "//! Module docs.\n\n/// A word.\nstruct Word;\n"),
        ("a.c", "int a; /* Copyright 2020 Jane */\n"),
        ("a.c", "/* Copyright 2020 Jane */ int a;\n"),
        ("a.c", "int a;\n/* Copyright 2020 Jane Roe */\nint b;\n"),
        ("a.c", "/* Copyright 2020 Jane Roe, without an end\nint b;\n"),
    ] {
        assert_eq!(cleaned(Some(path), text), text, "{path}");
        assert_eq!(cleaned(Some(path), &text.replace('\n', "\r\n")), text.replace('\n', "\r\n"), "{path}");
    }
    assert_eq!(cleaned(None, "#include <a.h>\n#define LICENSE 1\n"), "#include <a.h>\n#define LICENSE 1\n");
}

#[test]
fn notices_go_in_every_kind_of_comment() {
    let notice = "Copyright (c) 2020 Jane Roe. All rights reserved.\n\nUse of this source code is governed by a BSD-style licence\nthat can be found in the LICENSE file.";
    let lines = |mark: &str| notice.split('\n').map(|line| format!("{mark} {line}").trim_end().to_string() + "\n").collect::<String>();
    for (path, mark) in [
        ("a.rs", "//"),
        ("a.py", "#"),
        ("a.lua", "--"),
        ("a.el", ";;"),
        ("a.tex", "%"),
        ("a.vb", "'"),
        ("a.f90", "!"),
        ("a.bat", "REM"),
        ("a.erl", "%%"),
        ("Makefile", "#"),
        ("unknown", "//"),
        ("unknown", "#"),
    ] {
        assert_eq!(cleaned(Some(path), &format!("{}\ncode()\n", lines(mark))), "code()\n", "{path}");
    }
    for (path, open, close) in [
        ("a.c", "/*", "*/"),
        ("a.html", "<!--", "-->"),
        ("a.ml", "(*", "*)"),
        ("a.hs", "{-", "-}"),
        ("a.md", "<!--", "-->"),
        ("a.lua", "--[[", "]]"),
    ] {
        assert_eq!(cleaned(Some(path), &format!("{open}\n{notice}\n{close}\n\ncode()\n")), "code()\n", "{path}");
        assert_eq!(cleaned(Some(path), &format!("{open} {notice} {close}\ncode()\n")), "code()\n", "{path}");
    }
    let starred = format!("/**********\n * {}\n **********/\r\nint a;\n", notice.replace('\n', "\n * "));
    assert_eq!(cleaned(Some("a.c"), &starred), "int a;\n");
}

#[test]
fn what_stands_beside_a_notice_stays() {
    let text = "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n# Copyright 2020 Jane Roe\n#\n# Counts words.\nimport os\n";
    assert_eq!(cleaned(Some("a.py"), text), "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n# Counts words.\nimport os\n");
    let text = "/*\n * words.c - counts words\n * Copyright (C) 1999 Jane Roe\n *\n * This program is free software.\n */\nint a;\n";
    assert_eq!(cleaned(Some("a.c"), text), "/*\n * words.c - counts words\n */\nint a;\n");
    let text = "#ifndef A_H\n#define A_H\n/* Copyright 2020 Jane Roe */\nint a;\n#endif\n";
    assert_eq!(cleaned(Some("a.h"), text), "#ifndef A_H\n#define A_H\nint a;\n#endif\n");
    let text = "/* Copyright 2020 Jane Roe */\n\n/* Counts words. */\n#include <a.h>\n";
    assert_eq!(cleaned(Some("a.c"), text), "/* Counts words. */\n#include <a.h>\n");
    let text = "// Copyright 2020 Jane Roe\n//! Counts words.\nfn a() {}\n";
    assert_eq!(cleaned(Some("a.rs"), text), "//! Counts words.\nfn a() {}\n");
    let text = "<?php\n/**\n * @copyright 2020 Jane Roe\n * @license MIT\n */\nnamespace A;\n";
    assert_eq!(cleaned(Some("a.php"), text), "<?php\nnamespace A;\n");
    let text = "<?xml version=\"1.0\"?>\n<!-- Copyright 2020 Jane Roe -->\n<a/>\n";
    assert_eq!(cleaned(Some("a.xml"), text), "<?xml version=\"1.0\"?>\n<a/>\n");
    let text = "/* Counts words.\n\n   Copyright 2020 Jane Roe */\nint a;\n";
    assert_eq!(cleaned(Some("a.c"), text), "/* Counts words.\n\n   */\nint a;\n");
    let text = "/* Copyright 2020 Jane Roe\n\n   Counts words. */\nint a;\n";
    assert_eq!(cleaned(Some("a.c"), text), "/*\n   Counts words. */\nint a;\n");
}

#[test]
fn a_licence_of_several_paragraphs_goes_whole() {
    let text = "\
/*
 * Copyright 2020 The Words Authors
 *
 * Licensed under the Apache License, Version 2.0 (the \"License\");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *     https://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an \"AS IS\" BASIS.
 */

package words;
";
    assert_eq!(cleaned(Some("a.java"), text), "package words;\n");
    assert_eq!(cleaned(None, text), "package words;\n");
}

#[test]
fn a_file_of_nothing_else_is_dropped() {
    assert_eq!(cleaned(Some("a.c"), "/* Copyright 2020 Jane Roe */\n"), "<empty>");
}

#[test]
fn hostile_files_are_read_in_time() {
    for text in [
        "/*".repeat(1 << 19),
        "# (c)\n".repeat(1 << 18),
        "/* Copyright */\n".repeat(1 << 16),
        "//".repeat(1 << 19) + "copyright",
        "/* copyright 2020\n".repeat(1 << 16),
    ] {
        cleaned(None, &text);
        cleaned(Some("a.c"), &text);
    }
    assert_eq!(cleaned(Some("a.py"), "# Copyright 2020 Jané\u{feff}"), "<empty>");
}
