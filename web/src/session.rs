use selvedge_data::{IdxData, IdxReader, ImageDataset};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Background, Classifier, PageError, Picture, Settings, Trainer};

/// What the page can ask; in JSON, `{"do":"maps","layer":"relu1"}`. Some requests come with bytes.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// Takes the bundle in the bytes, and describes it.
    Load,
    /// Takes the bytes as a picture, and says what it shows; with the picture as the network takes it.
    Classify {
        /// Of the picture.
        width: u32,
        /// Of the picture.
        height: u32,
        /// What is behind the things in it.
        background: Background,
    },
    /// The maps of a layer, with their pixels.
    Maps {
        /// The layer's path.
        layer: String,
    },
    /// Which pixels change a class's logit, with the map.
    Saliency {
        /// The index of the class.
        class: usize,
    },
    /// Where the last convolution finds a class, with the map.
    GradCam {
        /// The index of the class.
        class: usize,
    },
    /// Takes the bytes as an IDX file, raw or gzip, to train with.
    Data {
        /// Which file it is.
        file: DataFile,
    },
    /// Begins to train a network on the data.
    Train {
        /// How.
        settings: Settings,
        /// The names of the classes.
        classes: Vec<String>,
    },
    /// Trains for some steps.
    Steps {
        /// How many.
        count: usize,
    },
    /// The bundle of the network that is trained.
    Trained,
}

/// The files that are trained with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataFile {
    /// Images to train on.
    TrainImages,
    /// Their labels.
    TrainLabels,
    /// Images to test on.
    TestImages,
    /// Their labels.
    TestLabels,
}

/// What the page is answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// JSON.
    pub text: String,
    /// Pixels, or a file.
    pub bytes: Vec<u8>,
}

/// The state behind a page.
#[derive(Default)]
pub struct Session {
    classifier: Option<Classifier>,
    files: [Option<IdxFile>; 4],
    trainer: Option<Trainer>,
}

/// The bytes of an IDX file.
#[derive(Debug)]
struct IdxFile {
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Session {
    /// What the page is to get for a request; for one that fails, `{"error":"…"}`.
    pub fn answer(&mut self, request: &[u8], bytes: &[u8]) -> Answer {
        let answer = serde_json::from_slice(request).map_err(PageError::from);
        let answer = answer.and_then(|request| self.answer_to(request, bytes));
        answer.unwrap_or_else(|error| told(&json!({ "error": error.to_string() })))
    }

    /// As [`answer`](Self::answer), for a request that was understood.
    ///
    /// # Errors
    ///
    /// Whatever the request runs into.
    pub fn answer_to(&mut self, request: Request, bytes: &[u8]) -> Result<Answer, PageError> {
        Ok(match request {
            Request::Load => {
                let classifier = Classifier::from_bytes(bytes)?;
                let answer = told(&classifier.description()?);
                self.classifier = Some(classifier);
                answer
            }
            Request::Classify { width, height, background } => {
                let picture = Picture::new(bytes, width, height)?;
                let classifier = self.classifier.as_mut().ok_or(NO_NETWORK)?;
                let answer = told(&classifier.classify(&picture, background)?);
                Answer { bytes: classifier.pixels()?.to_vec(), ..answer }
            }
            Request::Maps { layer } => {
                let maps = self.classifier()?.maps(&layer)?;
                let (shape, least, largest) = (maps.shape, maps.least, maps.largest);
                let about = json!({ "shape": shape, "least": least, "largest": largest });
                Answer { bytes: maps.pixels, ..told(&about) }
            }
            Request::Saliency { class } => {
                let map = self.classifier()?.saliency(class)?;
                Answer { bytes: map.pixels, ..told(&json!({ "largest": map.largest })) }
            }
            Request::GradCam { class } => {
                let map = self.classifier()?.grad_cam(class)?;
                Answer { bytes: map.pixels, ..told(&json!({ "largest": map.largest })) }
            }
            Request::Data { file } => {
                let read = IdxFile::read(file, bytes)?;
                let answer = told(&json!({ "shape": read.shape }));
                self.files[file as usize] = Some(read);
                answer
            }
            Request::Train { settings, classes } => {
                let train = self.images(DataFile::TrainImages, DataFile::TrainLabels, &classes)?;
                let test = self.images(DataFile::TestImages, DataFile::TestLabels, &classes)?;
                let (train_images, test_images) = (train.len(), test.len());
                self.trainer = Some(Trainer::new(&train, &test, settings)?);
                told(&json!({ "train_images": train_images, "test_images": test_images }))
            }
            Request::Steps { count } => told(&self.trainer()?.steps(count)?),
            Request::Trained => Answer { bytes: self.trainer()?.bundle()?, ..told(&json!({})) },
        })
    }

    fn classifier(&self) -> Result<&Classifier, PageError> {
        self.classifier.as_ref().ok_or(NO_NETWORK)
    }

    fn trainer(&mut self) -> Result<&mut Trainer, PageError> {
        self.trainer.as_mut().ok_or(PageError::Order("begin a training first"))
    }

    fn images(
        &self,
        images: DataFile,
        labels: DataFile,
        classes: &[String],
    ) -> Result<ImageDataset, PageError> {
        let file = |file: DataFile| {
            let found = self.files[file as usize].as_ref();
            found.ok_or(PageError::Order("the images to train with are not there yet"))
        };
        let (images, labels) = (file(images)?, file(labels)?);
        let &[_, height, width] = &images.shape[..] else {
            let what = "the images to train with are not of [images, height, width]";
            return Err(PageError::Order(what));
        };
        let labels = labels.bytes.iter().map(|label| u16::from(*label)).collect();
        let pixels = images.bytes.clone();
        let shape = [1, height, width];
        Ok(ImageDataset::new("the training's data", pixels, shape, labels, classes.to_vec())?)
    }
}

const NO_NETWORK: PageError = PageError::Order("choose a network first");

impl IdxFile {
    fn read(file: DataFile, bytes: &[u8]) -> Result<Self, PageError> {
        let what = match file {
            DataFile::TrainImages => "training images",
            DataFile::TrainLabels => "training labels",
            DataFile::TestImages => "test images",
            DataFile::TestLabels => "test labels",
        };
        let read = IdxReader::new().read(bytes);
        match read.map_err(|source| PageError::Idx { what, source })?.into_parts() {
            (shape, IdxData::U8(bytes)) => Ok(Self { shape, bytes }),
            _ => Err(PageError::Order("the files to train with hold other values than bytes")),
        }
    }
}

fn told(about: &impl Serialize) -> Answer {
    let text = serde_json::to_string(about).expect("texts and numbers are formatted in memory");
    Answer { text, bytes: Vec::new() }
}

#[cfg(test)]
mod tests;
