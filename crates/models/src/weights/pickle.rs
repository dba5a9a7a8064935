//! Walks over a pickle without building anything, before the reader does.
//!
//! The reader in `pytorch-reader` bounds the copies that a pickle can ask for, but not the length of
//! the names that it copies, nor the number of objects in a compressed pickle. This walk keeps the
//! stack, the marks and the memo as a pickle machine does, with the memory that each object would
//! take in place of the object, and refuses the pickle once the sum is over [`BUDGET`].

use std::collections::{BTreeSet, HashMap};
use std::io::{self, BufRead, Read};

/// Bytes that the objects of a file's pickles may take, as counted here: a million numbers or short
/// names. The pickle of ResNet-152 with Adam's state, 76 000 operations, takes a tenth.
const BUDGET: u64 = 128 << 20;

/// Bytes counted for an object besides its text: a stack entry, and its share of a container or memo.
const OBJECT: u64 = 128;

/// The longest line or name that is kept; others are only counted.
const NAME: usize = 256;

/// What a walk found out.
#[derive(Debug, Default)]
pub(super) struct Walk {
    spent: u64,
    /// The Python names that the pickles refer to, such as `collections.OrderedDict`. None of them
    /// is ever looked up or called.
    pub names: BTreeSet<String>,
}

/// An object as the walk sees it.
#[derive(Clone, Default)]
struct Object {
    size: u64,
    /// The text of a short string: it may become a name.
    text: Option<String>,
    memo: Option<u32>,
}

/// How the argument of an operation is written in the file.
enum Argument {
    None,
    /// So many bytes.
    Fixed(u64),
    /// A length of so many bytes, then as many bytes.
    Counted(usize),
    /// Text up to the end of the line.
    Line,
}

impl Walk {
    /// Reads one pickle up to its end.
    ///
    /// # Errors
    ///
    /// If the pickle is damaged, would take too much memory, or cannot be read.
    pub fn pickle(&mut self, input: &mut impl BufRead) -> io::Result<()> {
        let mut machine = Machine::default();
        loop {
            let op = byte(input)?;
            if op == b'.' {
                return Ok(());
            }
            self.step(op, input, &mut machine)?;
        }
    }

    fn step(&mut self, op: u8, input: &mut impl BufRead, m: &mut Machine) -> io::Result<()> {
        match op {
            // PROTO, FRAME: nothing is pushed.
            0x80 => skip(input, 1),
            0x95 => skip(input, 8),
            // Strings, whose text may become a name.
            b'V' | b'X' | 0x8c | 0x8d | b'T' | b'U' | b'S' => {
                let (length, text) = self.text(op, input)?;
                self.push(m, length, text)
            }
            // GLOBAL
            b'c' => {
                let (a, module) = self.line(input)?;
                let (b, name) = self.line(input)?;
                self.name(module, name);
                self.push(m, a + b, None)
            }
            // STACK_GLOBAL
            0x93 => {
                let (name, module) = (m.pop()?, m.pop()?);
                self.name(module.text, name.text);
                self.push(m, module.size + name.size, None)
            }
            // MARK, POP, POP_MARK
            b'(' => self.mark(m),
            b'0' => m.discard(),
            b'1' => m.pop_to_mark().map(|_| ()),
            // Containers from what stands above the mark: TUPLE, LIST, DICT, FROZENSET
            b't' | b'l' | b'd' | 0x91 => {
                let size = m.pop_to_mark()?;
                self.push(m, size, None)
            }
            // APPENDS, SETITEMS, ADDITEMS
            b'e' | b'u' | 0x90 => {
                let size = m.pop_to_mark()?;
                m.grow(size)
            }
            // APPEND, SETITEM
            b'a' => m.pop_many(1).and_then(|size| m.grow(size)),
            b's' => m.pop_many(2).and_then(|size| m.grow(size)),
            // From the topmost objects: TUPLE1 to TUPLE3, REDUCE, NEWOBJ, NEWOBJ_EX, BINPERSID
            0x85 | 0x86 | 0x87 | b'R' | 0x81 | 0x92 | b'Q' => {
                let count = match op {
                    0x85 | b'Q' => 1,
                    0x86 | b'R' | 0x81 => 2,
                    _ => 3,
                };
                let size = m.pop_many(count)?;
                self.push(m, size, None)
            }
            // BUILD: the memo follows the object.
            b'b' => {
                let (state, object) = (m.pop()?, m.pop()?);
                let built = Object { size: object.size + state.size, text: None, ..object };
                if built.memo.is_some() {
                    self.spend(built.size)?;
                }
                m.stack.push(built.clone());
                m.remember(built)
            }
            // DUP
            b'2' => {
                let top = m.top()?.clone();
                self.copy(m, top)
            }
            // GET, BINGET, LONG_BINGET
            b'g' | b'h' | b'j' => {
                let index = self.index(op, input)?;
                let object = m.memo.get(&index).cloned().ok_or_else(|| damaged("memo"))?;
                self.copy(m, object)
            }
            // PUT, BINPUT, LONG_BINPUT, MEMOIZE
            b'p' | b'q' | b'r' | 0x94 => {
                let index = match op {
                    0x94 => m.memo.len() as u32,
                    _ => self.index(op, input)?,
                };
                let top = m.top()?;
                top.memo = Some(index);
                let copy = top.clone();
                self.spend(copy.size + OBJECT)?;
                m.remember(copy)
            }
            _ => {
                let length = match argument(op)? {
                    Argument::None => 0,
                    Argument::Fixed(length) => skip(input, length).map(|()| 0)?,
                    Argument::Line => self.line(input)?.0,
                    Argument::Counted(width) => {
                        let length = number(input, width)?;
                        self.spend(length)?;
                        skip(input, length).map(|()| length)?
                    }
                };
                self.push(m, length, None)
            }
        }
    }

