//! The arguments of operations, as they follow in the file.

use std::io::{self, Read};

use super::super::{LONGEST_TEXT, Node, Value, damaged};
use super::Machine;

/// What stands after its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    Text,
    Bytes,
    /// What Python 2 took for text: bytes of any kind.
    Either,
}

impl Machine<'_> {
    pub(super) fn byte(&mut self) -> Result<u8, String> {
        self.number(1).map(|number| number as u8)
    }

    /// A little-endian number of `width` bytes.
    pub(super) fn number(&mut self, width: usize) -> Result<u64, String> {
        let mut bytes = [0; 8];
        self.input.read_exact(&mut bytes[..width]).map_err(|e| failed(&e))?;
        self.position += width as u64;
        Ok(u64::from_le_bytes(bytes))
    }

    pub(super) fn int(&mut self, width: usize) -> Result<(), String> {
        let number = self.number(width)?;
        self.push(Value::Int(number as i64))
    }

    /// An integer whose length stands before it.
    pub(super) fn long(&mut self, width: usize) -> Result<(), String> {
        let length = self.number(width)?;
        if length > 8 {
            self.skip(length)?;
            return self.make(Node::Skipped);
        }
        let number = self.number(length as usize)?;
        // The sign is that of the topmost byte.
        let unused = 64 - 8 * length as u32;
        let number = if length == 0 { 0 } else { (number << unused) as i64 >> unused };
        self.push(Value::Int(number))
    }

    /// `I01` and `I00` are how the first protocol writes truth values.
    pub(super) fn int_of_line(&mut self) -> Result<(), String> {
        let line = self.line()?;
        match line.trim_end_matches('L') {
            "01" => self.push(Value::Bool(true)),
            "00" => self.push(Value::Bool(false)),
            number => match number.trim().parse() {
                Ok(number) => self.push(Value::Int(number)),
                Err(_) => self.make(Node::Skipped),
            },
        }
    }

    /// Text or bytes whose length stands before them.
    pub(super) fn counted(&mut self, width: usize, kind: Counted) -> Result<(), String> {
        let length = self.number(width)?;
        if length > LONGEST_TEXT {
            let at = self.position;
            self.skip(length)?;
            return self.make(Node::Long { at, length });
        }
        let mut bytes = vec![0; length as usize];
        self.input.read_exact(&mut bytes).map_err(|e| failed(&e))?;
        self.position += length;
        self.make(match kind {
            Counted::Text => Node::Text(text(bytes)),
            Counted::Bytes => Node::Bytes(bytes),
            Counted::Either => match String::from_utf8(bytes) {
                Ok(text) => Node::Text(text),
                Err(other) => Node::Bytes(other.into_bytes()),
            },
        })
    }

    /// Text up to the end of the line; what is beyond the longest text is dropped.
    pub(super) fn line(&mut self) -> Result<String, String> {
        let mut kept = Vec::new();
        loop {
            match self.byte()? {
                b'\n' => return Ok(text(kept)),
                byte if (kept.len() as u64) < LONGEST_TEXT => kept.push(byte),
                _ => {}
            }
        }
    }

    pub(super) fn skip(&mut self, length: u64) -> Result<(), String> {
        let input: &mut dyn Read = self.input;
        let skipped = io::copy(&mut input.take(length), &mut io::sink()).map_err(|e| failed(&e))?;
        self.position += skipped;
        match skipped == length {
            true => Ok(()),
            false => Err(failed(&io::ErrorKind::UnexpectedEof.into())),
        }
    }

    pub(super) fn index(&mut self, op: u8) -> Result<u32, String> {
        match op {
            b'h' | b'q' => self.number(1).map(|n| n as u32),
            b'j' | b'r' => self.number(4).map(|n| n as u32),
            _ => self.line()?.trim().parse().map_err(|_| damaged("memo index")),
        }
    }
}

/// Text, whatever it is: protocol 0 is not bound to UTF-8.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into())
}

fn failed(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged("it ends in the middle of something"),
        _ => error.to_string(),
    }
}
