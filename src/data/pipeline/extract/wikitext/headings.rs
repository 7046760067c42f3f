//! Second pass: headings, and sections that are left out.

use super::{Handling, names, render::Pass};

/// A section: level and where its heading begins and ends in the output.
pub(super) struct Section {
    level: usize,
    start: usize,
    end: usize,
    dropped: bool,
}

impl Pass<'_, '_> {
    pub(super) fn start_heading(&mut self, line: &str) {
        let line = line.trim_end();
        let marks = |count: usize| count.min(6).min((line.len() - 1) / 2);
        let opening = line.bytes().take_while(|byte| *byte == b'=').count();
        let closing = line.bytes().rev().take_while(|byte| *byte == b'=').count();
        let level = marks(opening.min(closing));
        if level == 0 {
            return;
        }
        self.links.clear();
        self.end_sections(level);
        let start = self.out.len();
        self.sections.push(Section { level, start, end: start, dropped: false });
        self.heading = Some((self.at + line.len() - level, self.at + line.len()));
        self.at += level;
    }

    pub(super) fn end_heading(&mut self) {
        self.links.clear();
        while self.out.ends_with(' ') {
            self.out.pop();
        }
        if let Some((_, next)) = self.heading.take() {
            self.at = self.at.max(next);
        }
        if let Some(section) = self.sections.last_mut() {
            let name = self.out.get(section.start..).unwrap_or("");
            section.dropped = names::section(name).is_some_and(|kind| self.rules.drop_sections.contains(&kind));
            section.end = self.out.len();
        }
    }

    /// Ends the open sections of this level and below; those to be left out are cut off.
    pub(super) fn end_sections(&mut self, level: usize) {
        while let Some(section) = self.sections.pop_if(|section| section.level >= level) {
            let empty = self.rules.empty_sections == Handling::Drop && self.out.trim_end().len() <= section.end;
            if section.dropped || empty {
                let rule = if section.dropped { "wikitext.sections" } else { "wikitext.empty_sections" };
                self.counts.add(rule, self.out.len().saturating_sub(section.start));
                self.cut(section.start);
            }
        }
    }
}
