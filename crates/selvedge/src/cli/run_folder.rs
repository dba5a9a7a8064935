//! The folder of a run, by flags.

use std::path::{Path, PathBuf};

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

    /// The context for a run in that folder, with TensorBoard's files and pictures of the run as it goes.
    pub fn observed(&self, context: &Context, folder: impl Into<PathBuf>) -> Context {
        let context = context.clone().with_run_folder(folder).with_observer(TensorBoard::new());
        #[cfg(feature = "plot")]
        let context = context.with_observer(selvedge_report::Pictures::new());
        match self.save_every {
            Some(steps) => context.with_save_every(steps),
            None => context,
        }
    }
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
