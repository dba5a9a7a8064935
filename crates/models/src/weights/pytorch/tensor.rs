//! Which objects of a pickle are tensors, and where their values are.

use burn::tensor::{BoolStore, DType};

use super::super::float8::Float8;
use super::super::pickle::{Made, Node, Tree, Value};
use super::array::array;

/// A tensor as a pickle describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    pub home: Home,
    /// Bytes that the storage is said to have.
    pub storage_bytes: u64,
    /// Bytes of the storage before the first of its elements.
    pub before: u64,
    /// Where it begins in the storage, in elements.
    pub offset: u64,
    pub shape: Vec<usize>,
    /// In elements, one for each dimension.
    pub strides: Vec<usize>,
    /// As the values are read.
    pub dtype: DType,
    /// Of which kind the values are in the file, if there is no such type here.
    pub float8: Option<Float8>,
}

impl Described {
    /// Bytes of an element in the file.
    pub fn width(&self) -> usize {
        if self.float8.is_some() { 1 } else { self.dtype.size() }
    }
}

/// Where the values of a tensor are.
#[derive(Clone, Debug, PartialEq)]
pub enum Home {
    /// In the storage of this name.
    Storage(String),
    /// In the pickle itself.
    Pickle(Inside),
}

/// The values of an array in a pickle.
#[derive(Clone, Debug, PartialEq)]
pub struct Inside {
    /// Text or bytes.
    pub values: Value,
    /// Whether each character of the text is a byte.
    pub is_latin1: bool,
    pub is_big_endian: bool,
}

/// What an object turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Tensor {
    Dense(Described),
    /// One that is not read, and why.
    LeftOut(String),
    /// One that is described wrongly, and how.
    Damaged(String),
}

/// As deep as tensors are wrapped in parameters and subclasses.
const DEPTH: usize = 8;

/// The tensor that `value` is, or `None` if it is something else.
pub fn tensor(tree: &Tree, value: Value) -> Option<Tensor> {
    let object = tree.object(value)?;
    let found = match array(tree, object) {
        None if object.made == Made::ByCall => {
            rebuilt(tree, tree.global(object.class)?, &object.args, DEPTH)?
        }
        found => found?,
    };
    Some(found.unwrap_or_else(|| Tensor::Damaged("its description is damaged".into())))
}

/// What PyTorch's function `name` makes of `args`: the outer `None` if it makes no tensor, the inner one if it
/// would fail.
fn rebuilt(tree: &Tree, name: &str, args: &[Value], depth: usize) -> Option<Option<Tensor>> {
    let wrapped = |value: Option<&Value>| {
        let object = value.and_then(|value| tree.object(*value)).filter(|_| depth > 0);
        object.and_then(|object| {
            rebuilt(tree, tree.global(object.class)?, &object.args, depth - 1).flatten()
        })
    };
    let short = name.strip_prefix("torch._utils.").or(name.strip_prefix("torch._tensor."))?;
    Some(match short {
        "_rebuild_tensor" | "_rebuild_tensor_v2" => dense(tree, args, None),
        "_rebuild_tensor_v3" => {
            let dtype = args.get(6).and_then(|dtype| tree.global(*dtype));
            dtype.and_then(|dtype| dense(tree, args, Some(dtype)))
        }
        "_rebuild_parameter"
        | "_rebuild_parameter_with_state"
        | "_rebuild_device_tensor_from_cpu_tensor" => wrapped(args.first()),
        "_rebuild_from_type_v2" | "_rebuild_from_type" => {
            let function = args.first().and_then(|function| tree.global(*function));
            let args = args.get(2).and_then(|args| tree.sequence(*args));
            match (function, args) {
                (Some(function), Some(args)) if depth > 0 => {
                    rebuilt(tree, function, args, depth - 1).flatten()
                }
                _ => None,
            }
        }
        _ => {
            let kind = match short {
                "_rebuild_sparse_tensor" | "_rebuild_sparse_csr_tensor" => "a sparse tensor",
                "_rebuild_qtensor" => "a quantized tensor",
                "_rebuild_nested_tensor" => "a nested tensor",
                "_rebuild_meta_tensor_no_storage" => "a meta tensor, without values",
                _ if short.starts_with("_rebuild_") => "a tensor of a kind that is not read",
                _ => return None,
            };
            Some(Tensor::LeftOut(kind.into()))
        }
    })
}

