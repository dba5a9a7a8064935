use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::arch::is_inside;

/// What became of each parameter and running statistic in a transfer.
///
/// As text it is one line a group; a layer all of whose parameters are in the group is named once:
///
/// ```text
/// copied 60: bn1, conv1, layer1, layer2, layer3, layer4
/// fresh   2: fc
/// unfit   0
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Those whose values were copied from the source.
    pub copied: Vec<String>,
    /// Those that were not to be copied and keep the values they had.
    pub fresh: Vec<String>,
    /// Those that were to be copied but are not in the source, or have another shape there; they
    /// keep the values they had.
    pub unfit: Vec<String>,
}

impl Report {
    fn groups(&self) -> [(&'static str, &[String]); 3] {
        [("copied", &self.copied), ("fresh", &self.fresh), ("unfit", &self.unfit)]
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups = self.groups();
        let width = groups.map(|(_, names)| names.len().to_string().len());
        let width = width.into_iter().max().unwrap_or(1);
        for (i, (group, names)) in groups.into_iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{group:<6} {:>width$}", names.len())?;
            let others: Vec<&String> =
                groups.iter().filter(|g| g.0 != group).flat_map(|g| g.1).collect();
            let short = shortened(names, &others);
            if !short.is_empty() {
                write!(f, ": {}", short.join(", "))?;
            }
        }
        Ok(())
    }
}

/// The names, each replaced by that of the largest layer around it of which no part is in `others`.
pub(crate) fn shortened<'a>(names: &'a [String], others: &[&String]) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    let mut short = Vec::new();
    for name in names {
        let mut layers = name.match_indices('.').map(|(end, _)| &name[..end]);
        let whole = layers.find(|layer| !others.iter().any(|other| is_inside(other, layer)));
        let entry = whole.unwrap_or(name);
        if seen.insert(entry) {
            short.push(entry);
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_whole_layers_once_and_counts_their_parameters() {
        let names = |names: &[&str]| names.iter().map(|n| n.to_string()).collect();
        let report = Report {
            copied: names(&[
                "classifier.0.bias",
                "classifier.0.weight",
                "features.0.bias",
                "features.0.weight",
                "features.2.weight",
                "stem.weight",
            ]),
            fresh: names(&["classifier.6.bias", "classifier.6.weight"]),
            unfit: names(&["stem.bias"]),
        };
        let expected = "copied 6: classifier.0, features, stem.weight\n\
                        fresh  2: classifier.6\n\
                        unfit  1: stem.bias";
        assert_eq!(report.to_string(), expected);
    }

    #[test]
    fn an_empty_group_is_shown_as_such() {
        let report = Report { copied: vec!["a.b".into()], ..Report::default() };
        assert_eq!(report.to_string(), "copied 1: a\nfresh  0\nunfit  0");
    }
}
