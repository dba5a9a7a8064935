//! What the tensors of a file are called, in the file and here.

mod listed;
mod prefixes;
mod rename;
mod sources;
mod wrappers;

pub(super) use listed::Names;
#[cfg(test)]
pub(super) use prefixes::BESIDE;
pub(super) use prefixes::{networks, under};
pub use rename::Rename;
pub(super) use sources::{SOURCES, Source};
#[cfg(feature = "pytorch")]
pub(super) use wrappers::after;
#[cfg(test)]
pub(super) use wrappers::{ANYWHERE, BEFORE, COUNTS, LOSSES};
pub(super) use wrappers::{is_no_parameter, unwrapped};

use std::collections::BTreeMap;

use wrappers::without_first;

/// One way to understand the names of a file.
#[derive(Debug)]
pub(super) struct Reading {
    /// Whose names they are, if not torchvision's.
    pub source: Option<&'static Source>,
    /// The name in the file by the name that the tensor has here.
    pub keys: BTreeMap<String, String>,
}

/// The ways to understand the names of a file, given by those that are listed: first as they are listed, then
/// `as_in_file`, then without a part that stands before some of them; each of these as torchvision's and as those
/// of every source of which a rule says something.
fn readings(listed: &BTreeMap<String, String>, as_in_file: bool) -> Vec<Reading> {
    let keys: Vec<&String> = listed.values().collect();
    let names: Vec<String> = listed.keys().cloned().collect();
    let mut lists = vec![names.clone()];
    if as_in_file {
        lists.push(listed.values().cloned().collect());
    }
    lists.extend(wrappers::BEFORE.iter().filter_map(|part| without_first(&names, part)));
    let plain = lists.iter().filter_map(|names| Reading::new(None, names, &keys));
    let mut readings: Vec<Reading> = plain.collect();
    for source in SOURCES {
        let rules = source.renames();
        for names in &lists {
            let names = &source.counted(names);
            let renamed = |name: &String| rules.iter().find_map(|rule| rule.apply(name));
            let renamed: Vec<Option<String>> = names.iter().map(renamed).collect();
            if renamed.iter().any(Option::is_some) {
                let all = renamed.into_iter().zip(names);
                let all: Vec<String> =
                    all.map(|(new, old)| new.unwrap_or_else(|| old.clone())).collect();
                readings.extend(Reading::new(Some(source), &all, &keys));
            }
        }
    }
    readings
}

impl Reading {
    /// `None` if two tensors have one name: it would be chance which of them is taken.
    fn new(source: Option<&'static Source>, names: &[String], keys: &[&String]) -> Option<Self> {
        let keys = keys.iter().map(|key| key.to_string());
        let keys: BTreeMap<String, String> = names.iter().cloned().zip(keys).collect();
        (keys.len() == names.len()).then_some(Self { source, keys })
    }

    /// The shape of a tensor of `found` where one of so many `dimensions` is expected.
    pub fn shape(&self, found: &[usize], dimensions: usize) -> Vec<usize> {
        let flattens = self.source.is_some_and(|source| source.flattens);
        match found {
            [out, inner @ ..] if flattens && dimensions == 2 && inner.len() == 3 => {
                vec![*out, inner.iter().copied().fold(1, usize::saturating_mul)]
            }
            _ => found.to_vec(),
        }
    }
}
