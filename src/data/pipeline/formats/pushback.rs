//! A buffered reader that one can look ahead in and give bytes back to.

use std::io::{BufRead, Read, Result};

/// See the module.
pub(super) struct Pushback<R> {
    front: Vec<u8>,
    at: usize,
    inner: R,
}

impl<R: BufRead> Pushback<R> {
    pub fn new(inner: R) -> Self {
        Self { front: Vec::new(), at: 0, inner }
    }

    /// At least `count` bytes that come next, fewer only at the end.
    pub fn peek(&mut self, count: usize) -> Result<&[u8]> {
        if self.at == self.front.len() && self.inner.fill_buf()?.len() >= count {
            return self.inner.fill_buf();
        }
        while self.front.len() - self.at < count {
            let more = self.inner.fill_buf()?;
            if more.is_empty() {
                break;
            }
            // A block that ends in what is looked for is copied, and consumed by the next few reads.
            self.front.drain(..self.at);
            self.at = 0;
            self.front.extend_from_slice(more);
            let length = more.len();
            self.inner.consume(length);
        }
        Ok(&self.front[self.at..])
    }

    /// Drops what was looked at, or given back, and not read.
    pub fn forget(&mut self) {
        self.front.clear();
        self.at = 0;
    }

    /// Lets `bytes` come next.
    pub fn give_back(&mut self, bytes: &[u8]) {
        let rest = self.front.split_off(self.at);
        self.front.clear();
        self.front.extend_from_slice(bytes);
        self.front.extend_from_slice(&rest);
        self.at = 0;
    }
}

impl<R: BufRead> Read for Pushback<R> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Pushback<R> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        if self.at < self.front.len() { Ok(&self.front[self.at..]) } else { self.inner.fill_buf() }
    }

    fn consume(&mut self, count: usize) {
        if self.at == self.front.len() {
            return self.inner.consume(count);
        }
        self.at = (self.at + count).min(self.front.len());
        if self.at == self.front.len() {
            self.front = Vec::new();
            self.at = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    #[test]
    fn looking_ahead_and_giving_back_lose_nothing() {
        let content: Vec<u8> = (0..200).collect();
        let mut reader = Pushback::new(BufReader::with_capacity(7, content.as_slice()));
        assert_eq!(&reader.peek(20).unwrap()[..20], &content[..20]);
        let mut taken = [0; 5];
        reader.read_exact(&mut taken).unwrap();
        reader.give_back(&taken);
        reader.give_back(b"ab");
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        assert_eq!(all, [b"ab".as_slice(), &content].concat());
        assert!(reader.peek(1).unwrap().is_empty());
    }
}