    /// Pushes an object whose parts, of `size` bytes, have been counted before.
    fn push(&mut self, m: &mut Machine, size: u64, text: Option<String>) -> io::Result<()> {
        self.spend(OBJECT)?;
        m.stack.push(Object { size: size + OBJECT, text, memo: None });
        Ok(())
    }

    fn copy(&mut self, m: &mut Machine, object: Object) -> io::Result<()> {
        self.spend(object.size)?;
        m.stack.push(object);
        Ok(())
    }

    fn mark(&mut self, m: &mut Machine) -> io::Result<()> {
        self.spend(OBJECT)?;
        m.marks.push(m.stack.len());
        Ok(())
    }

    fn name(&mut self, module: Option<String>, name: Option<String>) {
        let part = |text: Option<String>| text.unwrap_or_else(|| "…".into());
        self.names.insert(format!("{}.{}", part(module), part(name)));
    }

    fn spend(&mut self, bytes: u64) -> io::Result<()> {
        self.spent = self.spent.saturating_add(bytes);
        if self.spent > BUDGET {
            let limit = BUDGET >> 20;
            return Err(invalid(format!("the objects of the pickle take more than {limit} MiB")));
        }
        Ok(())
    }

    /// The length of a string, and the string if it is short.
    fn text(&mut self, op: u8, input: &mut impl BufRead) -> io::Result<(u64, Option<String>)> {
        let width = match op {
            b'V' | b'S' => return self.line(input),
            0x8c | b'U' => 1,
            0x8d => 8,
            _ => 4,
        };
        let length = number(input, width)?;
        self.spend(length)?;
        if length > NAME as u64 {
            return skip(input, length).map(|()| (length, None));
        }
        let mut bytes = vec![0; length as usize];
        input.read_exact(&mut bytes)?;
        Ok((length, String::from_utf8(bytes).ok()))
    }

    /// The length of a line, and the line if it is short.
    fn line(&mut self, input: &mut impl BufRead) -> io::Result<(u64, Option<String>)> {
        let (mut length, mut kept) = (0, Vec::new());
        loop {
            let b = byte(input)?;
            if b == b'\n' {
                let short = (length <= NAME as u64).then_some(kept);
                return Ok((length, short.and_then(|kept| String::from_utf8(kept).ok())));
            }
            if length < NAME as u64 {
                kept.push(b);
            }
            length += 1;
            self.spend(1)?;
        }
    }

