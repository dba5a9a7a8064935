use crate::dataset::shared_positions;
use crate::error::Repr;
use crate::{ClassSubset, DataError, View, fraction};

/// Training, validation and test images of one task, no image in two of them: nothing is evaluated on
/// what it was trained on.
///
/// Made by the methods of [`Dataset`](crate::Dataset) and [`View`] whose names begin with `split`, or
/// of any parts by [`Split::new`].
///
/// ```no_run
/// use selvedge_data::published::FASHION_MNIST;
/// use selvedge_data::{ClassSubset, Source};
///
/// let split = FASHION_MNIST.load(&Source::default())?.split_official()?;
/// let fm1 = split.select(&ClassSubset::fm1())?;
/// assert_eq!(fm1.train.len(), 24_975);
/// assert_eq!(fm1.validation.len(), 5_025);
/// assert_eq!(fm1.test()?.len(), 5_000);
/// # Ok::<(), selvedge_data::DataError>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Split {
    /// The images to learn from.
    pub train: View,
    /// The images that choose between models and epochs.
    pub validation: View,
    /// The images that judge the chosen model, if any.
    pub test: Option<View>,
}

impl Split {
    /// A split of these parts. Those of one data set are compared by the places of their images there, those of
    /// different ones by pixels: a copy of an image is the same image, whatever its label.
    ///
    /// # Errors
    ///
    /// If two parts have an image in common, other classes or another shape.
    pub fn new(train: View, validation: View, test: Option<View>) -> Result<Self, DataError> {
        let split = Self::with_shared_images(train, validation, test)?;
        for (a, b, parts) in split.pairs() {
            if let Some(index) = common_pixels(a, b) {
                let name = b.dataset().name().to_owned();
                return Err(Repr::SharedPixels { parts, name, index }.into());
            }
        }
        Ok(split)
    }

    /// As [`new`](Self::new), but copies of an image may be in several parts, as they are in many a published data
    /// set: images of different data sets are not compared.
    ///
    /// # Errors
    ///
    /// If two parts have an image of one data set in common, other classes or another shape.
    pub fn with_shared_images(
        train: View,
        validation: View,
        test: Option<View>,
    ) -> Result<Self, DataError> {
        let split = Self { train, validation, test };
        for (a, b, parts) in split.pairs() {
            same_form(a, b, parts)?;
            if let Some(index) = common_image(a, b) {
                let name = a.dataset().name().to_owned();
                return Err(Repr::SharedImage { parts, name, index }.into());
            }
        }
        Ok(split)
    }

    /// Each two parts, and what they are called together.
    fn pairs(&self) -> Vec<(&View, &View, &'static str)> {
        let Self { train, validation, .. } = self;
        let mut pairs = vec![(train, validation, "training and validation images")];
        if let Some(test) = &self.test {
            pairs.push((train, test, "training and test images"));
            pairs.push((validation, test, "validation and test images"));
        }
        pairs
    }

    /// The test images.
    ///
    /// # Errors
    ///
    /// If there are none.
    pub fn test(&self) -> Result<&View, DataError> {
        self.test.as_ref().ok_or_else(|| Repr::NoTestImages.into())
    }

    /// The names of the classes; a label is a position in this list.
    pub fn classes(&self) -> &[String] {
        self.train.classes()
    }

    /// The shape of one image: `[channels, height, width]`.
    pub fn shape(&self) -> [usize; 3] {
        self.train.shape()
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
            test: self.test.as_ref().map(|test| test.select(subset)).transpose()?,
        })
    }
}

/// Keeps the choice of validation images apart from that of test images ("validation").
const VALIDATION: u64 = 0x7661_6C69_6461_7465;

impl View {
    /// The first `train_count` images train and the others validate.
    ///
    /// # Errors
    ///
    /// If there are fewer images, or one comes twice and is in both parts.
    pub fn split_at(&self, train_count: usize) -> Result<Split, DataError> {
        // Also where there are fewer images, for its message.
        let train = self.range(0..train_count)?;
        Split::new(train, self.range(train_count..self.len())?, None)
    }

