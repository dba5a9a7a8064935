use std::ops::Range;
use std::sync::Arc;

use crate::error::Repr;
use crate::{ClassSubset, DataError, ImageDataset, fraction};

/// Some images of an [`ImageDataset`], in some order, with labels of their own: a list of indices
/// over the shared buffer. Making, narrowing and cloning a view copies no image.
///
/// Positions (`0..len()`) are the view's; [`indices`](Self::indices) says which image of the data
/// set each one is.
///
/// ```
/// use selvedge_data::{ClassSubset, ImageDataset};
///
/// let classes = ["a", "b", "c"].map(String::from).to_vec();
/// let all = ImageDataset::new("t", vec![10, 20, 30], [1, 1, 1], vec![0, 1, 2], classes)?.view();
/// let view = all.select(&ClassSubset::new("c and a", [2, 0])?)?;
/// assert_eq!(view.indices(), [0, 2]);
/// assert_eq!((view.image(1), view.label(1)), (&[30][..], 0));
/// assert_eq!(view.classes(), ["c", "a"]);
/// # Ok::<(), selvedge_data::DataError>(())
/// ```
#[derive(Debug, Clone)]
pub struct View {
    dataset: ImageDataset,
    indices: Arc<[u32]>,
    /// One per index, each below `classes.len()`.
    labels: Arc<[u16]>,
    classes: Arc<[String]>,
}

impl ImageDataset {
    /// A view of all images, in their order and with their labels.
    pub fn view(&self) -> View {
        View::all(self)
    }
}

impl View {
    pub(crate) fn all(dataset: &ImageDataset) -> Self {
        Self {
            // The data set has at most `u32::MAX` images.
            indices: (0..dataset.len() as u32).collect(),
            labels: dataset.labels().into(),
            classes: dataset.shared_classes(),
            dataset: dataset.clone(),
        }
    }

    /// The data set that holds the images.
    pub fn dataset(&self) -> &ImageDataset {
        &self.dataset
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// The shape of one image: `[channels, height, width]`.
    pub fn shape(&self) -> [usize; 3] {
        self.dataset.shape()
    }

    /// The names of the view's classes; a label is a position in this list.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Number of classes, those without an image included.
    pub fn num_classes(&self) -> usize {
        self.classes.len()
    }

    /// For each position, the index of its image in the data set.
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// For each position, its label.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The pixels at a position, `[channel, row, column]` row-major.
    ///
    /// # Panics
    ///
    /// If `position` is not below [`len`](Self::len).
    pub fn image(&self, position: usize) -> &[u8] {
        self.dataset.image(self.indices[position] as usize)
    }

    /// The label at a position, below [`num_classes`](Self::num_classes).
    ///
    /// # Panics
    ///
    /// If `position` is not below [`len`](Self::len).
    pub fn label(&self, position: usize) -> u16 {
        self.labels[position]
    }

    /// Number of images of each class.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.num_classes()];
        for &label in self.labels.iter() {
            counts[usize::from(label)] += 1;
        }
        counts
    }

    /// The images of the subset's classes, in their order, relabelled 0, 1, 2, … in the order of
    /// the subset's list. The subset names labels of this view.
    ///
    /// # Errors
    ///
    /// If the subset names a label that this view does not have.
    pub fn select(&self, subset: &ClassSubset) -> Result<Self, DataError> {
        let mut relabelled = vec![None; self.num_classes()];
        let mut classes = Vec::with_capacity(subset.labels().len());
        for (new, &old) in subset.labels().iter().enumerate() {
            let name = self.classes.get(usize::from(old)).ok_or_else(|| Repr::UnknownLabel {
                name: subset.name().to_owned(),
                classes: self.num_classes(),
                found: old,
            })?;
            classes.push(name.clone());
            // A subset lists each `u16` at most once, so that `new` is one too.
            relabelled[usize::from(old)] = Some(new as u16);
        }
        let (indices, labels): (Vec<_>, Vec<_>) = self
            .indices
            .iter()
            .zip(self.labels.iter())
            .filter_map(|(&index, &old)| Some((index, relabelled[usize::from(old)]?)))
            .unzip();
        Ok(Self {
            dataset: self.dataset.clone(),
            indices: indices.into(),
            labels: labels.into(),
            classes: classes.into(),
        })
    }

