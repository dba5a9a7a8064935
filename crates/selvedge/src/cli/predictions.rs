//! Classes of files of images, as a table, as JSON or as CSV.

use std::cell::RefCell;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use selvedge_data::{DataError, ImageFiles, ImageReader, Resize};
use selvedge_models::{Bundle, ImageResize, Prediction};
use selvedge_train::{Progress, Stop};
use serde::Serialize;

use super::{Failed, Stopped, print, print_to_reader, printable};

/// How predictions for files are written. A program that takes them calls the files' argument `files`: without it they
/// are refused.
#[derive(Clone, Debug, clap::Args)]
pub struct PredictionArgs {
    /// How predictions are written
    #[arg(long, default_value = "table", value_name = "FORMAT", requires = "files")]
    pub format: PredictionFormat,
    /// How many classes of an image are written, the most probable first
    #[arg(long, default_value = "1", value_name = "NUMBER", value_parser = super::at_least_one, requires = "files")]
    pub top_k: std::num::NonZeroUsize,
}

/// How predictions are written, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PredictionFormat {
    /// Columns for readers
    Table,
    /// A JSON object a line
    Json,
    /// Comma-separated values with a header
    Csv,
}

/// A class and its probability.
#[derive(Serialize)]
struct Ranked<'a> {
    class: &'a str,
    probability: f32,
}

#[derive(Serialize)]
struct Record<'a> {
    file: &'a str,
    predictions: Vec<Ranked<'a>>,
}

impl PredictionArgs {
    /// The line before all others, for a bundle's classes.
    fn header(&self, classes: usize) -> String {
        match self.format {
            PredictionFormat::Table | PredictionFormat::Json => String::new(),
            PredictionFormat::Csv => {
                let columns = (1..=self.top_k.get().min(classes)).flat_map(|k| match k {
                    1 => ["class".to_owned(), "probability".to_owned()],
                    k => [format!("class_{k}"), format!("probability_{k}")],
                });
                row(std::iter::once("file".to_owned()).chain(columns))
            }
        }
    }

    /// The line of an image.
    fn line(&self, file: &Path, classes: &[String], prediction: &Prediction) -> String {
        let file = file.to_string_lossy();
        let probabilities = &prediction.probabilities;
        let mut order: Vec<usize> = (0..probabilities.len()).collect();
        // A sort that keeps the order of equals: the first class counts, as in `Prediction::class`.
        order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
        let ranked = order.into_iter().take(self.top_k.get());
        let ranked: Vec<Ranked<'_>> = ranked
            .map(|class| Ranked { class: &classes[class], probability: probabilities[class] })
            .collect();
        match self.format {
            PredictionFormat::Table => {
                let columns = ranked
                    .iter()
                    .map(|r| format!("{:>7.2} %  {:<16}", 100.0 * r.probability, r.class));
                let line = format!("{}  {}", columns.collect::<String>(), printable(&file));
                format!("{line}\n")
            }
            PredictionFormat::Json => {
                let record = Record { file: &file, predictions: ranked };
                // Texts and finite numbers alone, which JSON has.
                format!("{}\n", serde_json::to_string(&record).unwrap_or_default())
            }
            PredictionFormat::Csv => {
                let columns =
                    ranked.iter().flat_map(|r| [r.class.to_owned(), r.probability.to_string()]);
                row(std::iter::once(file.into_owned()).chain(columns))
            }
        }
    }
}

/// A line of CSV.
fn row(values: impl Iterator<Item = String>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(values).expect("a vector takes all that is written");
    let line = writer.into_inner().expect("a vector takes all that is written");
    String::from_utf8(line).expect("texts and commas are a text")
}

/// Writes to standard output what a network makes of files of images, in their order: `-` stands for a list on
/// standard input, a line each, and a folder for all images in it.
///
/// Files are read, prepared as the network's training images were, and computed a batch at a time, so that
/// thousands take no more memory than a few hundred. One that cannot be read is told on standard error.
///
/// # Errors
///
/// [`Failed`] at the end if a file could not be read, or a folder or list has none; [`Stopped`] if the stop was
/// raised; an error at once if the network cannot be used, or standard output not be written to.
pub fn predict_files(
    bundle: &Bundle,
    files: &[PathBuf],
    args: &PredictionArgs,
    stop: &Stop,
) -> Result<(), Box<dyn std::error::Error>> {
    let architecture = bundle.network().architecture();
    let reader = image_reader(bundle)?;
    let batch = architecture.inference_batch()?;
    print(&args.header(bundle.classes().len()))?;
    let (mut done, mut failed) = (0, 0);
    let mut tell = |error: &DataError| {
        Progress::message(&format!("error: {error}"));
        failed += 1;
    };
    let empty = RefCell::new(Vec::new());
    let mut paths = files.iter().flat_map(|path| paths(path, &empty));
    loop {
        if stop.is_requested() {
            return Err(Stopped(format!("after {done} files")).into());
        }
        let chunk: Vec<_> = paths.by_ref().take(batch).collect();
        if chunk.is_empty() {
            break;
        }
        done += chunk.len();
        let read = |path: Result<PathBuf, DataError>| {
            let path = path?;
            reader.read(&path).map(|pixels| (path, pixels))
        };
        let images: Vec<_> = chunk.into_par_iter().with_max_len(1).map(read).collect();
        let mut pixels = Vec::new();
        let mut names = Vec::with_capacity(images.len());
        for image in images {
            match image {
                Ok((path, image)) => {
                    pixels.extend_from_slice(&image);
                    names.push(path);
                }
                Err(error) => tell(&error),
            }
        }
        let predictions = bundle.predict(&pixels)?;
        let lines = names.iter().zip(&predictions);
        let lines = lines.map(|(path, prediction)| args.line(path, bundle.classes(), prediction));
        // Nobody would read the rest.
        if !print_to_reader(&lines.collect::<String>())? {
            break;
        }
    }
    drop(paths);
    let mut reasons = empty.into_inner();
    if failed > 0 {
        reasons.push(format!("{failed} of {done} files could not be read"));
    }
    if reasons.is_empty() {
        return Ok(());
    }
    // Few are enough to see what is wrong.
    if let more @ 1.. = reasons.len().saturating_sub(4) {
        reasons.splice(3..3 + more, [format!("{more} more like this")]);
    }
    Err(Failed(reasons.join("; ")).into())
}

