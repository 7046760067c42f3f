//! Gzip of many members, one broken member of which need not be the end.

use super::{fault::Broken, pushback::Pushback};
use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, Read};

/// All members of a gzip file, one after the other.
pub(super) struct Gzip<R> {
    state: State<Pushback<R>>,
    /// Whether reading goes on, after an error, at the next member that looks like one: for WARC, where members hold whole records.
    resumes: bool,
    /// Members that have ended as they should.
    members: u64,
    /// Whether anything was read since the last error: one hole in a file is one error.
    fresh: bool,
}

enum State<R> {
    Between(R),
    Within(Box<GzDecoder<R>>),
    Lost(R),
    Done,
}

impl<R: BufRead> Gzip<R> {
    pub fn new(source: Pushback<R>, resumes: bool) -> Self {
        Self { state: State::Between(source), resumes, members: 0, fresh: true }
    }

    /// To the next member, past the zeros that tapes and disks pad with.
    fn begin(&mut self, mut source: Pushback<R>) -> io::Result<()> {
        loop {
            let ahead = source.peek(2)?;
            match ahead {
                [] => return Ok(()),
                [0, ..] if self.members > 0 => {
                    let zeros = ahead.iter().take_while(|&&byte| byte == 0).count();
                    source.consume(zeros);
                }
                [0x1F, 0x8B, ..] => {
                    self.state = State::Within(Box::new(GzDecoder::new(source)));
                    return Ok(());
                }
                _ => {
                    let what = if self.members > 0 { "after a member comes what is no gzip" } else { "it is not gzip" };
                    if self.resumes {
                        self.state = State::Lost(source);
                    }
                    return Err(Broken::new("corrupt", what).into_io());
                }
            }
        }
    }

    /// To what looks like the beginning of a member: magic, deflate, no reserved flags.
    fn seek(&mut self, mut source: Pushback<R>) -> io::Result<()> {
        loop {
            let ahead = source.peek(4)?;
            let found = ahead.windows(4).position(|four| four[..3] == [0x1F, 0x8B, 8] && four[3] & 0xE0 == 0);
            let (skip, end) = (found.unwrap_or(ahead.len().saturating_sub(3)), ahead.len() < 4);
            source.consume(skip);
            if found.is_some() {
                self.state = State::Within(Box::new(GzDecoder::new(source)));
                return Ok(());
            } else if end {
                return Ok(());
            }
        }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            // Whatever goes wrong below leaves the end behind, unless it says otherwise.
            match std::mem::replace(&mut self.state, State::Done) {
                State::Between(source) => self.begin(source)?,
                State::Lost(source) => self.seek(source)?,
                State::Within(mut member) => match member.read(into) {
                    Ok(0) => {
                        self.members += 1;
                        self.state = State::Between(member.into_inner());
                    }
                    Ok(count) => {
                        self.fresh = true;
                        self.state = State::Within(member);
                        return Ok(count);
                    }
                    Err(error) => {
                        if self.resumes && error.raw_os_error().is_none() {
                            self.state = State::Lost(member.into_inner());
                        }
                        if std::mem::take(&mut self.fresh) || !self.resumes {
                            return Err(error);
                        }
                    }
                },
                State::Done => return Ok(0),
            }
        }
    }
}
