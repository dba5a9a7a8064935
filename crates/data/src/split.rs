use crate::{ClassSubset, DataError, ImageDataset, View};

/// Training, validation and test images of one task.
///
/// ```no_run
/// use selvedge_data::{ClassSubset, FashionMnist, Source, Split};
///
/// let data = FashionMnist::load(&Source::default())?;
/// let fm1 = Split::official(&data.train, &data.test)?.select(&ClassSubset::fm1())?;
/// assert_eq!(fm1.train.len(), 24_975);
/// assert_eq!(fm1.validation.len(), 5_025);
/// assert_eq!(fm1.test.len(), 5_000);
/// # Ok::<(), selvedge_data::DataError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Split {
    /// The images to learn from.
    pub train: View,
    /// The images that choose between models and epochs.
    pub validation: View,
    /// The images that judge the chosen model.
    pub test: View,
}

impl Split {
    /// Training images that the official split divides.
    const OFFICIAL: usize = 60_000;
    /// Test images of the official split.
    const OFFICIAL_TEST: usize = 10_000;

    /// The first 50,000 of the 60,000 training images train, the last 10,000 validate, and the
    /// test images test.
    ///
    /// # Errors
    ///
    /// If there are not 60,000 training and 10,000 test images, or the test images have other classes or another
    /// shape.
    pub fn official(train: &ImageDataset, test: &ImageDataset) -> Result<Self, DataError> {
        for (images, expected) in [(train, Self::OFFICIAL), (test, Self::OFFICIAL_TEST)] {
            if images.len() != expected {
                let (name, found) = (images.name().to_owned(), images.len());
                return Err(DataError::OfficialSplit { name, expected, found });
            }
        }
        Self::at(&train.view(), &test.view(), 50_000)
    }

    /// The first `train_count` images train and the others validate.
    ///
    /// # Errors
    ///
    /// If there are fewer images, or the test images have other classes or another shape.
    pub fn at(view: &View, test: &View, train_count: usize) -> Result<Self, DataError> {
        Self::check(view, test)?;
        Ok(Self {
            train: view.range(0..train_count)?,
            validation: view.range(train_count..view.len())?,
            test: test.clone(),
        })
    }

    /// A random fraction of the images validates, of each class the same share (see
    /// [`View::stratified_fraction`]); the others train. Both keep the view's order.
    ///
    /// # Errors
    ///
    /// If the fraction is not above 0 and below 1, if it leaves no image to train on, or if the
    /// test images have other classes or another shape.
    pub fn stratified(
        view: &View,
        test: &View,
        validation_fraction: f64,
        seed: u64,
    ) -> Result<Self, DataError> {
        Self::check(view, test)?;
        // Also refuses NaN, which compares as false.
        if !(validation_fraction > 0.0 && validation_fraction < 1.0) {
            return Err(DataError::Fraction {
                what: "validation fraction",
                expected: "a number above 0 and below 1",
                found: validation_fraction,
            });
        }
        if view.is_empty() {
            return Err(DataError::NoImages { what: "stratified split" });
        }
        let validates = crate::fraction::chosen(view, validation_fraction, seed);
        let part = |validation| view.at((0..view.len()).filter(|&p| validates[p] == validation));
        let train = part(false);
        if train.is_empty() {
            return Err(DataError::NoImages { what: "training part of the stratified split" });
        }
        Ok(Self { train, validation: part(true), test: test.clone() })
    }

    /// The images of the subset's classes in each part, relabelled (see [`View::select`]).
    ///
    /// # Errors
    ///
    /// If the subset names a label that the split does not have.
    pub fn select(&self, subset: &ClassSubset) -> Result<Self, DataError> {
        Ok(Self {
            train: self.train.select(subset)?,
            validation: self.validation.select(subset)?,
            test: self.test.select(subset)?,
        })
    }

    fn check(view: &View, test: &View) -> Result<(), DataError> {
        let what = if view.classes() != test.classes() {
            "classes"
        } else if view.shape() != test.shape() {
            "shape"
        } else {
            return Ok(());
        };
        Err(DataError::SplitMismatch { what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_data::synthetic;

    #[test]
    fn stratified_parts_share_no_image_and_miss_none() {
        let (data, test) = (synthetic(&[100, 50, 30]), synthetic(&[1, 1, 1]));
        let split = Split::stratified(&data.view(), &test.view(), 0.1, 3).unwrap();
        assert_eq!(split.validation.class_counts(), [10, 5, 3]);
        assert_eq!(split.train.class_counts(), [90, 45, 27]);
        let mut all = [split.train.indices(), split.validation.indices()].concat();
        all.sort_unstable();
        assert_eq!(all, data.view().indices());
    }

    #[test]
    fn impossible_splits_are_refused() {
        let (data, other) = (synthetic(&[4]), synthetic(&[4, 4]));
        let (view, test) = (data.view(), data.view());
        let message = |r: Result<Split, DataError>| r.unwrap_err().to_string();
        assert_eq!(
            message(Split::official(&data, &data)),
            "official split of synthetic: expected 60000 training images, found 4"
        );
        assert_eq!(
            message(Split::at(&view, &test, 5)),
            "image range: expected a range within 0..4, found 0..5"
        );
        assert_eq!(
            message(Split::at(&view, &other.view(), 2)),
            "split: expected training and test images of the same classes, found different ones"
        );
        assert_eq!(
            message(Split::stratified(&view, &test, 1.0, 0)),
            "validation fraction: expected a number above 0 and below 1, found 1"
        );
        let single = view.range(0..1).unwrap();
        assert_eq!(
            message(Split::stratified(&single, &test, 0.5, 0)),
            "training part of the stratified split: expected at least 1 image, found none"
        );
    }
}