/// What reads images of any size as those that the bundle's network learned from.
fn image_reader(bundle: &Bundle) -> Result<ImageReader, DataError> {
    let reader = ImageReader::new(bundle.network().architecture().input)?;
    match bundle.resize() {
        // Images that were all of one size: others are cut out of the middle.
        None => Ok(reader),
        Some(ImageResize::ShorterSide(side)) => reader.with_resize(Resize::ShorterSide(side)),
        Some(ImageResize::Stretch) => reader.with_resize(Resize::Stretch),
    }
}

/// The pixels of files of images, `[channel, row, column]` each, prepared as the bundle's training images were.
///
/// # Errors
///
/// An error of one line for the first file that cannot be read.
pub fn read_images(bundle: &Bundle, files: &[PathBuf]) -> Result<Vec<Vec<u8>>, DataError> {
    let reader = image_reader(bundle)?;
    files.iter().map(|file| reader.read(file)).collect()
}

/// The files that an argument stands for; `empty` is told if there are none.
fn paths<'a>(
    path: &'a Path,
    empty: &'a RefCell<Vec<String>>,
) -> Box<dyn Iterator<Item = Result<PathBuf, DataError>> + 'a> {
    if path == Path::new("-") {
        let lines = std::io::stdin().lock().lines();
        let mut lines = lines.filter(|line| !line.as_ref().is_ok_and(String::is_empty));
        let mut is_first = true;
        return Box::new(std::iter::from_fn(move || {
            let line = lines.next();
            if std::mem::take(&mut is_first) && line.is_none() {
                empty.borrow_mut().push("standard input: no names of files".into());
            }
            Some(match line? {
                Ok(line) => Ok(PathBuf::from(line)),
                Err(error) => Err(DataError::other(format!("standard input: {error}"))),
            })
        }));
    }
    if !path.is_dir() {
        return Box::new(std::iter::once(Ok(path.to_owned())));
    }
    match ImageFiles::of(path) {
        Ok(files) => {
            files.notes().iter().for_each(|note| Progress::message(note));
            if files.paths.is_empty() {
                empty
                    .borrow_mut()
                    .push(format!("{}: no images", printable(&path.to_string_lossy())));
            }
            Box::new(files.paths.into_iter().map(Ok))
        }
        Err(error) => Box::new(std::iter::once(Err(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: PredictionFormat, top_k: usize) -> String {
        let args = PredictionArgs { format, top_k: top_k.try_into().unwrap() };
        let classes = ["a \"b\", c", "d", "e"].map(String::from);
        let probabilities = vec![0.25, 0.5, 0.25];
        let prediction = Prediction { class: 1, name: "d".into(), probabilities };
        args.header(3) + &args.line(Path::new("x,y.png"), &classes, &prediction)
    }

    #[test]
    fn the_most_probable_classes_come_first_in_every_format() {
        assert_eq!(line(PredictionFormat::Csv, 1), "file,class,probability\n\"x,y.png\",d,0.5\n");
        assert_eq!(
            line(PredictionFormat::Csv, 9),
            "file,class,probability,class_2,probability_2,class_3,probability_3\n\
             \"x,y.png\",d,0.5,\"a \"\"b\"\", c\",0.25,e,0.25\n"
        );
        assert_eq!(
            line(PredictionFormat::Json, 2),
            "{\"file\":\"x,y.png\",\"predictions\":[{\"class\":\"d\",\"probability\":0.5},\
             {\"class\":\"a \\\"b\\\", c\",\"probability\":0.25}]}\n"
        );
        assert_eq!(line(PredictionFormat::Table, 1), "  50.00 %  d                 x,y.png\n");
    }
}