    fn index(&mut self, op: u8, input: &mut impl BufRead) -> io::Result<u32> {
        match op {
            b'h' | b'q' => number(input, 1).map(|n| n as u32),
            b'j' | b'r' => number(input, 4).map(|n| n as u32),
            _ => {
                let line = self.line(input)?.1;
                line.and_then(|line| line.parse().ok()).ok_or_else(|| damaged("memo index"))
            }
        }
    }
}

/// The argument of an operation that pushes one object and does nothing else.
fn argument(op: u8) -> io::Result<Argument> {
    Ok(match op {
        // NONE, NEWTRUE, NEWFALSE, EMPTY_TUPLE, EMPTY_LIST, EMPTY_DICT, EMPTY_SET
        b'N' | 0x88 | 0x89 | b')' | b']' | b'}' | 0x8f => Argument::None,
        // BININT1, BININT2, BININT, BINFLOAT
        b'K' => Argument::Fixed(1),
        b'M' => Argument::Fixed(2),
        b'J' => Argument::Fixed(4),
        b'G' => Argument::Fixed(8),
        // INT, LONG, FLOAT, PERSID
        b'I' | b'L' | b'F' | b'P' => Argument::Line,
        // LONG1, SHORT_BINBYTES; LONG4, BINBYTES; BINBYTES8, BYTEARRAY8
        0x8a | b'C' => Argument::Counted(1),
        0x8b | b'B' => Argument::Counted(4),
        0x8e | 0x96 => Argument::Counted(8),
        _ => return Err(damaged(&format!("operation {op:#04x}"))),
    })
}

/// Stack, marks and memo.
#[derive(Default)]
struct Machine {
    stack: Vec<Object>,
    marks: Vec<usize>,
    memo: HashMap<u32, Object>,
}

impl Machine {
    /// The topmost object; not one below a mark.
    fn top(&mut self) -> io::Result<&mut Object> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len() > floor {
            true => self.stack.last_mut().ok_or_else(|| damaged("stack")),
            false => Err(damaged("stack")),
        }
    }

    fn pop(&mut self) -> io::Result<Object> {
        self.top()?;
        self.stack.pop().ok_or_else(|| damaged("stack"))
    }

    /// Takes the topmost `count` objects and gives their size.
    fn pop_many(&mut self, count: usize) -> io::Result<u64> {
        (0..count).try_fold(0, |size, _| Ok(size + self.pop()?.size))
    }

    /// Takes what stands above the last mark, and the mark, and gives the size.
    fn pop_to_mark(&mut self) -> io::Result<u64> {
        let mark = self.marks.pop().ok_or_else(|| damaged("mark"))?;
        Ok(self.stack.drain(mark..).map(|object| object.size).sum())
    }

    fn discard(&mut self) -> io::Result<()> {
        if self.marks.last() == Some(&self.stack.len()) {
            self.marks.pop();
            return Ok(());
        }
        self.pop().map(|_| ())
    }

    /// Adds to the container on top.
    fn grow(&mut self, size: u64) -> io::Result<()> {
        self.top()?.size += size;
        Ok(())
    }

    fn remember(&mut self, object: Object) -> io::Result<()> {
        if let Some(index) = object.memo {
            self.memo.insert(index, object);
        }
        Ok(())
    }
}

fn byte(input: &mut impl BufRead) -> io::Result<u8> {
    let mut byte = [0];
    input.read_exact(&mut byte)?;
    Ok(byte[0])
}

/// A little-endian number of `width` bytes.
fn number(input: &mut impl BufRead, width: usize) -> io::Result<u64> {
    let mut bytes = [0; 8];
    input.read_exact(&mut bytes[..width])?;
    Ok(u64::from_le_bytes(bytes))
}

fn skip(input: &mut impl BufRead, length: u64) -> io::Result<()> {
    match io::copy(&mut input.take(length), &mut io::sink())? == length {
        true => Ok(()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn damaged(what: &str) -> io::Error {
    invalid(format!("damaged pickle ({what})"))
}

/// What is wrong, in words of this library.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Invalid(String);

pub(super) fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, Invalid(reason))
}

#[cfg(test)]
mod tests;