    /// A random fraction of the images trains and the others validate, of each class the same share (see
    /// [`stratified_fraction`](Self::stratified_fraction)). Both keep the view's order.
    ///
    /// # Errors
    ///
    /// If the fraction is not above 0 and below 1, if it leaves no image to train on, or none of a class
    /// (the images that validate are at least one of each class), or if an image comes twice and is in
    /// both parts.
    pub fn split_stratified(&self, train_fraction: f64, seed: u64) -> Result<Split, DataError> {
        check_fraction("training fraction", train_fraction)?;
        if self.is_empty() {
            return Err(Repr::NoImages { what: "stratified split" }.into());
        }
        let (validation, train) = self.draw(1.0 - train_fraction, seed);
        if train.is_empty() {
            return Err(Repr::NoImages { what: "training part of the stratified split" }.into());
        }
        self.check_trained(&train)?;
        Split::new(train, validation, None)
    }

    /// Random fractions of the images train, validate and test, in this order and 1 in all, such as
    /// `[0.8, 0.1, 0.1]`; of each class the same shares. All keep the view's order. The test images
    /// depend on their own fraction and the seed alone.
    ///
    /// # Errors
    ///
    /// If a fraction is not above 0 and below 1, if they are not 1 in all, if there are too few images
    /// for one in each part, or none of a class is left to train on, or if an image comes twice and is in
    /// two parts.
    pub fn split_stratified_three(
        &self,
        fractions: [f64; 3],
        seed: u64,
    ) -> Result<Split, DataError> {
        let names = ["training fraction", "validation fraction", "test fraction"];
        for (what, fraction) in names.into_iter().zip(fractions) {
            check_fraction(what, fraction)?;
        }
        let sum: f64 = fractions.iter().sum();
        if (sum - 1.0).abs() > 1e-9 {
            return Err(Repr::FractionSum { found: sum }.into());
        }
        let [_, validation, test] = fractions;
        if self.is_empty() {
            return Err(Repr::NoImages { what: "stratified split" }.into());
        }
        let (test, others) = self.draw(test, seed);
        // Of the images that are left, those that are the fraction of all.
        let share = validation * self.len() as f64 / (others.len() as f64).max(1.0);
        let (validation, train) = others.draw(share, seed ^ VALIDATION);
        for (part, what) in [
            (&train, "training part of the stratified split"),
            (&validation, "validation part of the stratified split"),
        ] {
            if part.is_empty() {
                return Err(Repr::NoImages { what }.into());
            }
        }
        self.check_trained(&train)?;
        Split::new(train, validation, Some(test))
    }

    /// Refuses a part to train on that has no image of a class of which this view has one.
    fn check_trained(&self, train: &View) -> Result<(), DataError> {
        let counts = self.class_counts().into_iter().zip(train.class_counts());
        match counts.enumerate().find(|(_, (all, trained))| *all > 0 && *trained == 0) {
            Some((class, _)) => {
                let name = self.classes()[class].clone();
                Err(Repr::UntrainedClass { name }.into())
            }
            None => Ok(()),
        }
    }

    /// A stratified fraction of the images, rounded to the nearest whole number of them, and the others.
    pub(crate) fn draw(&self, fraction: f64, seed: u64) -> (View, View) {
        let len = self.len() as f64;
        // 1 − 0.9 is a little less than 0.1; without the addition, half an image would be rounded down.
        let count = (fraction * len + f64::EPSILON * len).round() as usize;
        let chosen = fraction::chosen(self.labels(), self.num_classes(), count, seed);
        let part = |taken| self.at((0..self.len()).filter(|&p| chosen[p] == taken));
        (part(true), part(false))
    }
}

