//! Arguments for random changes of the training images.

use std::path::PathBuf;

use selvedge_data::{DataError, Mix, Transforms};
use selvedge_train::FitData;

use crate::Error;

/// How training images are changed at random, anew in every epoch.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct AugmentationArgs {
    /// Changes of each training image: a file of JSON such as [{"name": "random_horizontal_flip"}];
    /// docs/transforms.md lists them
    #[arg(long, value_name = "FILE.json")]
    pub transforms: Option<PathBuf>,
    /// Trains on weighted means of two images; the weights are of a Beta distribution with this parameter
    #[arg(long, allow_negative_numbers = true, value_name = "ALPHA", value_parser = alpha)]
    pub mixup_alpha: Option<f64>,
    /// Trains on images with a rectangle of another; its area is of a Beta distribution with this parameter. With
    /// both, each batch is mixed in one of the two ways
    #[arg(long, allow_negative_numbers = true, value_name = "ALPHA", value_parser = alpha)]
    pub cutmix_alpha: Option<f64>,
}

/// The parameter of a Beta distribution, in the range that [`Mix::check`] takes.
fn alpha(text: &str) -> Result<f64, &'static str> {
    let alpha = text.parse().ok().filter(|&alpha| Mix::Mixup { alpha }.check().is_ok());
    alpha.ok_or("expected a number above 0 and at most 1000")
}

impl AugmentationArgs {
    /// Refuses what cannot be done to images of `shape`, `[channels, height, width]`, before any is read.
    ///
    /// # Errors
    ///
    /// As [`of`](Self::of).
    pub fn check(&self, shape: [usize; 3]) -> Result<(), Error> {
        self.read_transforms(shape).map(drop)
    }

    /// The transforms of the file, which fit images of `shape`; none without a file.
    fn read_transforms(&self, shape: [usize; 3]) -> Result<Option<Transforms>, Error> {
        let Some(path) = &self.transforms else { return Ok(None) };
        let text = std::fs::read_to_string(path)
            .map_err(|error| DataError::in_file(path.clone(), error))?;
        let named = |error: DataError| DataError::in_file(path.clone(), error);
        let transforms = Transforms::from_json(&text).map_err(named)?;
        transforms.output_shape(shape).map_err(named)?;
        Ok(Some(transforms))
    }

    /// The same images, changed as was asked for.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if the file cannot be read, is not JSON of transforms, or they do not fit the images.
    pub fn of(&self, data: FitData) -> Result<FitData, Error> {
        let data = match self.read_transforms(data.train.shape())? {
            None => data,
            Some(transforms) => data.with_transforms(transforms),
        };
        Ok(match (self.mixup_alpha, self.cutmix_alpha) {
            (None, None) => data,
            (Some(alpha), None) => data.with_mix(Mix::Mixup { alpha }),
            (None, Some(alpha)) => data.with_mix(Mix::Cutmix { alpha }),
            (Some(mixup_alpha), Some(cutmix_alpha)) => {
                data.with_mix(Mix::Either { mixup_alpha, cutmix_alpha })
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use selvedge_data::ImageDataset;

    use super::*;

    fn data() -> FitData {
        let classes = vec!["a".to_owned(), "b".to_owned()];
        let pixels = (0..40).collect();
        let images = ImageDataset::new("t", pixels, [1, 2, 2], [0, 1].repeat(5), classes).unwrap();
        FitData::from(&images.view().split_stratified(0.8, 0).unwrap())
    }

    #[test]
    fn transforms_come_from_a_file_which_is_named_where_it_is_wrong() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let arguments =
            AugmentationArgs { transforms: Some(file.path().into()), ..Default::default() };
        std::fs::write(file.path(), r#"[{"name": "random_horizontal_flip"}]"#).unwrap();
        assert!(!arguments.of(data()).unwrap().transforms.is_empty());
        for wrong in
            ["[{", r#"[{"name": "mirror"}]"#, r#"[{"name": "random_crop", "size": [3, 3]}]"#]
        {
            std::fs::write(file.path(), wrong).unwrap();
            let error = arguments.of(data()).unwrap_err().to_string();
            assert_eq!(arguments.check([1, 2, 2]).unwrap_err().to_string(), error);
            assert!(error.starts_with(&file.path().display().to_string()), "{error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }

    #[test]
    fn two_ways_of_mixing_take_turns() {
        let arguments = |mixup_alpha, cutmix_alpha| AugmentationArgs {
            mixup_alpha,
            cutmix_alpha,
            ..Default::default()
        };
        let mix = |mixup, cutmix| arguments(mixup, cutmix).of(data()).unwrap().mix;
        assert_eq!(mix(None, None), None);
        assert_eq!(mix(Some(0.2), None), Some(Mix::Mixup { alpha: 0.2 }));
        assert_eq!(mix(None, Some(1.0)), Some(Mix::Cutmix { alpha: 1.0 }));
        let either = Mix::Either { mixup_alpha: 0.2, cutmix_alpha: 1.0 };
        assert_eq!(mix(Some(0.2), Some(1.0)), Some(either));
    }
}
