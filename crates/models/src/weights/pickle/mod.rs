//! Reads a pickle into a tree of values. Nothing is imported, called or run.
//!
//! A pickle is a program for a small machine with a stack and a memo. Here every operation builds a value or
//! puts values together; the names of Python's classes and functions stay text, and a call of one becomes an
//! [`Object`] that says what would have been called with what. Values that a pickle uses twice are shared, so
//! that a short pickle cannot ask for much memory, and what its values take is counted against [`BUDGET`].
//!
//! The operations are those of Python's `pickletools`, protocols 0 to 5.

mod machine;
mod numpy;
mod stream;
mod value;

pub(super) use self::machine::JOBLIB_ARRAY;
pub(super) use self::numpy::{ArrayType, extent};
pub(super) use self::stream::Stream;
pub(super) use self::value::{Made, Node, Object, Tree, Value};

use std::io::Read;

use self::machine::Machine;

/// Bytes that the values of one pickle may take, as counted here: two million numbers or short names. The
/// pickle of ResNet-152 with Adam's state, 76 000 operations, takes a thirtieth.
pub(super) const BUDGET: u64 = 128 << 20;

/// The longest text that is kept; a longer one, such as an array written as text, is skipped.
const LONGEST_TEXT: u64 = 64 << 10;

/// Reads one pickle up to its end, and nothing beyond.
///
/// # Errors
///
/// If the pickle is damaged, would take too much memory, or cannot be read.
pub(super) fn read(input: &mut dyn Read) -> Result<Tree, String> {
    let mut machine = Machine::new(input);
    while machine.step()? {}
    machine.finish()
}

fn damaged(what: &str) -> String {
    format!("damaged pickle ({what})")
}

#[cfg(test)]
mod tests;
