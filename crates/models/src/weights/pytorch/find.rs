//! Finds the weights in whatever a pickle holds.
//!
//! Every dictionary of tensors with names of parameters is a set of weights, at any depth, in lists, and in the
//! attributes of objects of any class; so is a module, saved as a whole. The state of an optimizer is none.

use std::collections::HashSet;

use super::super::pickle::{Made, Node, Object, Tree, Value};
use super::tensor::tensor;

/// A set of weights.
#[derive(Debug)]
pub struct Candidate {
    /// The keys that lead to it, joined by dots; empty for the whole file.
    pub path: String,
    /// Names and tensors.
    pub tensors: Vec<(String, Value)>,
    /// Whether there is a name as parameters have one.
    pub has_parameters: bool,
}

/// As deep as values are looked into.
pub const DEPTH: usize = 100;

/// As many values are looked at, and as many bytes of paths and names are built, in one file.
const MOST_STEPS: usize = 4_000_000;
const MOST_TEXT: usize = 64 << 20;

/// Names of parameters and buffers of PyTorch's layers.
const PARAMETERS: [&str; 14] = [
    "weight",
    "bias",
    "running_mean",
    "running_var",
    "num_batches_tracked",
    "in_proj_weight",
    "in_proj_bias",
    "weight_g",
    "weight_v",
    "weight_orig",
    "weight_mask",
    "gamma",
    "beta",
    "kernel",
];

/// How the classes of TorchScript begin.
const SCRIPT: &str = "__torch__.";

/// Whether a value is a module of TorchScript.
pub fn is_script(tree: &Tree, value: Value) -> bool {
    tree.object(value).is_some_and(|object| is_script_module(tree, object))
}

fn is_script_module(tree: &Tree, object: &Object) -> bool {
    tree.global(object.class).is_some_and(|class| class.starts_with(SCRIPT))
}

/// What looking through a tree comes to.
#[derive(Debug, Default)]
pub struct Found {
    /// All sets of weights, in the order of the file.
    pub sets: Vec<Candidate>,
    /// Whether there is the state of an optimizer.
    pub has_optimizer: bool,
    /// Whether there are values deeper than [`DEPTH`].
    pub is_too_deep: bool,
}

/// All sets of weights in a tree.
///
/// # Errors
///
/// If the tree is so entangled that looking through it would take too long.
pub fn candidates(tree: &Tree) -> Result<Found, String> {
    let found = Found::default();
    let mut search = Search { tree, seen: HashSet::new(), steps: 0, text: 0, found };
    search.visit(tree.root(), String::new(), 0)?;
    Ok(search.found)
}

struct Search<'t> {
    tree: &'t Tree,
    /// Containers that were looked into: what is shared is found where it stands first.
    seen: HashSet<u32>,
    steps: usize,
    text: usize,
    found: Found,
}

type Named = (String, Value);

