use std::collections::HashSet;

use crate::DataError;
use crate::error::Repr;

/// A choice of classes: the labels to keep, which become 0, 1, 2, … in the order of the list.
///
/// ```
/// use selvedge_data::ClassSubset;
///
/// assert_eq!(ClassSubset::fm1().labels(), [0, 1, 4, 5, 8]);
/// let odd = ClassSubset::new("odd", vec![1, 3, 5, 7, 9])?;
/// assert_eq!(odd.name(), "odd");
/// # Ok::<(), selvedge_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClassSubset {
    name: String,
    labels: Vec<u16>,
}

impl ClassSubset {
    /// A subset of the given labels, in the order in which they are to be numbered.
    ///
    /// # Errors
    ///
    /// If the list is empty or names a label twice.
    pub fn new(name: impl Into<String>, labels: impl Into<Vec<u16>>) -> Result<Self, DataError> {
        let (name, labels) = (name.into(), labels.into());
        if labels.is_empty() {
            return Err(Repr::EmptySubset { name }.into());
        }
        let mut seen = HashSet::with_capacity(labels.len());
        for &label in &labels {
            if !seen.insert(label) {
                return Err(Repr::DuplicateLabel { name, found: label }.into());
            }
        }
        Ok(Self { name, labels })
    }

    /// Half of Fashion-MNIST: T-shirt/top, Trouser, Coat, Sandal, Bag (0, 1, 4, 5, 8).
    pub fn fm1() -> Self {
        Self { name: "FM-1".to_owned(), labels: vec![0, 1, 4, 5, 8] }
    }

    /// The other half: Pullover, Dress, Shirt, Sneaker, Ankle boot (2, 3, 6, 7, 9).
    pub fn fm2() -> Self {
        Self { name: "FM-2".to_owned(), labels: vec![2, 3, 6, 7, 9] }
    }

    /// The subset's name, for reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The labels kept; the new label of each is its position here.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_and_repeated_labels_are_refused() {
        let empty = ClassSubset::new("none", []).unwrap_err();
        assert_eq!(empty.to_string(), "class subset none: expected at least 1 label, found none");
        let twice = ClassSubset::new("twice", [3, 65_535, 3]).unwrap_err();
        assert_eq!(
            twice.to_string(),
            "class subset twice: expected each label once, found 3 twice"
        );
    }

    #[test]
    fn fm1_and_fm2_part_the_ten_classes() {
        let mut all = [ClassSubset::fm1().labels, ClassSubset::fm2().labels].concat();
        all.sort_unstable();
        assert_eq!(all, (0..10).collect::<Vec<u16>>());
    }
}
