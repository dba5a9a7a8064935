//! What a pickle is read into.

use std::collections::BTreeSet;

/// A value: a small one itself, another by its place in the tree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// One of [`Tree::nodes`].
    Node(u32),
}

/// A value that others may share.
#[derive(Debug)]
pub enum Node {
    Text(String),
    Bytes(Vec<u8>),
    /// An integer of more than 64 bits.
    Skipped,
    /// Text or bytes too long to be kept: where they are, counted from the beginning of the pickle.
    Long {
        at: u64,
        length: u64,
    },
    List(Vec<Value>),
    Tuple(Vec<Value>),
    Set(Vec<Value>),
    /// In the order of the file; of equal keys the last counts.
    Dict(Vec<(Value, Value)>),
    /// The name of a class or function, such as `collections.OrderedDict`.
    Global(String),
    /// What a file keeps outside of the pickle; in files of PyTorch a tuple that names a storage.
    Persistent(Value),
    Object(Box<Object>),
}

/// An object of a class that is not known here.
#[derive(Debug)]
pub struct Object {
    /// The name of its class, or of the function that would make it.
    pub class: Value,
    pub made: Made,
    pub args: Vec<Value>,
    /// Its attributes, mostly a dictionary.
    pub state: Value,
    /// What would be appended to it, if it is a list of a kind.
    pub items: Vec<Value>,
    /// What would be put into it, if it is a dictionary of a kind.
    pub entries: Vec<(Value, Value)>,
}

/// How an object would be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// By a function, which would do anything with its arguments.
    ByCall,
    /// By a class that is given its arguments.
    New,
}

/// All values of a pickle.
#[derive(Debug, Default)]
pub struct Tree {
    pub nodes: Vec<Node>,
    pub root: Option<Value>,
    /// The names of classes and functions that the pickle refers to. None of them is looked up or called.
    pub names: BTreeSet<String>,
}

impl Tree {
    /// The value that the pickle is of.
    pub fn root(&self) -> Value {
        self.root.unwrap_or(Value::None)
    }

    /// What a value refers to.
    pub fn node(&self, value: Value) -> Option<&Node> {
        match value {
            Value::Node(index) => self.nodes.get(index as usize),
            _ => None,
        }
    }

    pub fn text(&self, value: Value) -> Option<&str> {
        match self.node(value)? {
            Node::Text(text) => Some(text),
            Node::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// A key as text: that of a string, or the digits of a number. Python 2 had bytes of any kind for keys.
    pub fn key(&self, value: Value) -> Option<String> {
        match (value, self.node(value)) {
            (Value::Int(number), _) => Some(number.to_string()),
            (_, Some(Node::Bytes(bytes))) => Some(String::from_utf8_lossy(bytes).into()),
            _ => self.text(value).map(str::to_string),
        }
    }

    /// The name of a class or function.
    pub fn global(&self, value: Value) -> Option<&str> {
        match self.node(value)? {
            Node::Global(name) => Some(name),
            _ => None,
        }
    }

    pub fn dict(&self, value: Value) -> Option<&[(Value, Value)]> {
        match self.node(value)? {
            Node::Dict(entries) => Some(entries),
            _ => None,
        }
    }

    pub fn object(&self, value: Value) -> Option<&Object> {
        match self.node(value)? {
            Node::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The parts of a tuple or list.
    pub fn sequence(&self, value: Value) -> Option<&[Value]> {
        match self.node(value)? {
            Node::Tuple(items) | Node::List(items) => Some(items),
            _ => None,
        }
    }

    /// The value under a key that is text; the last if there are several.
    pub fn get(&self, entries: &[(Value, Value)], key: &str) -> Option<Value> {
        let found = entries.iter().rev().find(|(k, _)| self.text(*k) == Some(key));
        found.map(|(_, value)| *value)
    }
}
