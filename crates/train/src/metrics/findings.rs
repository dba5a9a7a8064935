use super::ConfusionMatrix;

/// Pairs of classes that are named.
const PAIRS: usize = 3;

impl ConfusionMatrix {
    /// In two lines, which classes are confused most often, and which are missed and falsely found most often. Of
    /// equal ones the first class is named; where no image is taken for another class, it says so.
    ///
    /// ```
    /// use selvedge_train::ConfusionMatrix;
    ///
    /// let classes = ["bag", "coat", "shirt"].map(String::from).to_vec();
    /// let matrix = ConfusionMatrix { classes, counts: vec![vec![9, 0, 1], vec![0, 7, 3], vec![1, 4, 5]] };
    /// let expected = "Most often confused: shirt for coat (4), coat for shirt (3), bag for shirt (1).\n\
    ///                 Most often missed: shirt (5 images). Most often falsely found: coat (4).";
    /// assert_eq!(matrix.findings(), expected);
    /// ```
    pub fn findings(&self) -> String {
        let class = |i: usize| self.classes[i].as_str();
        let pairs = self.most_confused(PAIRS).into_iter();
        let pairs =
            pairs.map(|p| format!("{} for {} ({})", class(p.truth), class(p.predicted), p.count));
        let pairs = pairs.collect::<Vec<_>>().join(", ");
        if pairs.is_empty() {
            return "No image is taken for another class.".into();
        }
        let counts = self.one_vs_rest();
        let most = |count: &dyn Fn(usize) -> u64| {
            let first = (0..counts.len()).rev().max_by_key(|&i| count(i)).unwrap_or(0);
            (class(first).to_owned(), count(first))
        };
        let (missed, misses) = most(&|i| counts[i].false_negatives);
        let (found, finds) = most(&|i| counts[i].false_positives);
        let images = if misses == 1 { "image" } else { "images" };
        format!(
            "Most often confused: {pairs}.\nMost often missed: {missed} ({misses} {images}). Most often falsely \
             found: {found} ({finds})."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_wrong_image_nothing_is_confused() {
        let classes = ["a", "b"].map(String::from).to_vec();
        let matrix = ConfusionMatrix { classes, counts: vec![vec![3, 0], vec![0, 2]] };
        assert_eq!(matrix.findings(), "No image is taken for another class.");
    }

    #[test]
    fn of_equal_classes_the_first_is_named() {
        let classes = ["a", "b"].map(String::from).to_vec();
        let matrix = ConfusionMatrix { classes, counts: vec![vec![3, 2], vec![2, 3]] };
        let text = matrix.findings();
        assert!(text.contains("missed: a (2 images)") && text.ends_with("found: a (2)."), "{text}");
    }
}
