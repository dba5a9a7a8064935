//! How a pickle describes arrays of NumPy.

use super::{Tree, Value};

/// The type of an array's elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrayType {
    /// NumPy's short name without the order of bytes, such as `f4`.
    pub name: String,
    /// Bytes of an element.
    pub width: u64,
    /// Whether the most significant byte of an element is the first.
    pub is_big_endian: bool,
}

impl ArrayType {
    /// What a `numpy.dtype` stands for; `None` if it is none or is damaged.
    pub fn of(tree: &Tree, value: Value) -> Option<Self> {
        let object = tree.object(value)?;
        (tree.global(object.class)? == "numpy.dtype").then_some(())?;
        let name = tree.text(*object.args.first()?)?;
        // (version, order of bytes, part of another, names, fields, bytes of an element, alignment, flags)
        let state = tree.sequence(object.state).unwrap_or_default();
        let order = state.get(1).and_then(|order| tree.text(*order));
        let found = Self::parsed(name)?;
        let width = match state.get(5) {
            Some(&Value::Int(width)) if width >= 0 => width as u64,
            _ => found.width,
        };
        Some(Self { is_big_endian: order == Some(">"), width, ..found })
    }

    /// The type by its short name, with or without the order of bytes: `<f4`.
    pub fn parsed(text: &str) -> Option<Self> {
        let name = text.trim_start_matches(['<', '>', '|', '=']);
        // In archives, objects are without the size of a pointer to one.
        let width = if name == "O" { 8 } else { name.get(1..)?.parse().ok()? };
        Some(Self { name: name.into(), width, is_big_endian: text.starts_with('>') })
    }

    /// What an array of this type is that is not read.
    pub fn left_out(&self) -> String {
        match self.name.chars().next() {
            Some('O') => "an array of objects of Python".into(),
            Some('V') => "an array of records".into(),
            // C's; NumPy calls it by the bytes that it takes, 80 bits of which are used on most machines.
            Some('f') if self.width > 8 => {
                format!("an array of long doubles, {} bytes each", self.width)
            }
            _ => format!("an array of the type {}", self.name),
        }
    }

    /// Whether elements are Python's objects, whose values are pickles themselves.
    pub fn is_of_objects(&self) -> bool {
        self.name.starts_with('O')
    }
}

/// The shape that `value` is, and the bytes of its elements; `None` if it is none or they are too many to be counted.
pub fn extent(tree: &Tree, value: Value, width: u64) -> Option<(Vec<usize>, u64)> {
    let size = |value: &Value| match value {
        Value::Int(size) => usize::try_from(*size).ok(),
        _ => None,
    };
    let shape: Vec<usize> = tree.sequence(value)?.iter().map(size).collect::<Option<_>>()?;
    let bytes = shape.iter().try_fold(width, |n, &size| n.checked_mul(size as u64))?;
    Some((shape, bytes))
}
