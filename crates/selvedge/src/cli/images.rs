//! Images to learn from: a folder of one's own, or a published data set.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use selvedge_data::{Damaged, ImageFolder, ImageReader, Normalization, Resize, Split};
use selvedge_models::ImageResize;
use selvedge_train::{Context, Progress};

use super::{Common, DataArgs};
use crate::Error;

/// The arguments for published data. What is for a folder names them, too: that it needs the folder is not checked
/// where they exclude one.
const PUBLISHED: [&str; 3] = ["dataset", "classes", "data_path"];

/// Images of classes: a folder, a table, or a published data set.
#[derive(Clone, Debug, clap::Args)]
pub struct ImageArgs {
    /// Folder of images, one folder a class, with or without train/, val/ and test/ around them; or a table
    /// of paths and labels (.csv). Without it, the images are those of --dataset
    #[arg(value_name = "DIR", conflicts_with_all = PUBLISHED)]
    pub images: Option<PathBuf>,
    /// Height and width that the images of a folder get [default: those that the network is made for]
    #[arg(long, value_name = "PIXELS", requires = "images", conflicts_with_all = PUBLISHED)]
    pub image_size: Option<usize>,
    /// Channels that the images of a folder get: 1 or 3 [default: those that the network is made for]
    #[arg(long, value_name = "NUMBER", requires = "images", conflicts_with_all = PUBLISHED)]
    pub channels: Option<usize>,
    /// How images of a folder become square: `crop` cuts off what is longer, `stretch` distorts
    #[arg(long, default_value = "crop", value_name = "MODE", requires = "images", conflicts_with_all = PUBLISHED)]
    pub resize: ResizeMode,
    /// Shorter side of an image before its middle is cut out [default: the image size]
    #[arg(long, value_name = "PIXELS", requires = "images", conflicts_with_all = PUBLISHED)]
    pub resize_size: Option<usize>,
    /// Leaves out images that cannot be read, and lists them; without it the first one ends the program
    #[arg(long, requires = "images", conflicts_with_all = PUBLISHED)]
    pub skip_damaged: bool,
    /// Share of a folder's images that validates, if there is no folder for that: above 0 and below 1 [default: 0.2]
    #[arg(
        long,
        value_name = "SHARE",
        value_parser = share,
        allow_negative_numbers = true,
        requires = "images",
        conflicts_with_all = PUBLISHED
    )]
    pub validation_fraction: Option<f64>,
    /// How pixels become values [default: as the weights' file says, else standardized]
    #[arg(long, value_name = "KIND")]
    pub normalization: Option<ImageNormalization>,
    /// The published data set
    #[command(flatten)]
    pub data: DataArgs,
}

/// A share that leaves something for both sides.
fn share(text: &str) -> Result<f64, &'static str> {
    let share = text.parse().ok().filter(|share| 0.0 < *share && *share < 1.0);
    share.ok_or("expected a number above 0 and below 1")
}

/// How an image becomes square, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ResizeMode {
    /// The shorter side fits, the rest of the longer one is cut off
    Crop,
    /// Both sides fit
    Stretch,
}

/// The images that [`ImageArgs`] choose.
pub struct ChosenImages {
    /// Those to learn from, to validate and to test on.
    pub split: Split,
    /// How images of any size became what they are; `None` of a published data set.
    pub resize: Option<ImageResize>,
}

impl ImageArgs {
    /// The shape that the images get, `[channels, height, width]`, before they are read: of a folder the one that the
    /// network `takes`, unless another was given.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for a published data set that is unknown, or a normalization that is not for such images;
    /// [`Error::Terminal`] for a shorter side of images that are stretched.
    pub fn shape(&self, takes: [usize; 3]) -> Result<[usize; 3], Error> {
        if let (ResizeMode::Stretch, Some(_)) = (self.resize, self.resize_size) {
            let reason =
                "--resize-size: not used with --resize stretch, after which nothing is cut off";
            return Err(Error::Terminal(reason.into()));
        }
        let shape = match (&self.images, self.image_size) {
            (None, _) => self.data.shape()?,
            (_, None) => [self.channels.unwrap_or(takes[0]), takes[1], takes[2]],
            (_, Some(side)) => [self.channels.unwrap_or(takes[0]), side, side],
        };
        if let Some(normalization) = self.normalization {
            normalization.check(shape)?;
        }
        Ok(shape)
    }