impl Search<'_> {
    fn visit(&mut self, value: Value, path: String, depth: usize) -> Result<(), String> {
        let Value::Node(index) = value else { return Ok(()) };
        if depth > DEPTH {
            self.found.is_too_deep = true;
            return Ok(());
        }
        if !self.seen.insert(index) || tensor(self.tree, value).is_some() {
            return Ok(());
        }
        if let Some(object) = self.tree.object(value)
            && let Some(tensors) = self.module(object)?
        {
            self.add(path, tensors);
            return Ok(());
        }
        let children = self.children(value)?;
        if is_optimizer(&children) {
            self.found.has_optimizer = true;
            return Ok(());
        }
        if !matches!(self.tree.node(value), Some(Node::List(_) | Node::Tuple(_) | Node::Set(_))) {
            let mut leaves = Vec::new();
            if children.len() > 1 && self.leaves(&children, &mut leaves, depth)? {
                self.add(path, leaves);
                return Ok(());
            }
            let is_tensor = |(_, value): &&Named| tensor(self.tree, *value).is_some();
            let tensors: Vec<Named> = children.iter().filter(is_tensor).cloned().collect();
            if !tensors.is_empty() {
                self.add(path.clone(), tensors);
            }
        }
        for (key, value) in children {
            if matches!(value, Value::Node(_)) && key != "_metadata" {
                let path = self.joined(&path, &key)?;
                self.visit(value, path, depth + 1)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, path: String, tensors: Vec<Named>) {
        let has_parameters = tensors.iter().any(|(name, _)| is_parameter(name));
        self.found.sets.push(Candidate { path, tensors, has_parameters });
    }

    /// What a value contains, by names: the keys of a dictionary, the attributes of an object, the places of a
    /// list.
    fn children(&mut self, value: Value) -> Result<Vec<Named>, String> {
        let tree = self.tree;
        let mut children = Vec::new();
        match tree.node(value) {
            Some(Node::Dict(entries)) => self.entries(entries, &mut children)?,
            Some(Node::List(items) | Node::Tuple(items) | Node::Set(items)) => {
                self.items(items, &mut children)?;
            }
            Some(Node::Object(object)) => {
                // What a function would make of its arguments is not known.
                if object.made == Made::New {
                    self.items(&object.args, &mut children)?;
                }
                self.items(&object.items, &mut children)?;
                self.entries(&object.entries, &mut children)?;
                for entries in attributes(tree, object) {
                    self.entries(entries, &mut children)?;
                }
            }
            _ => {}
        }
        Ok(children)
    }

    fn entries(&mut self, entries: &[(Value, Value)], into: &mut Vec<Named>) -> Result<(), String> {
        for (index, &(key, value)) in entries.iter().enumerate() {
            let name = self.tree.key(key).unwrap_or_else(|| format!("[{index}]"));
            self.count(name.len())?;
            into.push((name, value));
        }
        Ok(())
    }

    /// The items that can contain something.
    fn items(&mut self, items: &[Value], into: &mut Vec<Named>) -> Result<(), String> {
        for (index, &value) in items.iter().enumerate() {
            self.count(0)?;
            if let Value::Node(_) = value {
                into.push((index.to_string(), value));
            }
        }
        Ok(())
    }

    /// Whether `children` are dictionaries of parameters, nested by the parts of their names, with nothing
    /// else between: `{"conv1": {"weight": …}, "fc": {"weight": …}}`. Adds them under their joined names.
    fn leaves(
        &mut self,
        children: &[Named],
        into: &mut Vec<Named>,
        depth: usize,
    ) -> Result<bool, String> {
        if depth > DEPTH || children.is_empty() {
            return Ok(false);
        }
        for (key, value) in children {
            if rank(key).is_some() || is_average(key) || self.tree.dict(*value).is_none() {
                return Ok(false);
            }
            let inner = self.children(*value)?;
            let mut tensors = Vec::new();
            let is_leaf = |(name, value): &Named| {
                PARAMETERS.contains(&name.as_str()) && tensor(self.tree, *value).is_some()
            };
            if inner.iter().all(is_leaf) && !inner.is_empty() {
                tensors = inner;
            } else if !self.leaves(&inner, &mut tensors, depth + 1)? {
                return Ok(false);
            }
            for (name, value) in tensors {
                into.push((self.joined(key, &name)?, value));
            }
        }
        Ok(true)
    }

    /// The state dict of an object that is a module, of PyTorch's or of TorchScript.
    fn module(&mut self, object: &Object) -> Result<Option<Vec<Named>>, String> {
        let is_module = |state| {
            ["_parameters", "_modules"].iter().all(|part| self.tree.get(state, part).is_some())
        };
        let is_script = is_script_module(self.tree, object);
        if !is_script && !attributes(self.tree, object).into_iter().any(is_module) {
            return Ok(None);
        }
        let mut tensors = Vec::new();
        self.parts(object, "", &mut tensors, 0)?;
        Ok(Some(tensors))
    }

    /// The parameters and buffers of a module and of its parts, in the order of PyTorch's state dict.
    fn parts(
        &mut self,
        module: &Object,
        path: &str,
        into: &mut Vec<Named>,
        depth: usize,
    ) -> Result<(), String> {
        let tree = self.tree;
        let is_script = is_script_module(tree, module);
        let mut own = Vec::new();
        let mut passing = HashSet::new();
        for state in attributes(tree, module) {
            if is_script {
                self.entries(state, &mut own)?;
            }
            let passing_names = tree.get(state, "_non_persistent_buffers_set");
            if let Some(Node::Set(names) | Node::List(names)) =
                passing_names.and_then(|names| tree.node(names))
            {
                passing.extend(names.iter().filter_map(|name| tree.text(*name)));
            }
            for part in ["_parameters", "_buffers", "_modules"] {
                if let Some(part) = tree.get(state, part).and_then(|part| tree.dict(part)) {
                    self.entries(part, &mut own)?;
                }
            }
        }
        for (name, value) in own {
            if passing.contains(name.as_str()) {
                continue;
            }
            let is_tensor = tensor(tree, value).is_some();
            let part = tree.object(value).filter(|part| !is_tensor && part.state != Value::None);
            if !is_tensor && part.is_none() {
                continue;
            }
            let name = self.joined(path, &name)?;
            match part {
                Some(part) if depth < DEPTH => self.parts(part, &name, into, depth + 1)?,
                Some(_) => {}
                None => into.push((name, value)),
            }
        }
        Ok(())
    }

    fn joined(&mut self, path: &str, name: &str) -> Result<String, String> {
        self.count(path.len() + name.len())?;
        Ok(if path.is_empty() { name.into() } else { format!("{path}.{name}") })
    }

    fn count(&mut self, text: usize) -> Result<(), String> {
        self.steps += 1;
        self.text += text;
        match self.steps > MOST_STEPS || self.text > MOST_TEXT {
            true => Err("what it holds is too large or too entangled to be looked through".into()),
            false => Ok(()),
        }
    }
}

/// The dictionaries in which an object keeps its attributes: one, or one of names and one of slots.
fn attributes<'t>(tree: &'t Tree, object: &Object) -> Vec<&'t [(Value, Value)]> {
    match tree.sequence(object.state) {
        Some(parts) => parts.iter().filter_map(|part| tree.dict(*part)).collect(),
        None => tree.dict(object.state).into_iter().collect(),
    }
}

/// Whether these are the parts of an optimizer's `state_dict`.
fn is_optimizer(children: &[Named]) -> bool {
    ["state", "param_groups"].iter().all(|part| children.iter().any(|(key, _)| key == part))
}

fn is_parameter(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    PARAMETERS.contains(&last) || name.contains('.')
}

/// Keys under which programs keep the weights of their network, the most explicit first.
const CONVENTIONAL: [&str; 11] = [
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "net_state_dict",
    "network_state_dict",
    "params",
    "weights",
    "module",
];

/// How explicitly the last key of `path` says that weights of a network follow; the less, the more.
pub fn rank(path: &str) -> Option<usize> {
    let last = path.rsplit('.').next().unwrap_or(path);
    CONVENTIONAL.iter().position(|key| *key == last)
}

/// Whether a path says that the weights are averages over the training, which stand beside the weights.
pub fn is_average(path: &str) -> bool {
    let mut words = path.split(['.', '_', '-']);
    words.any(|word| matches!(word.to_ascii_lowercase().as_str(), "ema" | "swa" | "averaged"))
}
