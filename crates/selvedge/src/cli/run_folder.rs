//! The folder of a run, by flags.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use selvedge_data::View;
use selvedge_files::{last_taken, next_free};
use selvedge_report::TensorBoard;
use selvedge_train::{Context, Fitted};

use super::{Failed, Stopped};

/// Arguments of every program that leaves the folder of a run: a finished run is never replaced.
#[derive(Clone, Debug, clap::Args)]
pub struct RunFolderArgs {
    /// Folder for results, pictures and models; if it is taken, the next of FOLDER2, FOLDER3 …
    /// [default: one in runs/]
    #[arg(long, value_name = "FOLDER")]
    pub output_dir: Option<PathBuf>,
    /// Go on with the run in --output-dir; without that, with the last one in the default folder
    #[arg(long)]
    pub resume: bool,
}

impl RunFolderArgs {
    /// The folder of the run, which by default is `default`, `default2`, `default3` …
    pub fn folder(&self, default: &str) -> PathBuf {
        match (&self.output_dir, self.resume) {
            // A file of that name is a mistake, which whoever takes the folder will name.
            (Some(folder), resume) if resume || folder.is_file() => folder.clone(),
            (Some(folder), _) => next_free(folder),
            (None, true) => last_taken(default),
            (None, false) => next_free(default),
        }
    }
}

/// Where a run is kept, whether one is carried on, and how often it is saved.
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// Where it is kept.
    #[command(flatten)]
    pub folder: RunFolderArgs,
    /// Also saves the run after every so many steps, and not only after each epoch
    #[arg(long, value_name = "STEPS", value_parser = super::at_least_one)]
    pub save_every: Option<NonZeroUsize>,
}

impl RunArgs {
    /// As [`RunFolderArgs::folder`].
    pub fn folder(&self, default: &str) -> PathBuf {
        self.folder.folder(default)
    }

    /// The context for a run in that folder, with TensorBoard's files, which show the first of these images, and
    /// pictures of the run as it goes.
    pub fn observed(
        &self,
        context: &Context,
        folder: impl Into<PathBuf>,
        images: &View,
    ) -> Context {
        let mut events = TensorBoard::new();
        // TensorBoard shows pictures of one, three and four channels.
        if [1, 3].contains(&images.shape()[0]) && !images.is_empty() {
            let (shape, pixels) = contact_sheet(images);
            events = events.with_image("train/images", shape, pixels);
        }
        let context = context.clone().with_run_folder(folder).with_observer(events);
        #[cfg(feature = "plot")]
        let context = context.with_observer(selvedge_report::Pictures::new());
        match self.save_every {
            Some(steps) => context.with_save_every(steps.get()),
            None => context,
        }
    }
}

/// The first images side by side, at most four rows of eight: a picture `[channels, height, width]`.
fn contact_sheet(images: &View) -> ([usize; 3], Vec<u8>) {
    let [channels, height, width] = images.shape();
    let columns = images.len().min(8);
    let rows = images.len().div_ceil(columns).min(4);
    let shape = [channels, rows * height, columns * width];
    let mut pixels = vec![0; shape.iter().product()];
    for i in 0..images.len().min(rows * columns) {
        let (top, left) = (i / columns * height, i % columns * width);
        for (row, line) in images.image(i).chunks_exact(width).enumerate() {
            let (channel, y) = (row / height, top + row % height);
            let at = (channel * shape[1] + y) * shape[2] + left;
            pixels[at..at + width].copy_from_slice(line);
        }
    }
    (shape, pixels)
}

/// What a program returns once it has printed what a run is worth: `Ok` if the run came to its end.
///
/// # Errors
///
/// [`Stopped`] if it was stopped early, [`Failed`] if it diverged or its folder could not be written to the
/// end.
pub fn ended<M, S>(fitted: &Fitted<M, S>) -> Result<(), Box<dyn std::error::Error>> {
    if let Some(divergence) = &fitted.diverged {
        let reason = "the model is the best of the epochs before; a smaller learning rate may help";
        return Err(Failed(format!("the run diverged: {divergence}; {reason}")).into());
    }
    if let Some(reason) = &fitted.unsaved {
        return Err(Failed(format!("the end of the run is not saved: {reason}")).into());
    }
    match fitted.stopped {
        true => Err(Stopped("not all epochs are complete".into()).into()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use selvedge_data::ImageDataset;

    use super::*;

    #[test]
    fn images_of_a_contact_sheet_lie_side_by_side_in_rows_of_eight() {
        // Nine images of 1 × 2 pixels and two channels: image i is [i, i], [i + 100, i + 100].
        let pixels = (0..9u8).flat_map(|i| [i, i, i + 100, i + 100]).collect();
        let images = ImageDataset::new("t", pixels, [2, 1, 2], vec![0; 9], vec!["c".into()]);
        let (shape, pixels) = contact_sheet(&images.unwrap().view());
        assert_eq!(shape, [2, 2, 16]);
        let first: Vec<u8> = (0..8).flat_map(|i| [i, i]).collect();
        assert_eq!(pixels[..16], first);
        assert_eq!(pixels[16..18], [8, 8]);
        assert_eq!(pixels[32..34], [100, 100]);
        assert_eq!(pixels[48..50], [108, 108]);
    }

    #[test]
    fn a_run_has_a_folder_of_its_own_unless_it_resumes() {
        let runs = tempfile::tempdir().unwrap();
        let path = |name: &str| runs.path().join(name);
        let default = path("train");
        let folder = |output_dir: Option<PathBuf>, resume| {
            RunFolderArgs { output_dir, resume }.folder(default.to_str().unwrap())
        };
        for resume in [false, true] {
            assert_eq!(folder(None, resume), path("train"), "nothing is there yet");
        }
        for name in ["train", "train2"] {
            std::fs::create_dir(path(name)).unwrap();
            std::fs::write(path(name).join("results.json"), "").unwrap();
        }
        assert_eq!(folder(None, false), path("train3"));
        assert_eq!(folder(None, true), path("train2"));
        assert_eq!(folder(Some(path("train")), false), path("train3"));
        assert_eq!(folder(Some(path("train")), true), path("train"));
        assert_eq!(folder(Some(path("mine")), true), path("mine"));
        std::fs::write(path("file"), "").unwrap();
        assert_eq!(folder(Some(path("file")), false), path("file"));
    }
}
