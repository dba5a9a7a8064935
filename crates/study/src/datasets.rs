//! The data sets of a study, each read once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use selvedge_data::transform::{GrayToRgb, Grayscale, Resize, augmented_set, flip_and_noise};
use selvedge_data::{
    DataError, DataErrorKind, ImageDataset, PublishedSet, Source, Split, Transforms, View,
};

use crate::config::{Also, Classes, DatasetConfig, Part, Shares};

/// Decides the noise of [`DatasetConfig::flip_and_noise`], and shares of [`DatasetConfig::split`]: these are the
/// same for every trial.
const SEED: u64 = 0;

/// Where the trials of a study have their images from. Each data set is read once.
#[derive(Debug, Default)]
pub struct Datasets {
    source: Source,
    known: BTreeMap<String, Split>,
    loaded: Mutex<BTreeMap<String, Arc<LoadedData>>>,
}

/// The images of trials.
#[derive(Debug)]
pub struct LoadedData {
    /// All of them: a trial takes its [fraction](DatasetConfig::fraction) of the training images.
    pub split: Split,
    /// The SHA-256 of all pixels and labels.
    pub checksum: String,
}

impl Datasets {
    /// Published data sets, looked for where `source` says.
    pub fn new(source: Source) -> Self {
        Self { source, ..Self::default() }
    }

    /// The same, and a split that study files call `name`.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, split: Split) -> Self {
        self.known.insert(name.into(), split);
        self
    }

    /// Where published files are looked for.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// The images that a trial is to have, but for the fraction.
    ///
    /// # Errors
    ///
    /// If they cannot be found, read or divided.
    pub fn load(&self, config: &DatasetConfig) -> Result<Arc<LoadedData>, DataError> {
        let whole = DatasetConfig { fraction: 1.0, ..config.clone() };
        let key = serde_json::to_string(&whole).expect("settings are data");
        // Held while the images are read: those that need the same wait for them.
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(data) = loaded.get(&key) {
            return Ok(data.clone());
        }
        let split = self.read(config)?;
        let data = Arc::new(LoadedData { checksum: checksum(&split), split });
        loaded.insert(key, data.clone());
        Ok(data)
    }

    /// Looks for the images that a trial is to have, and reads none of them.
    ///
    /// # Errors
    ///
    /// If they cannot be found.
    pub fn locate(&self, config: &DatasetConfig) -> Result<(), DataError> {
        match &config.folder {
            Some(folder) if folder.is_dir() => Ok(()),
            Some(folder) => {
                let message = format!("there is no folder {}", folder.display());
                Err(DataError::new(DataErrorKind::NotFound, message))
            }
            None if self.known.contains_key(&config.name) => Ok(()),
            None => PublishedSet::named(&config.name)?.locate(&self.source),
        }
    }

    fn read(&self, config: &DatasetConfig) -> Result<Split, DataError> {
        let whole = self.whole(config)?;
        let subset = config.classes.as_ref().map(Classes::subset).transpose()?;
        let of_classes = match &subset {
            Some(subset) => whole.select(subset)?,
            None => whole.clone(),
        };
        let mut split = match config.split {
            None => of_classes,
            Some(shares) => {
                let all = of_classes.train_and_validation()?;
                match shares {
                    Shares::KeepTest([train, _]) => {
                        let Split { train, validation, .. } = all.split_stratified(train, SEED)?;
                        Split::with_shared_images(train, validation, of_classes.test)?
                    }
                    Shares::DrawTest(shares) => all.split_stratified_three(shares, SEED)?,
                }
            }
        };
        if !config.also.is_empty() {
            let train = joined(&split.train, &whole, &config.also)?;
            split = Split::with_shared_images(train, split.validation, split.test)?;
        }
        if let Some(noise) = config.flip_and_noise {
            let train = augmented_set(&split.train, &flip_and_noise(noise), SEED)?.view();
            split = Split::with_shared_images(train, split.validation, split.test)?;
        }
        if config.evaluation_fraction != 1.0 {
            let some = |view: &View| view.stratified_fraction(config.evaluation_fraction, SEED);
            let test = split.test.as_ref().map(some).transpose()?;
            split = Split::with_shared_images(split.train, some(&split.validation)?, test)?;
        }
        // Those of a folder were read like that.
        if config.folder.is_none() { sized(split, config) } else { Ok(split) }
    }

    /// The data set with all its classes.
    fn whole(&self, config: &DatasetConfig) -> Result<Split, DataError> {
        if config.folder.is_some() {
            return folder(config);
        }
        if let Some(split) = self.known.get(&config.name) {
            return Ok(split.clone());
        }
        PublishedSet::named(&config.name)?.load(&self.source)?.split_official()
    }
}

