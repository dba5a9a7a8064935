//! Arrays of NumPy in a pickle, in the ways in which NumPy and joblib write them.

use std::sync::Arc;

use burn::tensor::{BoolStore, DType};

use super::super::pickle::{ArrayType, JOBLIB_ARRAY, Made, Node, Object, Tree, Value, extent};
use super::archive::Place;
use super::tensor::{Described, Home, Inside, Tensor};
use super::view::{Source, Storage, latin1};

/// The array that `object` is: the outer `None` if it is something else, the inner one if it is damaged.
pub fn array(tree: &Tree, object: &Object) -> Option<Option<Tensor>> {
    let name = tree.global(object.class)?;
    let is_call = object.made == Made::ByCall;
    let numpy = name.strip_prefix("numpy._core.").or(name.strip_prefix("numpy.core."));
    match numpy {
        Some("multiarray._reconstruct") if is_call => Some(reconstructed(tree, object)),
        // What protocol 5 writes.
        Some("numeric._frombuffer") if is_call => Some(match object.args[..] {
            [values, dtype, shape, order] => {
                described(tree, [shape, dtype, values], tree.text(order)? == "F")
            }
            _ => None,
        }),
        _ if name.ends_with(JOBLIB_ARRAY) && !is_call => Some(of_joblib(tree, object)),
        _ => None,
    }
}

/// `(version, shape, dtype, whether columns come first, values)`, without the version in old files.
fn reconstructed(tree: &Tree, object: &Object) -> Option<Tensor> {
    let state = tree.sequence(object.state).filter(|state| matches!(state.len(), 4 | 5));
    let Some(&[.., shape, dtype, is_fortran, values]) = state else {
        // Classes that are made of arrays keep more.
        return Some(Tensor::LeftOut("an array of a class that is not read".into()));
    };
    // Early versions wrote a number.
    let is_fortran = matches!(is_fortran, Value::Bool(true) | Value::Int(1));
    described(tree, [shape, dtype, values], is_fortran)
}

fn of_joblib(tree: &Tree, object: &Object) -> Option<Tensor> {
    let state = tree.dict(object.state)?;
    let [shape, dtype, order] = ["shape", "dtype", "order"].map(|key| tree.get(state, key));
    let is_fortran = tree.text(order?)? == "F";
    described(tree, [shape?, dtype?, *object.args.last()?], is_fortran)
}

fn described(tree: &Tree, [shape, dtype, values]: [Value; 3], is_fortran: bool) -> Option<Tensor> {
    let Some(dtype) = ArrayType::of(tree, dtype) else {
        return Some(Tensor::LeftOut("an array of a type that is not read".into()));
    };
    let (shape, bytes) = extent(tree, shape, dtype.width)?;
    let Some(element) = element(&dtype.name) else {
        return Some(Tensor::LeftOut(dtype.left_out()));
    };
    let (values, is_latin1) = match tree.object(values).filter(|call| call.made == Made::ByCall) {
        Some(call) if tree.global(call.class) == Some("_codecs.encode") => {
            (*call.args.first()?, true)
        }
        // No bytes at all.
        Some(call) if tree.global(call.class)?.ends_with(".bytes") && call.args.is_empty() => {
            (call.class, false)
        }
        _ => (values, false),
    };
    let inside = Inside { values, is_latin1, is_big_endian: dtype.is_big_endian };
    Some(Tensor::Dense(Described {
        home: Home::Pickle(inside),
        storage_bytes: bytes,
        before: 0,
        offset: 0,
        strides: strides(&shape, is_fortran),
        shape,
        dtype: element,
        float8: None,
    }))
}

/// The type of the elements by NumPy's short name.
pub fn element(name: &str) -> Option<DType> {
    Some(match name {
        "f8" => DType::F64,
        "f4" => DType::F32,
        "f2" => DType::F16,
        "i8" => DType::I64,
        "i4" => DType::I32,
        "i2" => DType::I16,
        "i1" => DType::I8,
        "u8" => DType::U64,
        "u4" => DType::U32,
        "u2" => DType::U16,
        "u1" => DType::U8,
        "b1" => DType::Bool(BoolStore::Native),
        _ => return None,
    })
}

/// From element to element along each dimension, the last the fastest or the first.
pub fn strides(shape: &[usize], is_fortran: bool) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    let mut next = 1usize;
    for at in 0..shape.len() {
        let at = if is_fortran { at } else { shape.len() - 1 - at };
        strides[at] = next;
        next = next.saturating_mul(shape[at]);
    }
    strides
}

/// Where the values of an array are, of so many `bytes`, in a pickle that begins at `start` of the file; `None` if it
/// is packed.
///
/// # Errors
///
/// If they are not as many, are no bytes, or were not kept and are packed.
pub fn storage(
    tree: &Tree,
    inside: &Inside,
    bytes: u64,
    start: Option<u64>,
) -> Result<Arc<Storage>, String> {
    let &Inside { values, is_latin1, is_big_endian } = inside;
    let source = match (tree.node(values), is_latin1) {
        (Some(Node::Bytes(bytes)), false) => Source::Kept(bytes.clone()),
        (Some(Node::Text(text)), true) => Source::Kept(latin1(text.as_bytes())?),
        // Of Python 2, which took bytes for text.
        (Some(Node::Text(text)), false) => Source::Kept(text.clone().into_bytes()),
        (Some(Node::Global(_)), false) => Source::Kept(Vec::new()),
        (Some(&Node::Long { at, length: packed }), _) => {
            let start = start.ok_or("its values are in a pickle that is packed")?;
            let offset = start.checked_add(at).ok_or("its values are beyond the end")?;
            let place = |size| Place { offset, packed, size, is_deflated: false, checksum: None };
            match is_latin1 {
                false => Source::Place(place(packed)),
                // In UTF-8 a byte takes one or two.
                true if (bytes..=bytes.saturating_mul(2)).contains(&packed) => {
                    Source::Latin1(place(bytes))
                }
                true => return Err(format!("{packed} bytes of text for {bytes} of values")),
            }
        }
        _ => return Err("its values are no bytes".into()),
    };
    let storage = Storage::of(source, is_big_endian);
    match storage.size() == bytes {
        true => Ok(storage),
        false => Err(format!("{} bytes of values where {bytes} are described", storage.size())),
    }
}
