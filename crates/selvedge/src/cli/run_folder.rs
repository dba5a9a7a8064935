//! Where a run goes.

use std::path::PathBuf;

use selvedge_files::{last_taken, next_free};

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

#[cfg(test)]
mod tests {
    use super::*;

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