/// The images in the size and with the channels that are asked for.
fn sized(split: Split, config: &DatasetConfig) -> Result<Split, DataError> {
    let mut transforms = Transforms::new();
    match config.channels.filter(|channels| *channels != split.shape()[0]) {
        None => {}
        Some(1) => transforms = transforms.with(Grayscale::default()),
        Some(_) => transforms = transforms.with(GrayToRgb::default()),
    }
    if let Some(side) = config.image_size {
        transforms = transforms.with(Resize::exactly([side, side]));
    }
    if transforms.is_empty() {
        return Ok(split);
    }
    let transforms = [transforms];
    let of = |view: &View| augmented_set(view, &transforms, SEED).map(|images| images.view());
    let test = split.test.as_ref().map(of).transpose()?;
    Split::with_shared_images(of(&split.train)?, of(&split.validation)?, test)
}

#[cfg(feature = "images")]
fn folder(config: &DatasetConfig) -> Result<Split, DataError> {
    use selvedge_data::{ImageFolder, ImageReader};
    let path = config.folder.as_ref().expect("it was asked for");
    let side = config.image_size.unwrap_or(64);
    let reader = ImageReader::new([config.channels.unwrap_or(3), side, side])?;
    ImageFolder::open(path)?.load(&reader)?.split(0.2, SEED)
}

#[cfg(not(feature = "images"))]
fn folder(_: &DatasetConfig) -> Result<Split, DataError> {
    Err(DataError::other("a folder of images needs the feature `images`"))
}

/// The images of a view, and those that join them.
fn joined(train: &View, whole: &Split, also: &[Also]) -> Result<View, DataError> {
    let mut views = vec![train.clone()];
    for Also { classes, parts } in also {
        let split = match classes {
            Some(classes) => whole.select(&classes.subset()?)?,
            None => whole.clone(),
        };
        for part in parts {
            views.push(match part {
                Part::Train => split.train.clone(),
                Part::Validation => split.validation.clone(),
                Part::Test => split.test()?.clone(),
            });
        }
    }
    let name = format!("{} and others", train.dataset().name());
    // The labels of other classes say nothing here.
    let views: Vec<&View> = views.iter().collect();
    Ok(ImageDataset::joined(name, &views, train.classes())?.view())
}

