//! Chooses among several sets of weights.

use super::super::options::Choice;
use super::super::pickle::{Tree, Value};
use super::find::{Candidate, is_average, rank};
use super::tensor::{Tensor, tensor};

/// As many choices are named in an error.
const MOST_NAMED: usize = 8;

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
    let found: Vec<Candidate> = found.into_iter().filter(is_set).collect();
    let choices: Vec<Choice> = found.iter().map(|candidate| choice(tree, candidate)).collect();
    if let Some(key) = key {
        let tensors = under(found, key)
            .ok_or_else(|| format!("there are no weights under `{key}`; {}", listed(&choices)))?;
        return Ok(Chosen { key: Some(key.into()), tensors, choices });
    }
    if found.is_empty() {
        return Ok(Chosen::default());
    }
    let index = meant(&choices).ok_or_else(|| {
        format!(
            "it holds several sets of weights, of which one is chosen by its key: {}",
            listed(&choices)
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

/// The tensors of the set of this path, or of all sets beneath it under their longer names.
fn under(found: Vec<Candidate>, key: &str) -> Option<Vec<(String, Value)>> {
    let mut beneath = Vec::new();
    for candidate in found {
        if candidate.path == key {
            return Some(candidate.tensors);
        }
        let rest = match key.is_empty() {
            true => Some(candidate.path.as_str()),
            false => candidate.path.strip_prefix(key).and_then(|rest| rest.strip_prefix('.')),
        };
        if let Some(rest) = rest {
            let named = |(name, value)| (format!("{rest}.{name}"), value);
            beneath.extend(candidate.tensors.into_iter().map(named));
        }
    }
    Some(beneath).filter(|beneath| !beneath.is_empty())
}

fn choice(tree: &Tree, candidate: &Candidate) -> Choice {
    let elements = candidate.tensors.iter().map(|(_, value)| match tensor(tree, *value) {
        Some(Tensor::Dense(tensor)) => {
            tensor.shape.iter().fold(1u64, |n, &size| n.saturating_mul(size as u64))
        }
        _ => 0,
    });
    Choice {
        key: candidate.path.clone(),
        tensors: candidate.tensors.len(),
        elements: elements.fold(0, u64::saturating_add),
    }
}

/// The choices on one line.
fn listed(choices: &[Choice]) -> String {
    let mut texts: Vec<String> = choices.iter().take(MOST_NAMED).map(Choice::to_string).collect();
    match choices.len() {
        0 => return "there are none at all".into(),
        count if count > MOST_NAMED => texts.push(format!("{} more", count - MOST_NAMED)),
        _ => {}
    }
    format!("there are {}", texts.join(", "))
}

/// Whether a key is that of an optimizer or of what belongs to it.
fn is_optimizer(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["optim", "scheduler", "scaler", "rng"].iter().any(|word| key.contains(word))
}
