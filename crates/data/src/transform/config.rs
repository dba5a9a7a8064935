//! Transforms as settings: read from and written as JSON, TOML or whatever serde knows.

use std::any::Any;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Error, Serialize, Serializer};

use super::*;

macro_rules! named {
    ($($(#[$when:meta])? $transform:ident),* $(,)?) => {
        /// A transform of this crate with its name.
        #[derive(serde::Serialize, serde::Deserialize)]
        #[serde(tag = "name", rename_all = "snake_case")]
        enum Named {
            $($(#[$when])? $transform($transform)),*
        }

        impl Named {
            /// `None` for a program's own transform.
            fn of(transform: &dyn Transform) -> Option<Self> {
                let any: &dyn Any = transform;
                $(
                    $(#[$when])?
                    if let Some(transform) = any.downcast_ref::<$transform>() {
                        return Some(Self::$transform(*transform));
                    }
                )*
                None
            }

            fn shared(self) -> Arc<dyn Transform> {
                match self {
                    $($(#[$when])? Self::$transform(transform) => Arc::new(transform)),*
                }
            }
        }
    };
}

named!(
    RandomHorizontalFlip,
    RandomVerticalFlip,
    AlternatingFlip,
    RandomCrop,
    Shift,
    RandomShift,
    Affine,
    RandomAffine,
    RandomRotation,
    Resize,
    CenterCrop,
    RandomResizedCrop,
    ColorOp,
    ColorJitter,
    Grayscale,
    GrayToRgb,
    UniformNoise,
    GaussianNoise,
    GaussianBlur,
    Cutout,
    RandomErasing,
    RandAugment,
    TrivialAugmentWide,
    #[cfg(feature = "images")]
    Jpeg,
);

impl Serialize for Transforms {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let named = self.steps().iter().map(|step| {
            Named::of(&**step)
                .ok_or_else(|| S::Error::custom(format!("{step:?} has no name to be written by")))
        });
        named.collect::<Result<Vec<_>, _>>()?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Transforms {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let named = Vec::<Named>::deserialize(deserializer)?;
        Ok(Self::of(named.into_iter().map(Named::shared).collect()))
    }
}

/// What a reader or writer says, on one line of bounded length.
fn wrong(error: impl Display) -> DataError {
    let text: String =
        error.to_string().chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect();
    DataError::invalid(match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("transforms: {}…", &text[..end]),
        None => format!("transforms: {text}"),
    })
}

/// Characters of a message: enough for all names of transforms.
const MOST: usize = 800;

impl Transforms {
    /// Reads transforms from JSON: a list of objects, each with the `name` of a transform of this crate in
    /// snake case and its settings.
    ///
    /// ```
    /// use selvedge_data::Transforms;
    ///
    /// let augmentation = Transforms::from_json(
    ///     r#"[{"name": "random_crop", "size": [32, 32], "padding": 4, "padding_mode": "reflect"},
    ///         {"name": "random_horizontal_flip"},
    ///         {"name": "color_op", "op": "posterize", "bits": 4}]"#,
    /// )?;
    /// assert_eq!(augmentation.output_shape([3, 32, 32])?, [3, 32, 32]);
    /// # Ok::<(), selvedge_data::DataError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If it is no such list, or there is no such transform or setting. Whether a setting is in its range is
    /// looked at with the images, by [`output_shape`](Self::output_shape).
    pub fn from_json(text: &str) -> Result<Self, DataError> {
        serde_json::from_str(text).map_err(wrong)
    }

    /// Writes the transforms as JSON, which [`from_json`](Self::from_json) reads.
    ///
    /// # Errors
    ///
    /// If one of them is a program's own, or has a setting that is not a finite number.
    pub fn to_json(&self) -> Result<String, DataError> {
        serde_json::to_string(self).map_err(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each, with settings other than the usual ones.
    fn all() -> Transforms {
        Transforms::new()
            .with(RandomHorizontalFlip { p: 0.25 })
            .with(RandomVerticalFlip::default())
            .with(AlternatingFlip {})
            .with(RandomCrop::new([30, 30], 2).reflected())
            .with(Shift { padding_mode: PaddingMode::Edge, ..Shift::new(-1, 2) })
            .with(RandomShift::new(2).reflected())
            .with(Affine { angle: 12.5, center: Some([0.0, 1.0]), ..Affine::default() })
            .with(RandomAffine { shear_y: [-2.0, 3.0], ..RandomAffine::new(5.0) })
            .with(RandomRotation::new(15.0).bilinear())
            .with(Resize::shorter(20).bicubic())
            .with(Resize::exactly([18, 19]))
            .with(CenterCrop::new([16, 17]))
            .with(RandomResizedCrop { scale: [0.5, 0.75], ..RandomResizedCrop::new([8, 8]) })
            .with(GrayToRgb {})
            .with(ColorOp::Hue { factor: -0.25 })
            .with(ColorOp::Equalize {})
            .with(ColorJitter::new(0.5, 0.25, 0.125, 0.0625))
            .with(Grayscale {})
            .with(UniformNoise::new(0.5))
            .with(GaussianNoise { mean: 0.25, sigma: 0.5 })
            .with(GaussianBlur::new(3))
            .with(Cutout { size: 3, value: 7 })
            .with(RandomErasing { random: true, ..RandomErasing::default() })
            .with(RandAugment { magnitude: 3, ..RandAugment::default() })
            .with(TrivialAugmentWide::default())
            .with(Jpeg::new(50.0))
    }

    #[test]
    fn every_transform_is_read_as_it_is_written_in_json_and_toml() {
        #[derive(serde::Serialize, serde::Deserialize)]
        struct File {
            transforms: Transforms,
        }

        let json = all().to_json().unwrap();
        let read = Transforms::from_json(&json).unwrap();
        assert_eq!(format!("{read:?}"), format!("{:?}", all()));
        let toml = toml::to_string(&File { transforms: all() }).unwrap();
        let read = toml::from_str::<File>(&toml).unwrap().transforms;
        assert_eq!(format!("{read:?}"), format!("{:?}", all()), "{toml}");
        assert_eq!(read.output_shape([1, 28, 28]).unwrap(), [1, 8, 8]);
    }

    #[test]
    fn the_table_in_the_documentation_has_every_transform_and_is_read() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/transforms.md");
        let text = std::fs::read_to_string(path).unwrap();
        let cells = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
        let mut names = std::collections::BTreeSet::new();
        for (json, _) in cells {
            let transforms = Transforms::from_json(&format!("[{json}]")).unwrap();
            let shape = transforms.output_shape([3, 28, 28]);
            assert!(shape.is_ok(), "{json}: {shape:?}");
            let value: serde_json::Value = serde_json::from_str(json).unwrap();
            names.insert(value["name"].as_str().unwrap().to_owned());
        }
        let written = serde_json::to_value(all()).unwrap();
        let all =
            written.as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap().to_owned());
        assert_eq!(names, all.collect());
    }

    #[test]
    fn unknown_names_settings_and_values_are_refused_on_one_line() {
        let message = |text: &str| {
            let message = Transforms::from_json(text).unwrap_err().to_string();
            assert!(message.len() < 3_000 && !message.contains('\n'), "{message}");
            message
        };
        assert!(message(r#"[{"name": "flip"}]"#).contains("unknown variant `flip`"));
        let setting = message(r#"[{"name": "random_horizontal_flip", "q": 1}]"#);
        assert!(setting.contains("unknown field `q`"), "{setting}");
        let setting = message(r#"[{"name": "color_op", "op": "invert", "factor": 1}]"#);
        assert!(setting.contains("unknown field `factor`"), "{setting}");
        let setting = message(r#"[{"name": "alternating_flip", "p": 1}]"#);
        assert!(setting.contains("unknown field `p`"), "{setting}");
        assert!(message(r#"[{"name": "random_crop"}]"#).contains("missing field `size`"));
        message(r#"[{"name": "cutout", "size": -1}]"#);
        message(r#"[{"name": "cutout", "size": 1e400}]"#);
        message(r#"[{"name": "resize", "size": [1, 2, 3]}]"#);
        message("{");
        message("");
        let long = format!(r#"[{{"name": "{}\u001b[31m"}}]"#, "x".repeat(100_000));
        assert!(!message(&long).contains('\u{1b}'));
        message(&"[".repeat(100_000));
    }

    #[test]
    fn a_programs_own_transform_cannot_be_written() {
        #[derive(Debug)]
        struct Own;

        impl Transform for Own {
            fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
                Ok(input)
            }

            fn apply(&self, _: ImageRef<'_>, _: &mut SplitMix64, _: &mut [u8]) {}
        }

        let error = Transforms::new().with(Own).to_json().unwrap_err().to_string();
        assert_eq!(error, "transforms: Own has no name to be written by");
    }
}
