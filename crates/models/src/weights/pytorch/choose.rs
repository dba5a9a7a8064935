//! Chooses among several sets of weights.

use std::collections::BTreeSet;

use super::super::names;
use super::super::options::{Choice, elements};
use super::super::pickle::{Tree, Value};
use super::find::{Candidate, is_average, rank};
use super::tensor::{Home, Tensor, tensor};

/// A set that holds so many times the elements of all others is clearly the one.
const CLEARLY: u64 = 10;

/// What was chosen.
#[derive(Debug, Default)]
pub struct Chosen {
    /// The path; `None` for the whole file.
    pub key: Option<String>,
    pub tensors: Vec<(String, Value)>,
    /// All that could have been chosen.
    pub choices: Vec<Choice>,
}

/// The set under `key`, or the one that is meant where there is no key.
///
/// # Errors
///
/// If nothing is under the key, or if several sets could be meant.
pub fn choose(tree: &Tree, found: Vec<Candidate>, key: Option<&str>) -> Result<Chosen, String> {
    let has_parameters = found.iter().any(|candidate| candidate.has_parameters);
    let is_set = |candidate: &Candidate| {
        candidate.has_parameters == has_parameters && !candidate.path.split('.').any(is_optimizer)
    };
    let mut found: Vec<Candidate> = found.into_iter().filter(is_set).collect();
    // Beside tensors of PyTorch, arrays are what was measured.
    if key.is_none() && found.iter().any(|candidate| has_tensors(tree, candidate)) {
        found.retain(|candidate| has_tensors(tree, candidate));
    }
    let choices: Vec<Choice> = found.iter().map(|candidate| choice(tree, candidate)).collect();
    if let Some(key) = key {
        let exact = under(&found, key).map(|tensors| (key.to_string(), tensors));
        if let Some((key, tensors)) = exact.or_else(|| by_prefix(&found, meant(&choices), key)) {
            return Ok(Chosen { key: Some(key), tensors, choices });
        }
        let prefixes = found.iter().flat_map(|candidate| networks(tree, candidate));
        let all: Vec<Choice> = choices.into_iter().chain(prefixes).collect();
        return Err(format!("there are no weights under `{key}`; {}", Choice::listed(&all)));
    }
    if found.is_empty() {
        return Ok(Chosen::default());
    }
    let index = meant(&choices).ok_or_else(|| {
        format!(
            "it holds several sets of weights, of which one is chosen by its key: {}",
            Choice::listed(&choices)
        )
    })?;
    let key = Some(choices[index].key.clone()).filter(|key| !key.is_empty());
    let tensors = found.into_iter().nth(index).map(|chosen| chosen.tensors);
    Ok(Chosen { key, tensors: tensors.unwrap_or_default(), choices })
}

/// Which of the choices is meant.
fn meant(choices: &[Choice]) -> Option<usize> {
    // Averages are taken on request, or where there is nothing else.
    let mut these: Vec<usize> =
        (0..choices.len()).filter(|&index| !is_average(&choices[index].key)).collect();
    if these.is_empty() {
        these = (0..choices.len()).collect();
    }
    let key = |index: usize| choices[index].key.as_str();
    if let &[only] = &these[..] {
        return Some(only);
    }
    if let Some(whole) = these.iter().find(|&&index| key(index).is_empty()) {
        return Some(*whole);
    }
    // The most explicit of the least deep keys, if there is one of it.
    let order = |index: usize| rank(key(index)).map(|rank| (key(index).matches('.').count(), rank));
    if let Some(best) = these.iter().filter_map(|&index| order(index)).min() {
        let mut equal = these.iter().filter(|&&index| order(index) == Some(best));
        if let (Some(first), None) = (equal.next(), equal.next()) {
            return Some(*first);
        }
        return None;
    }
    let elements = |index: &usize| choices[*index].elements;
    let largest = these.iter().copied().max_by_key(elements)?;
    let others = these.iter().filter(|&&index| index != largest).map(elements);
    let others = others.fold(0, u64::saturating_add);
    (elements(&largest) / CLEARLY >= others.max(1)).then_some(largest)
}

