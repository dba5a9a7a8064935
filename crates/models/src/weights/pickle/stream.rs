//! Reads an [`Input`] from its beginning on, and knows how far it is.

use std::io::{self, Read};

use super::super::input::Input;

/// As many bytes are read at once.
const BUFFER: usize = 64 << 10;

/// The bytes of an input one after the other.
pub struct Stream<'a> {
    input: &'a Input<'a>,
    buffer: Vec<u8>,
    /// How much of the buffer is used up.
    used: usize,
    /// Where the buffer ends in the input.
    end: u64,
}

impl<'a> Stream<'a> {
    pub fn new(input: &'a Input<'a>) -> Self {
        Self { input, buffer: Vec::new(), used: 0, end: 0 }
    }

    /// How many bytes have been read.
    pub fn position(&self) -> u64 {
        self.end - (self.buffer.len() - self.used) as u64
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.used == self.buffer.len() {
            let left = self.input.length().saturating_sub(self.end).min(BUFFER as u64);
            self.buffer = self.input.read(self.end, left as usize)?;
            self.used = 0;
            self.end += left;
        }
        let count = (&self.buffer[self.used..]).read(into)?;
        self.used += count;
        Ok(count)
    }
}
