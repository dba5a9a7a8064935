//! The machine that a pickle is a program for.

mod arguments;
mod joblib;

pub use self::joblib::WRAPPER as JOBLIB_ARRAY;

use std::collections::HashMap;
use std::io::Read;

use self::arguments::Counted;
use super::{BUDGET, Made, Node, Object, Tree, Value, damaged};

/// Bytes counted for a value on the stack, in a container or in the memo, with what a growing vector keeps in
/// reserve.
const VALUE: u64 = 48;

/// Bytes counted for a node besides what it holds.
const NODE: u64 = 160;

/// Classes and functions that make a dictionary, of nothing, of another or of a list of pairs.
const DICTS: [&str; 5] = [
    "collections.OrderedDict",
    "collections.defaultdict",
    "collections.Counter",
    "builtins.dict",
    "__builtin__.dict",
];

/// Stack, marks, memo and the values so far.
pub struct Machine<'r> {
    input: &'r mut dyn Read,
    /// How many bytes have been read.
    position: u64,
    tree: Tree,
    spent: u64,
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
}

impl<'r> Machine<'r> {
    pub fn new(input: &'r mut dyn Read) -> Self {
        Self {
            input,
            position: 0,
            tree: Tree::default(),
            spent: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        }
    }

    /// The tree, once the last step is done.
    pub fn finish(mut self) -> Result<Tree, String> {
        self.tree.root = Some(self.pop()?);
        Ok(self.tree)
    }

    /// Does one operation; `false` at the end.
    pub fn step(&mut self) -> Result<bool, String> {
        let op = self.byte()?;
        match op {
            // STOP
            b'.' => return Ok(false),
            // PROTO, FRAME: nothing is pushed.
            0x80 => self.skip(1)?,
            0x95 => self.skip(8)?,
            // NONE, NEWTRUE, NEWFALSE
            b'N' => self.push(Value::None)?,
            0x88 | 0x89 => self.push(Value::Bool(op == 0x88))?,
            // BININT1, BININT2, BININT, LONG1, LONG4, INT, LONG
            b'K' => self.int(1)?,
            b'M' => self.int(2)?,
            b'J' => {
                let number = self.number(4)? as u32;
                self.push(Value::Int(i64::from(number as i32)))?;
            }
            0x8a => self.long(1)?,
            0x8b => self.long(4)?,
            b'I' | b'L' => self.int_of_line()?,
            // BINFLOAT, FLOAT
            b'G' => {
                let bits = self.number(8)?.swap_bytes();
                self.push(Value::Float(f64::from_bits(bits)))?;
            }
            b'F' => {
                let value = self.line()?.trim().parse().map_err(|_| damaged("float"))?;
                self.push(Value::Float(value))?;
            }
            // STRING, UNICODE
            b'S' => {
                let line = self.line()?;
                let line = line.trim_matches(|c| c == '\'' || c == '"');
                self.make(Node::Text(line.into()))?;
            }
            b'V' => {
                let line = self.line()?;
                self.make(Node::Text(line))?;
            }
            // SHORT_BINUNICODE, BINUNICODE, BINUNICODE8
            0x8c => self.counted(1, Counted::Text)?,
            b'X' => self.counted(4, Counted::Text)?,
            0x8d => self.counted(8, Counted::Text)?,
            // SHORT_BINSTRING, BINSTRING
            b'U' => self.counted(1, Counted::Either)?,
            b'T' => self.counted(4, Counted::Either)?,
            // SHORT_BINBYTES, BINBYTES, BINBYTES8, BYTEARRAY8
            b'C' => self.counted(1, Counted::Bytes)?,
            b'B' => self.counted(4, Counted::Bytes)?,
            0x8e | 0x96 => self.counted(8, Counted::Bytes)?,
            // EMPTY_LIST, EMPTY_TUPLE, EMPTY_DICT, EMPTY_SET
            b']' => self.make(Node::List(Vec::new()))?,
            b')' => self.make(Node::Tuple(Vec::new()))?,
            b'}' => self.make(Node::Dict(Vec::new()))?,
            0x8f => self.make(Node::Set(Vec::new()))?,
            _ => self.combine(op)?,
        }
        Ok(true)
    }

