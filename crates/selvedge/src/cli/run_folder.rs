//! The folder of a run, by flags.

use std::path::{Path, PathBuf};

use selvedge_data::View;
use selvedge_files::next_free;
use selvedge_report::TensorBoard;
use selvedge_train::{Context, Fitted};

use super::{Failed, Stopped};

/// Where a run is kept, and whether one is carried on.
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// Folder of the run [default: runs/ and the program's name, with a number if that is taken]
    #[arg(long, value_name = "FOLDER")]
    pub output_dir: Option<PathBuf>,
    /// Goes on with the run in the output folder where it was stopped or killed; begins it if there is none
    #[arg(long)]
    pub resume: bool,
    /// Also saves the run after every so many steps, and not only after each epoch
    #[arg(long, value_name = "STEPS")]
    pub save_every: Option<usize>,
}

impl RunArgs {
    /// The folder of the run: the one that was given or `usual`; with a number behind it if there is something
    /// in it, unless the run in it is carried on.
    pub fn folder(&self, usual: impl AsRef<Path>) -> PathBuf {
        let folder = self.output_dir.clone().unwrap_or_else(|| usual.as_ref().into());
        if self.resume { folder } else { next_free(&folder) }
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
            Some(steps) => context.with_save_every(steps),
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
}
