//! Which tensor of a file is which of a network.

use std::collections::BTreeSet;

use super::file::WeightFile;
use super::names::{Names, Reading, is_no_parameter};
use super::spec::Spec;
use super::stored::Stored;

/// How the tensors of a file are those of a network.
pub(super) struct Matched<'f, 'n> {
    /// How the names were understood: in the way in which most names and shapes fit.
    pub reading: &'n Reading,
    /// Whose names they are, if not torchvision's; several that fit equally well.
    pub sources: Vec<&'static str>,
    /// For each tensor of the network the one of the file of this name.
    pub found: Vec<Option<&'f Stored>>,
    pub differences: Differences,
    /// What is no parameter of any network, by the names in the file's list.
    pub left_out: Vec<String>,
}

/// How the tensors of a file differ from those of a network.
#[derive(Debug, Default)]
pub(super) struct Differences {
    pub missing: Vec<String>,
    pub unexpected: Vec<String>,
    pub shapes: Vec<(String, Vec<usize>, Vec<usize>)>,
}

impl Differences {
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.shapes.is_empty()
    }
}

impl WeightFile<'_> {
    /// How the tensors of the file, called `names`, are those of `specs`.
    pub(super) fn matched<'f, 'n>(&'f self, names: &'n Names, specs: &[Spec]) -> Matched<'f, 'n> {
        let (reading, sources) = self.best_reading(names, specs);
        let found: Vec<Option<&Stored>> =
            specs.iter().map(|spec| self.find(reading, &spec.name_in(self.convention))).collect();
        let mut differences = Differences::default();
        let mut known = BTreeSet::new();
        for (spec, found) in specs.iter().zip(&found) {
            let (name, expected) = (spec.name_in(self.convention), self.expected(spec));
            match found.map(|found| reading.shape(&found.shape, expected.len())) {
                None => differences.missing.push(name.clone()),
                Some(shape) if shape != expected => {
                    differences.shapes.push((name.clone(), expected, shape));
                }
                Some(_) => {}
            }
            if spec.part == "running_mean" {
                known.insert(format!("{}.{TRACKED}", spec.layer));
            }
            known.insert(name);
        }
        let mut left_out = Vec::new();
        // By the names in the list, by which they can be found in it.
        let listed: std::collections::HashMap<&String, &String> =
            names.keys.iter().map(|(name, key)| (key, name)).collect();
        for (name, key) in reading.keys.iter().filter(|(name, _)| !known.contains(*name)) {
            let is_count = !self.stored[key].dtype.is_float() && !name.ends_with(TRACKED);
            match is_no_parameter(name) || is_count {
                true => left_out.push(listed[key].clone()),
                false => differences.unexpected.push(listed[key].clone()),
            }
        }
        Matched { reading, sources, found, differences, left_out }
    }

    /// The way to understand `names` by which most tensors have the name and shape of one of `specs`; of
    /// equally good ones the first. And whose names they are then.
    fn best_reading<'n>(
        &self,
        names: &'n Names,
        specs: &[Spec],
    ) -> (&'n Reading, Vec<&'static str>) {
        let score = |reading: &Reading| {
            let (mut fit, mut named) = (0, 0);
            for spec in specs {
                if let Some(found) = self.find(reading, &spec.name_in(self.convention)) {
                    let expected = self.expected(spec);
                    named += 1;
                    fit += usize::from(reading.shape(&found.shape, expected.len()) == expected);
                }
            }
            (fit, named)
        };
        let readings = names.readings();
        let scores: Vec<(usize, usize)> = readings.iter().map(score).collect();
        let most = scores.iter().max().copied().unwrap_or_default();
        let mut best =
            readings.iter().zip(scores).filter(|(_, score)| *score == most).map(|(r, _)| r);
        let first = best.next().expect("names as they are listed are one way");
        let mut sources = Vec::new();
        if let Some(source) = first.source {
            let others = best.filter_map(|reading| reading.source);
            for name in [source].into_iter().chain(others).map(|source| source.name) {
                if !sources.contains(&name) {
                    sources.push(name);
                }
            }
        }
        (first, sources)
    }

    fn find(&self, reading: &Reading, name: &str) -> Option<&Stored> {
        self.stored.get(reading.keys.get(name)?)
    }
}

/// How many batches a normalization has seen, which has no effect here.
const TRACKED: &str = "num_batches_tracked";