/// `(storage, storage_offset, size, stride, requires_grad, backward_hooks, …)`
fn dense(tree: &Tree, args: &[Value], dtype: Option<&str>) -> Option<Tensor> {
    let &[storage, offset, size, stride, ..] = args else { return None };
    if let Some(object) = tree.object(storage)
        && tree.global(object.class) == Some("torch.storage._load_from_bytes")
    {
        let reason = "a tensor of PyTorch that `pickle.dump` or joblib wrote; `torch.save` writes it so that it is read";
        return Some(Tensor::LeftOut(reason.into()));
    }
    let Some(Node::Persistent(id)) = tree.node(storage) else { return None };
    // ("storage", type, key, location, elements) and in old files the part of another storage.
    let &[_, class, key, location, elements, ref view @ ..] = tree.sequence(*id)? else {
        return None;
    };
    let class = tree.global(class)?;
    let class = class.rsplit('.').next().unwrap_or(class);
    let name = dtype.map_or(class, |dtype| dtype.trim_start_matches("torch."));
    if tree.text(location) == Some("meta") {
        return Some(Tensor::LeftOut("a meta tensor, without values".into()));
    }
    // The seventh argument of the second version.
    if let (None, Some(flags)) = (dtype, args.get(6).and_then(|flags| tree.dict(*flags)))
        && ["conj", "neg"].iter().any(|flag| tree.get(flags, flag) == Some(Value::Bool(true)))
    {
        return Some(Tensor::LeftOut(
            "a tensor whose values are to be negated or conjugated".into(),
        ));
    }
    let float8 = Float8::of_pytorch(name);
    let Some(dtype) = element(name).or(float8.map(|_| DType::F32)) else {
        let name = name.strip_suffix("Storage").unwrap_or(name);
        return Some(Tensor::LeftOut(format!("of the type {name}")));
    };
    let shape = numbers(tree, size)?;
    let strides = numbers(tree, stride)?;
    let key = tree.key(key)?;
    let mut offset = number(offset)? as u64;
    if let Some(view) = view.first().and_then(|view| tree.sequence(*view))
        && let Some(begin) = view.get(1)
    {
        offset = offset.checked_add(number(*begin)? as u64)?;
    }
    // An untyped storage counts bytes.
    let width = if class == "UntypedStorage" || float8.is_some() { 1 } else { dtype.size() };
    let storage_bytes = (number(elements)? as u64).checked_mul(width as u64)?;
    (shape.len() == strides.len()).then_some(())?;
    Some(Tensor::Dense(Described {
        home: Home::Storage(key),
        storage_bytes,
        before: 0,
        offset,
        shape,
        strides,
        dtype,
        float8,
    }))
}

/// Whether tensors of a `torch.dtype` of this name are read.
pub fn is_read(name: &str) -> bool {
    element(name).is_some() || Float8::of_pytorch(name).is_some()
}

/// The type of the elements by the name of a storage's class or of a `torch.dtype`.
fn element(name: &str) -> Option<DType> {
    Some(match name {
        "DoubleStorage" | "float64" => DType::F64,
        "FloatStorage" | "float32" => DType::F32,
        "HalfStorage" | "float16" => DType::F16,
        "BFloat16Storage" | "bfloat16" => DType::BF16,
        "LongStorage" | "int64" => DType::I64,
        "IntStorage" | "int32" => DType::I32,
        "ShortStorage" | "int16" => DType::I16,
        "CharStorage" | "int8" => DType::I8,
        "ByteStorage" | "uint8" => DType::U8,
        "uint16" => DType::U16,
        "uint32" => DType::U32,
        "uint64" => DType::U64,
        "BoolStorage" | "bool" => DType::Bool(BoolStore::Native),
        _ => return None,
    })
}

/// A tuple of numbers, or what `torch.Size` makes of one.
fn numbers(tree: &Tree, value: Value) -> Option<Vec<usize>> {
    let value = match tree.object(value) {
        Some(object) if tree.global(object.class) == Some("torch.Size") => *object.args.first()?,
        _ => value,
    };
    tree.sequence(value)?.iter().map(|value| number(*value)).collect()
}

fn number(value: Value) -> Option<usize> {
    match value {
        Value::Int(number) => usize::try_from(number).ok(),
        _ => None,
    }
}

/// The bytes of an element of every storage that a pickle refers to, by name.
pub fn storage_widths(tree: &Tree) -> std::collections::HashMap<String, u64> {
    let width = |node: &Node| {
        let Node::Persistent(id) = node else { return None };
        let &[_, class, key, ..] = tree.sequence(*id)? else { return None };
        let class = tree.global(class)?.rsplit('.').next()?;
        let width = match class {
            "ComplexDoubleStorage" => 16,
            "ComplexFloatStorage" => 8,
            "QInt32Storage" => 4,
            class => element(class).map_or(1, |dtype| dtype.size() as u64),
        };
        Some((tree.key(key)?, width))
    };
    tree.nodes.iter().filter_map(width).collect()
}