    /// The operations on what is on the stack.
    fn combine(&mut self, op: u8) -> Result<(), String> {
        match op {
            // MARK, POP, POP_MARK, DUP
            b'(' => {
                self.spend(VALUE)?;
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => {
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                    return Ok(());
                }
                self.pop().map(|_| ())
            }
            b'1' => self.pop_to_mark().map(|_| ()),
            b'2' => {
                let top = self.top()?;
                self.push(top)
            }
            // LIST, TUPLE, DICT, FROZENSET
            b'l' => self.make_from_mark(Node::List),
            b't' => self.make_from_mark(Node::Tuple),
            0x91 => self.make_from_mark(Node::Set),
            b'd' => {
                let entries = pairs(self.pop_to_mark()?)?;
                self.make(Node::Dict(entries))
            }
            // TUPLE1 to TUPLE3
            0x85..=0x87 => {
                let mut items = Vec::new();
                for _ in 0..op - 0x84 {
                    items.insert(0, self.pop()?);
                }
                self.make(Node::Tuple(items))
            }
            // APPEND, APPENDS, ADDITEMS, SETITEM, SETITEMS
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item])
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.extend(items)
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.insert(vec![(key, value)])
            }
            b'u' => {
                let entries = pairs(self.pop_to_mark()?)?;
                self.insert(entries)
            }
            _ => self.name_or_object(op),
        }
    }

    /// The operations on names, objects and the memo.
    fn name_or_object(&mut self, op: u8) -> Result<(), String> {
        match op {
            // GLOBAL, STACK_GLOBAL
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(&module, &name)
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let [module, name] =
                    [module, name].map(|v| self.tree.text(v).unwrap_or("…").to_string());
                self.global(&module, &name)
            }
            // REDUCE, NEWOBJ, NEWOBJ_EX
            b'R' | 0x81 | 0x92 => {
                if op == 0x92 {
                    // Arguments that have names, which no class has that is known here.
                    self.pop()?;
                }
                let (args, class) = (self.pop()?, self.pop()?);
                let args = self.tree.sequence(args).ok_or_else(|| damaged("arguments"))?.to_vec();
                self.spend(args.len() as u64 * VALUE)?;
                self.object(class, args, if op == b'R' { Made::ByCall } else { Made::New })
            }
            // INST, OBJ
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                let args = self.pop_to_mark()?;
                self.global(&module, &name)?;
                let class = self.pop()?;
                self.object(class, args, Made::New)
            }
            b'o' => {
                let mut args = self.pop_to_mark()?;
                if args.is_empty() {
                    return Err(damaged("object without a class"));
                }
                let class = args.remove(0);
                self.object(class, args, Made::New)
            }
            // BUILD: only objects have attributes that matter.
            b'b' => {
                let (state, object) = (self.pop()?, self.top()?);
                if let Some(Node::Object(object)) = self.node_mut(object) {
                    object.state = state;
                }
                self.array_of_joblib(object)
            }
            // PERSID, BINPERSID
            b'P' => {
                let line = self.line()?;
                self.make(Node::Text(line))?;
                let id = self.pop()?;
                self.make(Node::Persistent(id))
            }
            b'Q' => {
                let id = self.pop()?;
                self.make(Node::Persistent(id))
            }
            // GET, BINGET, LONG_BINGET
            b'g' | b'h' | b'j' => {
                let index = self.index(op)?;
                let value = *self.memo.get(&index).ok_or_else(|| damaged("memo"))?;
                self.push(value)
            }
            // PUT, BINPUT, LONG_BINPUT, MEMOIZE
            b'p' | b'q' | b'r' | 0x94 => {
                let index = match op {
                    0x94 => self.memo.len() as u32,
                    _ => self.index(op)?,
                };
                self.spend(VALUE)?;
                let top = self.top()?;
                self.memo.insert(index, top);
                Ok(())
            }
            // EXT1, EXT2, EXT4, NEXT_BUFFER, READONLY_BUFFER among others: no file holds what they refer to.
            _ => Err(damaged(&format!("operation {op:#04x}"))),
        }
    }

    /// Counts what is about to be stored.
    fn spend(&mut self, bytes: u64) -> Result<(), String> {
        self.spent = self.spent.saturating_add(bytes);
        if self.spent > BUDGET {
            let limit = BUDGET >> 20;
            return Err(format!("the values of the pickle take more than {limit} MiB"));
        }
        Ok(())
    }

    fn push(&mut self, value: Value) -> Result<(), String> {
        self.spend(VALUE)?;
        self.stack.push(value);
        Ok(())
    }

    /// Adds a node and pushes it.
    fn make(&mut self, node: Node) -> Result<(), String> {
        let text = match &node {
            Node::Text(text) | Node::Global(text) => text.len(),
            Node::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
        self.spend(NODE + text as u64)?;
        let index = u32::try_from(self.tree.nodes.len()).map_err(|_| damaged("length"))?;
        self.tree.nodes.push(node);
        self.push(Value::Node(index))
    }

    fn node_mut(&mut self, value: Value) -> Option<&mut Node> {
        match value {
            Value::Node(index) => self.tree.nodes.get_mut(index as usize),
            _ => None,
        }
    }

    /// The topmost value; not one below a mark.
    fn top(&self) -> Result<Value, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let top = self.stack.last().filter(|_| self.stack.len() > floor);
        top.copied().ok_or_else(|| damaged("stack"))
    }

    fn pop(&mut self) -> Result<Value, String> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    /// Takes what stands above the last mark, and the mark.
    fn pop_to_mark(&mut self) -> Result<Vec<Value>, String> {
        let mark = self.marks.pop().ok_or_else(|| damaged("mark"))?;
        Ok(self.stack.split_off(mark))
    }

    fn make_from_mark(&mut self, container: fn(Vec<Value>) -> Node) -> Result<(), String> {
        let items = self.pop_to_mark()?;
        self.make(container(items))
    }

    /// Adds to the list on top.
    fn extend(&mut self, items: Vec<Value>) -> Result<(), String> {
        self.spend(items.len() as u64 * VALUE)?;
        let top = self.top()?;
        match self.node_mut(top) {
            Some(Node::List(list) | Node::Set(list)) => list.extend(items),
            Some(Node::Object(object)) => object.items.extend(items),
            _ => return Err(damaged("no list to append to")),
        }
        Ok(())
    }

    /// Adds to the dictionary on top.
    fn insert(&mut self, entries: Vec<(Value, Value)>) -> Result<(), String> {
        self.spend(entries.len() as u64 * 2 * VALUE)?;
        let top = self.top()?;
        match self.node_mut(top) {
            Some(Node::Dict(dict)) => dict.extend(entries),
            Some(Node::Object(object)) => object.entries.extend(entries),
            _ => return Err(damaged("no dictionary to put into")),
        }
        Ok(())
    }

    fn global(&mut self, module: &str, name: &str) -> Result<(), String> {
        let name = format!("{module}.{name}");
        self.spend(name.len() as u64)?;
        self.tree.names.insert(name.clone());
        self.make(Node::Global(name))
    }

    fn object(&mut self, class: Value, args: Vec<Value>, made: Made) -> Result<(), String> {
        let name = self.tree.global(class).unwrap_or_default();
        if DICTS.contains(&name) {
            let entries = self.entries(&args);
            self.spend(entries.len() as u64 * 2 * VALUE)?;
            return self.make(Node::Dict(entries));
        }
        let object = match (name, &args[..]) {
            // How protocols 0 and 1 make an object: the class, a base, and what the base is made of.
            ("copy_reg._reconstructor" | "copyreg._reconstructor", &[class, _, base]) => {
                let entries = self.tree.dict(base).unwrap_or_default().to_vec();
                self.spend(entries.len() as u64 * 2 * VALUE)?;
                Object { entries, ..object(class, Made::New, Vec::new()) }
            }
            _ => object(class, made, args),
        };
        self.make(Node::Object(Box::new(object)))
    }

    /// What a dictionary would be made of: another, or a list of pairs.
    fn entries(&self, args: &[Value]) -> Vec<(Value, Value)> {
        let Some(&first) = args.first() else { return Vec::new() };
        if let Some(entries) = self.tree.dict(first) {
            return entries.to_vec();
        }
        let pair = |item: &Value| match self.tree.sequence(*item) {
            Some(&[key, value]) => Some((key, value)),
            _ => None,
        };
        self.tree.sequence(first).unwrap_or_default().iter().filter_map(pair).collect()
    }
}

fn object(class: Value, made: Made, args: Vec<Value>) -> Object {
    Object { class, made, args, state: Value::None, items: Vec::new(), entries: Vec::new() }
}

/// Keys and values that follow one another.
fn pairs(items: Vec<Value>) -> Result<Vec<(Value, Value)>, String> {
    let pairs = items.chunks_exact(2);
    match pairs.remainder() {
        [] => Ok(pairs.map(|pair| (pair[0], pair[1])).collect()),
        _ => Err(damaged("a key without a value")),
    }
}