/// Whether a set has tensors of PyTorch, and not arrays of NumPy alone.
fn has_tensors(tree: &Tree, candidate: &Candidate) -> bool {
    let is_stored = |value| match tensor(tree, value) {
        Some(Tensor::Dense(tensor)) => matches!(tensor.home, Home::Storage(_)),
        _ => false,
    };
    candidate.tensors.iter().any(|(_, value)| is_stored(*value))
}

/// The tensors of the set of this path, or of all sets beneath it under their longer names.
fn under(found: &[Candidate], key: &str) -> Option<Vec<(String, Value)>> {
    let mut beneath = Vec::new();
    for candidate in found {
        if candidate.path == key {
            return Some(candidate.tensors.clone());
        }
        if let Some(rest) = below(&candidate.path, key) {
            let named = |(name, value): &(String, Value)| (format!("{rest}.{name}"), *value);
            beneath.extend(candidate.tensors.iter().map(named));
        }
    }
    Some(beneath).filter(|beneath| !beneath.is_empty())
}

/// The rest of `path` below `key`, which is the whole of it where there is no key.
fn below<'p>(path: &'p str, key: &str) -> Option<&'p str> {
    if key.is_empty() { Some(path) } else { names::after(path, key) }
}

/// The tensors whose names begin with the end of `key`, of the set under its beginning, or else with the whole of
/// it, of the set that is meant without a key; and the whole key.
fn by_prefix(
    found: &[Candidate],
    meant: Option<usize>,
    key: &str,
) -> Option<(String, Vec<(String, Value)>)> {
    let meant = meant.and_then(|index| found.get(index));
    let beneath = found.iter().filter_map(|set| Some((set, below(key, &set.path)?)));
    let places = beneath.chain(meant.map(|set| (set, key)));
    for (candidate, prefix) in places {
        let named = |(name, value): &(String, Value)| {
            Some((names::under(name, prefix)?.to_string(), *value))
        };
        let tensors: Vec<(String, Value)> = candidate.tensors.iter().filter_map(named).collect();
        let different: BTreeSet<&String> = tensors.iter().map(|(name, _)| name).collect();
        if !tensors.is_empty() && different.len() == tensors.len() {
            return Some((joined(&candidate.path, prefix), tensors));
        }
    }
    None
}

/// The networks under prefixes in a set, by their whole keys.
fn networks(tree: &Tree, candidate: &Candidate) -> Vec<Choice> {
    let shapes = candidate.tensors.iter().filter_map(|(name, value)| match tensor(tree, *value) {
        Some(Tensor::Dense(tensor)) => Some((name.as_str(), tensor.shape)),
        _ => None,
    });
    let shapes: Vec<(&str, Vec<usize>)> = shapes.collect();
    let tensors: Vec<(&str, &[usize])> =
        shapes.iter().map(|(name, shape)| (*name, &shape[..])).collect();
    let whole = |choice: Choice| Choice { key: joined(&candidate.path, &choice.key), ..choice };
    names::networks(&tensors).into_iter().map(whole).collect()
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.into() } else { format!("{path}.{key}") }
}

fn choice(tree: &Tree, candidate: &Candidate) -> Choice {
    let elements = candidate.tensors.iter().map(|(_, value)| match tensor(tree, *value) {
        Some(Tensor::Dense(tensor)) => elements(&tensor.shape),
        _ => 0,
    });
    Choice {
        key: candidate.path.clone(),
        tensors: candidate.tensors.len(),
        elements: elements.fold(0, u64::saturating_add),
    }
}

/// Whether a key is that of an optimizer or of what belongs to it.
fn is_optimizer(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["optim", "scheduler", "scaler", "rng"].iter().any(|word| key.contains(word))
}