/// A hash of all pixels and labels.
pub(crate) fn checksum(split: &Split) -> String {
    let mut hash = selvedge_files::Hasher::new();
    let parts: [Option<&View>; 3] =
        [Some(&split.train), Some(&split.validation), split.test().ok()];
    for view in parts.into_iter().flatten() {
        hash.update(&(view.len() as u64).to_le_bytes());
        for i in 0..view.len() {
            hash.update(view.image(i));
            hash.update(&view.label(i).to_le_bytes());
        }
    }
    hash.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use selvedge_data::ClassSubset;

    #[test]
    fn images_of_any_source_have_the_size_and_the_channels_that_are_asked_for() {
        let pixels = (0..12).flat_map(|i| [20 * i as u8; 4]).collect();
        let labels = (0..12).map(|i| i % 2).collect();
        let classes = vec!["even".to_owned(), "odd".to_owned()];
        let images = ImageDataset::new("greys", pixels, [1, 2, 2], labels, classes).unwrap().view();
        let split = images.split_stratified_three([0.5, 0.25, 0.25], 0).unwrap();
        let datasets = Datasets::default().with("greys", split.clone());
        let config = DatasetConfig { name: "greys".into(), ..DatasetConfig::default() };
        let plain = datasets.load(&config).unwrap();
        assert_eq!(plain.split.shape(), [1, 2, 2]);

        let config = DatasetConfig { image_size: Some(3), channels: Some(3), ..config };
        let sized = datasets.load(&config).unwrap();
        assert_eq!(sized.split.shape(), [3, 3, 3]);
        assert_ne!(sized.checksum, plain.checksum);
        // An image of one grey stays of that grey, and where it was.
        for (view, before) in [
            (&sized.split.train, &split.train),
            (&sized.split.validation, &split.validation),
            (sized.split.test().unwrap(), split.test().unwrap()),
        ] {
            assert_eq!((view.labels(), view.classes()), (before.labels(), before.classes()));
            for i in 0..view.len() {
                assert_eq!(view.image(i), [before.image(i)[0]; 27]);
            }
        }
        for (key, wrong) in [("image_size", "image_size = 0"), ("channels", "channels = 2")] {
            let study = format!("[base]\ndataset = {{ name = 'mnist', {wrong} }}\n");
            let error = study.parse::<crate::StudyConfig>().unwrap_err().to_string();
            assert!(error.contains(key) && error.contains("must be"), "{error}");
        }

        // Of two channels there is neither grey nor color.
        let pixels = vec![7; 16];
        let classes = vec!["all".to_owned()];
        let images = ImageDataset::new("pairs", pixels, [2, 2, 2], vec![0, 0], classes).unwrap();
        let split = images.view().split_at(1).unwrap();
        let datasets = Datasets::default().with("pairs", split);
        let config = DatasetConfig { name: "pairs".into(), image_size: None, ..config };
        let error = datasets.load(&config).unwrap_err().to_string();
        assert_eq!(error, "grey to RGB: expected images of 1 or 3 channels, found 2");
    }

    /// Two shares divide what the official split calls training and validation images; three all but the test
    /// images, and take some of those as test images.
    #[test]
    fn two_shares_keep_the_test_images_and_three_draw_others() {
        let set = |images: u8, first: u8| {
            let pixels = (0..images).map(|i| first + i).collect();
            let labels = (0..images).map(|i| u16::from(i % 2)).collect();
            let classes = vec!["even".to_owned(), "odd".to_owned()];
            ImageDataset::new("greys", pixels, [1, 1, 1], labels, classes).unwrap()
        };
        let official = set(20, 0).view().split_at(10).unwrap();
        let test = set(6, 100).view();
        let official = Split::new(official.train, official.validation, Some(test)).unwrap();
        let datasets = Datasets::default().with("greys", official);
        let parts = |text: &str| {
            let study = format!("[base]\ndataset = {{ name = 'greys', {text} }}\n");
            let study: crate::StudyConfig = study.parse().unwrap();
            let data = datasets.load(&study.variants().unwrap()[0].trial.dataset).unwrap();
            let pixels =
                |view: &View| (0..view.len()).map(|i| view.image(i)[0]).collect::<Vec<u8>>();
            let Split { train, validation, test, .. } = &data.split;
            [pixels(train), pixels(validation), pixels(test.as_ref().unwrap())]
        };
        let [train, validation, test] = parts("split = [0.8, 0.2]");
        assert_eq!([train.len(), validation.len()], [16, 4]);
        assert_eq!(test, [100, 101, 102, 103, 104, 105]);
        let mut all = [train, validation].concat();
        all.sort_unstable();
        assert_eq!(all, (0..20).collect::<Vec<u8>>());

        let [.., test] = parts("split = [0.8, 0.2], classes = [1]");
        assert_eq!(test, [101, 103, 105]);

        let [.., test] = parts("split = [0.6, 0.2, 0.2]");
        assert!(test.len() == 4 && test.iter().all(|&pixel| pixel < 20), "{test:?}");

        // Of a split of one data set, of two of its three classes, that leaves an image out.
        let set = set(21, 0).view().take(&(0..20).collect::<Vec<_>>()).unwrap();
        let odd = ClassSubset::new("odd", [1]).unwrap();
        let split = set.split_stratified_three([0.5, 0.25, 0.25], 1).unwrap().select(&odd).unwrap();
        let pixels = |view: &View| (0..view.len()).map(|i| view.image(i)[0]).collect::<Vec<u8>>();
        let test = pixels(split.test().unwrap());
        let others = [pixels(&split.train), pixels(&split.validation)].concat().len();
        let datasets = Datasets::default().with("odd", split);
        let config = DatasetConfig {
            name: "odd".into(),
            split: Some(Shares::KeepTest([0.8, 0.2])),
            ..DatasetConfig::default()
        };
        let again = &datasets.load(&config).unwrap().split;
        assert_eq!(pixels(again.test().unwrap()), test);
        assert_eq!(again.classes(), ["odd"]);
        assert_eq!(again.train.len() + again.validation.len(), others);

        for wrong in ["[0.8, 0.1]", "[1.0, 0.0]", "[1.2, -0.2]", "[0.5, 0.2, 0.2]"] {
            let study = format!("[base]\ndataset = {{ name = 'mnist', split = {wrong} }}\n");
            let error = study.parse::<crate::StudyConfig>().unwrap_err().to_string();
            assert!(error.contains("must be shares above 0 that are 1 in all"), "{error}");
        }
        for wrong in ["[1.0]", "[0.25, 0.25, 0.25, 0.25]", "0.9"] {
            let study = format!("[base]\ndataset = {{ name = 'mnist', split = {wrong} }}\n");
            let error = study.parse::<crate::StudyConfig>().unwrap_err().to_string();
            assert!(error.contains("two or three shares in brackets are expected"), "{error}");
        }
    }
}
