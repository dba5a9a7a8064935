//! What became of the tensors of a file when a network took them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::listed;
use crate::network::transfer::shortened;

/// What a network took of a file of weights, and what not.
///
/// As text it is one line a group that is not empty; layers that belong to one group as a whole are named once:
///
/// ```text
/// taken 60: bn1, conv1, layer1, layer2, layer3, layer4
/// of another shape 2: fc
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadReport {
    /// Whose names the file has, where they are not the network's own; several if they are those of all.
    pub sources: Vec<String>,
    /// The network's tensors that have the file's values.
    pub taken: Vec<String>,
    /// The network's tensors that the file lacks; they keep the values they had.
    pub missing: Vec<String>,
    /// The network's tensors that have another shape in the file, and keep the values they had: name, expected,
    /// found.
    pub shapes: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// The file's tensors that the network does not have, by the names in the file's list.
    pub unexpected: Vec<String>,
    /// What the file holds besides that is no parameter of a network, such as counts and what belongs to a loss.
    pub left_out: Vec<String>,
    /// What became of the first convolution, if it is for images of other channels than the network's.
    pub input_channels: Option<String>,
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shapes: Vec<String> = self.shapes.iter().map(|(name, ..)| name.clone()).collect();
        let rest: Vec<&String> = self.missing.iter().chain(&shapes).collect();
        let others: Vec<&String> = self.taken.iter().collect();
        write!(f, "taken {}: {}", self.taken.len(), listed(&shortened(&self.taken, &rest)))?;
        if !self.sources.is_empty() {
            write!(f, "\nnames of {}", self.sources.join(" or "))?;
        }
        for (what, count, names) in [
            ("missing", self.missing.len(), listed(&shortened(&self.missing, &others))),
            ("of another shape", self.shapes.len(), listed(&shortened(&shapes, &others))),
            ("unexpected", self.unexpected.len(), listed(&self.unexpected)),
            ("left out, no parameters", self.left_out.len(), listed(&self.left_out)),
        ] {
            if count > 0 {
                write!(f, "\n{what} {count}: {names}")?;
            }
        }
        match &self.input_channels {
            Some(text) => write!(f, "\n{text}"),
            None => Ok(()),
        }
    }
}