pub(crate) fn check_fraction(what: &'static str, found: f64) -> Result<(), DataError> {
    // Also refuses NaN, which compares as false.
    if found > 0.0 && found < 1.0 {
        return Ok(());
    }
    Err(Repr::Fraction { what, expected: "a number above 0 and below 1", found }.into())
}

/// Refuses images of other classes or of another shape.
pub(crate) fn same_form(a: &View, b: &View, parts: &'static str) -> Result<(), DataError> {
    let what = if a.classes() != b.classes() {
        "classes"
    } else if a.shape() != b.shape() {
        "shape"
    } else {
        return Ok(());
    };
    Err(Repr::SplitMismatch { parts, what }.into())
}

/// An image of one data set that is in both views.
fn common_image(a: &View, b: &View) -> Option<u32> {
    if !a.dataset().is(b.dataset()) {
        return None;
    }
    let mut there = vec![false; a.dataset().len()];
    for &index in a.indices() {
        there[index as usize] = true;
    }
    b.indices().iter().copied().find(|&index| there[index as usize])
}

/// The first image of `b`, by its index in its data set, whose pixels are those of an image of `a` in another one.
/// (Within one data set two images may be alike.)
fn common_pixels(a: &View, b: &View) -> Option<u32> {
    if a.dataset().is(b.dataset()) {
        return None;
    }
    shared_positions(a, b).first().map(|&position| b.indices()[position])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_data::synthetic;

    fn message(result: Result<Split, DataError>) -> String {
        result.unwrap_err().to_string()
    }

    fn sorted(parts: &[&View]) -> Vec<u32> {
        let mut all: Vec<u32> = parts.iter().flat_map(|part| part.indices()).copied().collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn stratified_parts_share_no_image_and_miss_none() {
        let view = synthetic(&[100, 50, 30]).view();
        let split = view.split_stratified(0.9, 3).unwrap();
        assert_eq!(split.validation.class_counts(), [10, 5, 3]);
        assert_eq!(split.train.class_counts(), [90, 45, 27]);
        assert_eq!(sorted(&[&split.train, &split.validation]), view.indices());
    }

    // Expected: the fraction of View::stratified_fraction by the same seed, as ever.
    #[test]
    fn the_validation_part_is_the_stratified_fraction_of_its_seed() {
        // 0.1 of 15 images is 1.5, rounded to 2, although 1 - 0.9 is below 0.1.
        for (sizes, train, validation) in
            [(&[100, 50, 30][..], 0.75, 0.25), (&[15], 0.9, 0.1), (&[7, 18], 0.7, 0.3)]
        {
            let view = synthetic(sizes).view();
            let split = view.split_stratified(train, 5).unwrap();
            let expected = view.stratified_fraction(validation, 5).unwrap();
            assert_eq!(split.validation.indices(), expected.indices());
        }
    }

    #[test]
    fn three_parts_have_their_shares_of_each_class_and_share_no_image() {
        let view = synthetic(&[100, 50, 30]).view();
        let split = view.split_stratified_three([0.8, 0.1, 0.1], 3).unwrap();
        let test = split.test().unwrap();
        assert_eq!(split.train.class_counts(), [80, 40, 24]);
        assert_eq!(split.validation.class_counts(), [10, 5, 3]);
        assert_eq!(test.class_counts(), [10, 5, 3]);
        assert_eq!(sorted(&[&split.train, &split.validation, test]), view.indices());
        let other = view.split_stratified_three([0.7, 0.2, 0.1], 3).unwrap();
        assert_eq!(other.test().unwrap().indices(), test.indices());
        let seed = view.split_stratified_three([0.8, 0.1, 0.1], 4).unwrap();
        assert_ne!(seed.test().unwrap().indices(), test.indices());
        assert_ne!(seed.validation.indices(), split.validation.indices());
    }

    #[test]
    fn an_image_in_two_parts_is_refused_by_its_index() {
        let view = synthetic(&[10]).view();
        let range = |range| view.range(range).unwrap();
        assert_eq!(
            message(Split::new(range(0..6), range(5..8), None)),
            "split: expected training and validation images without common images, found image 5 of synthetic in both"
        );
        assert!(
            message(Split::new(range(0..5), range(5..8), Some(range(4..5))))
                .starts_with("split: expected training and test images without")
        );
        assert!(
            message(Split::new(range(0..5), range(5..8), Some(range(7..9))))
                .starts_with("split: expected validation and test images without")
        );
        assert!(Split::new(range(0..5), range(5..8), Some(range(8..10))).is_ok());
        // An image that a view holds twice.
        let twice = view.take(&[0, 1, 2, 0]).unwrap();
        assert!(message(twice.split_at(3)).contains("found image 0 of synthetic"));
    }

    #[test]
    fn a_copy_of_an_image_in_another_part_is_refused_unless_it_is_meant() {
        let (a, b) = (synthetic(&[9]), synthetic(&[9]));
        // Both have the same pixels: the third image of one is the third of the other.
        let (train, test) = (a.view().range(2..3).unwrap(), b.view().range(1..5).unwrap());
        let validation = a.view().range(6..8).unwrap();
        let parts = || (train.clone(), validation.clone(), Some(test.clone()));
        let (x, y, z) = parts();
        assert_eq!(
            message(Split::new(x, y, z)),
            "split: expected training and test images without common images, found image 2 of synthetic in both, by its pixels (Split::with_shared_images takes them all the same)"
        );
        let (x, y, z) = parts();
        assert_eq!(Split::with_shared_images(x, y, z).unwrap().test().unwrap().len(), 4);
        let apart = b.view().range(3..5).unwrap();
        assert!(Split::new(train.clone(), validation.clone(), Some(apart)).is_ok());
    }

    #[test]
    fn a_selection_keeps_all_parts_also_without_test_images() {
        let subset = ClassSubset::new("s", [1]).unwrap();
        let split = synthetic(&[6, 4]).view().split_stratified(0.5, 1).unwrap();
        let selected = split.select(&subset).unwrap();
        assert_eq!((selected.train.len(), selected.validation.len()), (2, 2));
        assert!(selected.test.is_none());
        assert_eq!(selected.classes(), ["class 1"]);
    }

    #[test]
    fn impossible_splits_are_refused() {
        let view = synthetic(&[4]).view();
        assert_eq!(
            message(view.split_at(5)),
            "image range: expected a range within 0..4, found 0..5"
        );
        assert_eq!(
            message(Split::new(view.clone(), synthetic(&[4, 4]).view(), None)),
            "split: expected training and validation images of the same classes, found different ones"
        );
        for fraction in [0.0, 1.0, -0.5, f64::NAN] {
            assert_eq!(
                message(view.split_stratified(fraction, 0)),
                format!(
                    "training fraction: expected a number above 0 and below 1, found {fraction}"
                )
            );
        }
        let single = view.range(0..1).unwrap();
        assert_eq!(
            message(single.split_stratified(0.5, 0)),
            "training part of the stratified split: expected at least 1 image, found none"
        );
        let none = view.range(0..0).unwrap();
        let expected = "stratified split: expected at least 1 image, found none";
        assert_eq!(message(none.split_stratified(0.5, 0)), expected);
        assert_eq!(message(none.split_stratified_three([0.5, 0.25, 0.25], 0)), expected);
        assert_eq!(
            message(view.split_stratified_three([0.5, 0.25, 0.5], 0)),
            "fractions of the split: expected a sum of 1, found 1.25"
        );
        assert!(
            message(view.split_stratified_three([0.5, 0.5, 0.0], 0)).starts_with("test fraction: ")
        );
        for images in 1..3 {
            let few = view.range(0..images).unwrap();
            let error = message(few.split_stratified_three([0.4, 0.3, 0.3], 0));
            assert!(error.contains("part of the stratified split"), "{error}");
        }
    }
}
