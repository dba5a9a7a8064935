use std::path::PathBuf;

use selvedge_data::ClassSubset;
use serde::{Deserialize, Serialize};

use super::tree::Wrong;

/// The images of a trial: a published data set, a folder of one's own, or a split that a program
/// [registered](crate::Datasets::with).
///
/// In a study file a text is the name, with the classes in brackets: `dataset = "fashion_mnist[fm1]"` is
/// `dataset = { name = "fashion_mnist", classes = "fm1" }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatasetConfig {
    /// The name of a published data set, or of one that the program registered.
    pub name: String,
    /// Its classes: `fm1`, `fm2`, or a list of labels; all of them if left out. They are numbered anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Classes>,
    /// A folder of images, one folder a class, or a table of paths and labels, instead of a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Height and width that images are resized to, bilinearly; those of a folder to 64, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_size: Option<usize>,
    /// Channels that images get, 1 or 3; those of a folder 3, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<usize>,
    /// How the images that train and validate are divided; the official split, or that of the folder, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<Shares>,
    /// Share of the training images that train, above 0 and at most 1: stratified, and drawn by the seed of the
    /// trial. A smaller share is part of a larger one.
    pub fraction: f64,
    /// Share of the validation and of the test images that are looked at, stratified, always the same: for a quick look.
    #[serde(skip_serializing_if = "is_one")]
    pub evaluation_fraction: f64,
    /// Makes the training images four times as many: as they are, mirrored, with uniform noise of at most this (a
    /// pixel of 255 is 1), and both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flip_and_noise: Option<f64>,
    /// Parts of the data set, with other classes, that train as well: for tasks that have no use for labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Also>,
}

impl Default for DatasetConfig {
    fn default() -> Self {
        Self {
            name: "fashion_mnist".into(),
            classes: None,
            folder: None,
            image_size: None,
            channels: None,
            split: None,
            fraction: 1.0,
            evaluation_fraction: 1.0,
            flip_and_noise: None,
            also: Vec::new(),
        }
    }
}

fn is_one(share: &f64) -> bool {
    *share == 1.0
}

/// Shares of the images that train and validate, 1 in all: stratified, and always drawn the same way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "two or three shares in brackets are expected, such as [0.9, 0.1]")]
pub enum Shares {
    /// `[train, validate]`: the test images, if there are any, stay what they are.
    KeepTest([f64; 2]),
    /// `[train, validate, test]`: test images that there were before are not looked at.
    DrawTest([f64; 3]),
}

impl Shares {
    fn as_slice(&self) -> &[f64] {
        match self {
            Self::KeepTest(shares) => shares,
            Self::DrawTest(shares) => shares,
        }
    }
}

/// Some classes of a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "`fm1`, `fm2` or a list of labels is expected")]
pub enum Classes {
    /// `fm1` or `fm2`.
    Named(Subset),
    /// These labels.
    Labels(Vec<u16>),
}

/// A subset of Fashion-MNIST.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subset {
    /// T-shirt, trouser, coat, sandal, bag.
    Fm1,
    /// Pullover, dress, shirt, sneaker, ankle boot.
    Fm2,
}

impl Classes {
    /// The subset.
    ///
    /// # Errors
    ///
    /// For a list that is empty or has a label twice.
    pub(crate) fn subset(&self) -> Result<ClassSubset, selvedge_data::DataError> {
        match self {
            Self::Named(Subset::Fm1) => Ok(ClassSubset::fm1()),
            Self::Named(Subset::Fm2) => Ok(ClassSubset::fm2()),
            Self::Labels(labels) => ClassSubset::new(format!("{labels:?}"), labels.clone()),
        }
    }
}

/// Parts of a data set that join the training images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Also {
    /// The classes; all if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Classes>,
    /// Which parts: `train`, `validation`, `test`.
    pub parts: Vec<Part>,
}

/// A part of a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// What is learned.
    Train,
    /// What chooses.
    Validation,
    /// What judges.
    Test,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// The name in study files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

impl DatasetConfig {
    pub(crate) fn check(&self) -> Result<(), Wrong> {
        let wrong = |key, value: String, expected| {
            let message = format!("it is {value}, but must be {expected}");
            Err(Wrong::other(&["dataset", key], message))
        };
        let share = |x: f64| x > 0.0 && x <= 1.0;
        let shares =
            [("fraction", self.fraction), ("evaluation_fraction", self.evaluation_fraction)];
        for (key, fraction) in shares {
            if !share(fraction) {
                return wrong(key, fraction.to_string(), "above 0 and at most 1");
            }
        }
        if let Some(noise) = self.flip_and_noise.filter(|noise| !(0.0..=1.0).contains(noise)) {
            return wrong("flip_and_noise", noise.to_string(), "from 0 to 1");
        }
        if let Some(side) = self.image_size.filter(|side| !(1..=1024).contains(side)) {
            return wrong("image_size", side.to_string(), "from 1 to 1024");
        }
        if let Some(channels) = self.channels.filter(|channels| ![1, 3].contains(channels)) {
            return wrong("channels", channels.to_string(), "1 or 3");
        }
        if let Some(shares) = &self.split {
            let shares = shares.as_slice();
            let sum: f64 = shares.iter().sum();
            if !shares.iter().all(|&p| share(p)) || (sum - 1.0).abs() > 1e-9 {
                return wrong("split", format!("{shares:?}"), "shares above 0 that are 1 in all");
            }
        }
        Ok(())
    }
}
