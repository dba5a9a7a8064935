//! Arrays as joblib writes them: after the object that describes one, its values follow in the middle of the pickle.

use super::super::numpy::{ArrayType, extent};
use super::super::{Made, Node, Value, damaged};
use super::Machine;

/// The class of the objects that describe such arrays, which has been part of scikit-learn.
pub const WRAPPER: &str = ".numpy_pickle.NumpyArrayWrapper";

impl Machine<'_> {
    /// Passes over the values that follow on `object`, if it describes an array of joblib's, and makes them its
    /// last argument.
    pub(super) fn array_of_joblib(&mut self, object: Value) -> Result<(), String> {
        let tree = &self.tree;
        let Some(described) = tree.object(object).filter(|object| object.made == Made::New) else {
            return Ok(());
        };
        let is_array = tree.global(described.class).is_some_and(|name| name.ends_with(WRAPPER));
        let Some(state) = tree.dict(described.state).filter(|_| is_array) else { return Ok(()) };
        let found = |key| tree.get(state, key).unwrap_or(Value::None);
        let wrong = || damaged("an array of joblib");
        let dtype = ArrayType::of(tree, found("dtype")).ok_or_else(wrong)?;
        if dtype.is_of_objects() {
            return Err(
                "it holds an array of Python objects as joblib writes it; save arrays of numbers"
                    .into(),
            );
        }
        let (_, length) = extent(tree, found("shape"), dtype.width).ok_or_else(wrong)?;
        // Since joblib 1.2 values are aligned in the file: a count of bytes, then as many.
        if let Value::Int(_) = found("numpy_array_alignment_bytes") {
            let padding = self.number(1)?;
            self.skip(padding)?;
        }
        let at = self.position;
        self.skip(length)?;
        self.make(Node::Long { at, length })?;
        let values = self.pop()?;
        if let Some(Node::Object(object)) = self.node_mut(object) {
            object.args.push(values);
        }
        Ok(())
    }
}