    /// The images at consecutive positions.
    ///
    /// # Errors
    ///
    /// If the range goes backwards or beyond the view.
    pub fn range(&self, range: Range<usize>) -> Result<Self, DataError> {
        match (self.indices.get(range.clone()), self.labels.get(range.clone())) {
            (Some(indices), Some(labels)) => Ok(Self {
                dataset: self.dataset.clone(),
                indices: indices.into(),
                labels: labels.into(),
                classes: self.classes.clone(),
            }),
            _ => Err(Repr::Range { len: self.len(), found: range }.into()),
        }
    }

    /// The images at the given positions, in the given order; a position may come again.
    ///
    /// # Errors
    ///
    /// If a position is beyond the view.
    pub fn take(&self, positions: &[usize]) -> Result<Self, DataError> {
        self.check_positions(positions)?;
        Ok(self.at(positions.iter().copied()))
    }

    /// A fraction of the images, drawn at random within each class, so that the classes keep their
    /// shares.
    ///
    /// - It has `fraction · len()` images, rounded to the nearest whole number (half away from
    ///   zero): 5 % of 24,975 is 1,249. But it has at least one of each class that has images.
    /// - Each class's number is proportional to its size, rounded by the method of Webster and
    ///   Sainte-Laguë: within one image of the exact share for classes of about equal size.
    ///   (Rounding by largest remainders could take an image away from a class as the fraction
    ///   grows, and the fractions would not be nested.)
    /// - **Nested**: for one seed, a smaller fraction is a part of every larger one.
    /// - The images keep the view's order; a fraction of 1 is the view itself.
    ///
    /// # Errors
    ///
    /// If the fraction is not above 0 and at most 1, or the view has no images.
    pub fn stratified_fraction(&self, fraction: f64, seed: u64) -> Result<Self, DataError> {
        // Also refuses NaN, which compares as false.
        if !(fraction > 0.0 && fraction <= 1.0) {
            return Err(Repr::Fraction {
                what: "fraction of the images",
                expected: "a number above 0 and at most 1",
                found: fraction,
            }
            .into());
        }
        if self.is_empty() {
            return Err(Repr::NoImages { what: "fraction of the images" }.into());
        }
        let count = (fraction * self.len() as f64).round() as usize;
        let chosen = fraction::chosen(self.labels(), self.num_classes(), count, seed);
        Ok(self.at((0..self.len()).filter(|&position| chosen[position])))
    }

    /// The mean and the standard deviation (of the population) of each channel's pixels, both on
    /// the scale on which a pixel of 255 is 1. Computed exactly from integer sums, hence the same
    /// everywhere. Both are 0 for a view without images.
    pub fn mean_std(&self) -> (Vec<f32>, Vec<f32>) {
        let [channels, height, width] = self.shape();
        let mut sums = vec![(0u64, 0u64); channels];
        for position in 0..self.len() {
            let planes = self.image(position).chunks_exact(height * width);
            for ((sum, squares), plane) in sums.iter_mut().zip(planes) {
                // 2^16 squares of a byte fit 32 bits, in which the compiler vectorises best.
                for pixels in plane.chunks(1 << 16) {
                    *sum += u64::from(pixels.iter().map(|&p| u32::from(p)).sum::<u32>());
                    *squares += u64::from(pixels.iter().map(|&p| u32::from(p).pow(2)).sum::<u32>());
                }
            }
        }
        let count = (self.len() * height * width).max(1) as f64;
        sums.into_iter()
            .map(|(sum, squares)| {
                let mean = sum as f64 / count;
                let variance = (squares as f64 / count - mean * mean).max(0.0);
                ((mean / 255.0) as f32, (variance.sqrt() / 255.0) as f32)
            })
            .unzip()
    }