    /// The normalization that was asked for, else the one that is `known` to be that of the weights; else mean 0 and
    /// standard deviation 1 over the training images.
    ///
    /// # Errors
    ///
    /// As [`ImageNormalization::of`].
    pub fn normalization(
        &self,
        known: Option<&Normalization>,
        split: &Split,
    ) -> Result<Normalization, Error> {
        match (self.normalization, known) {
            (Some(kind), _) => kind.of(split),
            (None, Some(known)) => Ok(known.clone()),
            (None, None) => Ok(Normalization::standardized(&split.train)),
        }
    }

    /// Reads the images: of a folder in this [`shape`](Self::shape); `seed` decides which validate. What is left
    /// out is told on standard error.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if they cannot be found or read.
    pub fn read(
        &self,
        shape: [usize; 3],
        seed: u64,
        common: &Common,
        context: &Context,
    ) -> Result<ChosenImages, Error> {
        let Some(path) = &self.images else {
            return Ok(ChosenImages { split: self.data.split(&common.source())?, resize: None });
        };
        let [_, height, width] = shape;
        let reader = ImageReader::new(shape)?;
        let resize = match (self.resize, self.resize_size) {
            (ResizeMode::Stretch, _) => Resize::Stretch,
            (ResizeMode::Crop, side) => Resize::ShorterSide(side.unwrap_or(height.max(width))),
        };
        let reader = reader.with_resize(resize)?;
        let damaged = if self.skip_damaged { Damaged::Skip } else { Damaged::Fail };
        let folder = ImageFolder::open(path)?.with_damaged(damaged);
        folder.notes().iter().for_each(|note| Progress::message(note));
        let images = folder.with_watch(watch(context)).load(&reader)?;
        list("left out", images.skipped());
        for (count, what) in images.shared_images()?.into_iter().zip(["validation", "test"]) {
            if count > 0 {
                let among = "are among the training images, too, and say nothing";
                Progress::message(&format!("{count} of the {what} images {among}"));
            }
        }
        if images.validation.is_some() && self.validation_fraction.is_some() {
            let reason = "images to validate on are there already";
            Progress::message(&format!("--validation-fraction is not used: {reason}"));
        }
        let split = images.split(self.validation_fraction.unwrap_or(0.2), seed)?;
        Ok(ChosenImages { split, resize: Some(kept(resize)) })
    }
}

/// Shows the first ten of the lines on standard error.
fn list(what: &str, lines: &[String]) {
    lines.iter().take(10).for_each(|line| Progress::message(&format!("{what}: {line}")));
    if let more @ 1.. = lines.len().saturating_sub(10) {
        Progress::message(&format!("{what}: {more} more"));
    }
}

/// Tells every ten seconds how many images are read, until the run is to stop.
fn watch(context: &Context) -> impl Fn(usize, usize) -> bool + Send + Sync + 'static {
    let (stop, told) = (context.stop.clone(), Mutex::new(Instant::now()));
    let shown = !matches!(context.progress, Progress::Hidden);
    move |done, total| {
        if let Ok(mut told) = told.lock()
            && shown
            && told.elapsed() > Duration::from_secs(10)
        {
            *told = Instant::now();
            Progress::message(&format!("{done} of {total} images are read"));
        }
        !stop.is_requested()
    }
}

/// What a bundle keeps of it.
fn kept(resize: Resize) -> ImageResize {
    match resize {
        Resize::ShorterSide(side) => ImageResize::ShorterSide(side),
        Resize::Stretch => ImageResize::Stretch,
    }
}

/// How pixels of images in colour and of other images are normalized, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ImageNormalization {
    /// As they are, 0 to 255
    Raw,
    /// Divided by 255
    Unit,
    /// Mean 0 and standard deviation 1 over the training images
    Standardized,
    /// By mean and standard deviation of ImageNet, for weights that come from there
    #[value(name = "imagenet")]
    ImageNet,
}

impl ImageNormalization {
    /// The normalization for images like those of the split's training images.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if the images have other than three channels, and ImageNet's is asked for.
    pub fn of(self, split: &Split) -> Result<Normalization, Error> {
        Ok(match self {
            Self::Raw => Normalization::raw(),
            Self::Unit => Normalization::unit(),
            Self::Standardized => Normalization::standardized(&split.train),
            Self::ImageNet => {
                self.check(split.shape())?;
                Normalization::imagenet()
            }
        })
    }

    /// Refuses ImageNet's for images of `shape` with other than three channels.
    fn check(self, shape: [usize; 3]) -> Result<(), Error> {
        match (self, shape) {
            (Self::ImageNet, [channels, ..]) if channels != 3 => {
                let reason = format!("normalization imagenet: for 3 channels, not {channels}");
                Err(selvedge_data::DataError::other(reason).into())
            }
            _ => Ok(()),
        }
    }
}