    pub(crate) fn check_positions(&self, positions: &[usize]) -> Result<(), DataError> {
        match positions.iter().find(|&&p| p >= self.len()) {
            Some(&found) => Err(Repr::Position { len: self.len(), found }.into()),
            None => Ok(()),
        }
    }

    /// The images of both, in the order of their data set; `None` if that is not one. Their classes are the same.
    pub(crate) fn merged(&self, other: &View) -> Option<Self> {
        if !self.dataset.is(&other.dataset) {
            return None;
        }
        let both = [self, other].into_iter();
        let both =
            both.flat_map(|view| view.indices.iter().copied().zip(view.labels.iter().copied()));
        let mut both: Vec<(u32, u16)> = both.collect();
        both.sort_by_key(|(index, _)| *index);
        let (indices, labels): (Vec<_>, Vec<_>) = both.into_iter().unzip();
        Some(Self { indices: indices.into(), labels: labels.into(), ..self.clone() })
    }

    /// The images at positions known to be in the view.
    pub(crate) fn at(&self, positions: impl Iterator<Item = usize>) -> Self {
        let (indices, labels): (Vec<_>, Vec<_>) =
            positions.map(|p| (self.indices[p], self.labels[p])).unzip();
        Self {
            dataset: self.dataset.clone(),
            indices: indices.into(),
            labels: labels.into(),
            classes: self.classes.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_data::synthetic;

    #[test]
    fn a_view_copies_no_image() {
        let data = synthetic(&[3, 4, 5]);
        let part = data
            .view()
            .select(&ClassSubset::new("s", [2, 1]).unwrap())
            .unwrap()
            .range(2..5)
            .unwrap();
        let first = part.indices()[0] as usize;
        assert_eq!(part.image(0).as_ptr(), data.image(first).as_ptr());
    }

    #[test]
    fn a_subset_of_a_subset_names_the_first_ones_labels() {
        let data = synthetic(&[2, 2, 2, 2]);
        let outer = ClassSubset::new("outer", [3, 1, 0]).unwrap();
        let inner = ClassSubset::new("inner", [2, 0]).unwrap();
        let view = data.view().select(&outer).unwrap().select(&inner).unwrap();
        assert_eq!(view.classes(), ["class 0", "class 3"]);
        assert_eq!(view.class_counts(), [2, 2]);
        for position in 0..view.len() {
            let original = data.label(view.indices()[position] as usize);
            assert_eq!([0, 3][usize::from(view.label(position))], original);
        }
    }

    #[test]
    fn labels_ranges_and_positions_outside_the_view_are_refused() {
        let view = synthetic(&[2, 2]).view();
        let message = |r: Result<View, DataError>| r.unwrap_err().to_string();
        assert_eq!(
            message(view.select(&ClassSubset::fm1())),
            "class subset FM-1: expected labels less than 2, found 4"
        );
        assert_eq!(
            message(view.range(2..5)),
            "image range: expected a range within 0..4, found 2..5"
        );
        #[expect(clippy::reversed_empty_ranges, reason = "the mistake to be refused")]
        let backwards = view.range(3..1);
        assert!(message(backwards).ends_with("within 0..4, found 3..1"));
        assert_eq!(message(view.take(&[0, 4])), "image position: expected less than 4, found 4");
    }

    #[test]
    fn mean_and_deviation_are_those_of_each_channel() {
        // Channel 0: 0 255 255 0, mean 1/2, deviation 1/2. Channel 1: all 51, mean 1/5, none.
        let pixels = vec![0, 255, 51, 51, 255, 0, 51, 51];
        let data = ImageDataset::new("t", pixels, [2, 1, 2], vec![0, 0], vec!["c".into()]).unwrap();
        let (mean, std) = data.view().mean_std();
        assert_eq!(mean, [0.5, 0.2]);
        assert_eq!(std, [0.5, 0.0]);
        let none = data.view().range(0..0).unwrap().mean_std();
        assert_eq!(none, (vec![0.0, 0.0], vec![0.0, 0.0]));
    }
}
