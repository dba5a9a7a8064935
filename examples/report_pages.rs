//! The pages of the reports: tables and figures are made from the records of finished trials.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use selvedge::data::{DataErrorKind, Source};
use selvedge::study::pages::{Block, Page};
use selvedge::study::store::FolderStore;
use selvedge::study::{Datasets, Runner, StudyConfig, StudyResults};
use selvedge::train::{Context, Progress};
use selvedge::{cli, device};

/// Puts tables and figures into pages where they ask for them, from the records of finished trials. Trains nothing:
/// what is not finished is said below the table. A run without new records changes no byte.
#[derive(Parser)]
struct Args {
    /// The pages [default: those of the folder]
    pages: Vec<PathBuf>,
    /// Writes nothing, and fails if a page or figure is not what the records make it
    #[arg(long)]
    check: bool,
    /// Folder with the pages; in it are studies/, data/ with the records, and figures/
    #[arg(long, value_name = "FOLDER", default_value = "docs/reports")]
    folder: PathBuf,
    /// Folder that holds the data sets, and no other [default: as of `study`]
    #[arg(long, value_name = "FOLDER")]
    data_path: Option<PathBuf>,
}

fn main() -> ExitCode {
    cli::run(|args: Args| report_pages(&args))
}

fn report_pages(args: &Args) -> Result<(), Box<dyn Error>> {
    let pages = if args.pages.is_empty() { pages_of(&args.folder)? } else { args.pages.clone() };
    // For checks alone: the key of a trial has the name of its device, which need not be here.
    let (device, _) = device::open_named("flex").or_else(|_| device::open_named("auto"))?;
    let source = match &args.data_path {
        Some(folder) => Source::folder(folder),
        None => Source::default(),
    };
    let source = source.without_download();
    let data = args.folder.join("data");
    let store = FolderStore::existing(&data)
        .map_err(|error| cli::Failed(format!("cannot read {}: {error}", data.display())))?;
    let mut records = Records {
        folder: &args.folder,
        store: Arc::new(store),
        datasets: Datasets::new(source),
        context: Context::new(&device),
        known: BTreeMap::new(),
    };
    let mut files = BTreeMap::new();
    for path in &pages {
        let failed = |error: &dyn Error| cli::Failed(format!("{}: {error}", path.display()));
        let old = fs::read_to_string(path).map_err(|error| failed(&error))?;
        let page = Page::read(&old).map_err(|error| failed(&error))?;
        let mut figures = Vec::new();
        let text = page.with_contents(|block| -> Result<_, Box<dyn Error>> {
            let Some(results) = records.of(block)? else {
                Progress::message(&format!(
                    "{}: the images of {} are not here: its block stays as it is",
                    path.display(),
                    block.study.display()
                ));
                return Ok(None);
            };
            let content = block.content(results)?;
            figures.extend(content.figures);
            Ok(Some(content.markdown))
        });
        files.insert(path.clone(), text.map_err(|error| failed(&error))?.into_bytes());
        for (name, bytes) in figures {
            let path = args.folder.join("figures").join(name);
            if files.insert(path.clone(), bytes).is_some() {
                let message = format!("{} is made twice: give one a `name`", path.display());
                return Err(cli::Failed(message).into());
            }
        }
    }
    keep(files, args.check)
}

/// The pages of a folder, by name.
fn pages_of(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let failed = |error| cli::Failed(format!("cannot read {}: {error}", folder.display()));
    let entries = fs::read_dir(folder).map_err(failed)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<Result<BTreeSet<_>, _>>().map_err(failed)?;
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
    Ok(paths.into_iter().collect())
}

/// Writes what is not as it was, or says that it is not.
fn keep(files: BTreeMap<PathBuf, Vec<u8>>, check: bool) -> Result<(), Box<dyn Error>> {
    let mut changed = Vec::new();
    for (path, bytes) in files {
        if fs::read(&path).is_ok_and(|old| old == bytes) {
            continue;
        }
        if !check {
            let failed = |error| cli::Failed(format!("cannot write {}: {error}", path.display()));
            path.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
            selvedge::files::write(&path, bytes).map_err(failed)?;
        }
        changed.push(path.display().to_string());
    }
    match (changed.is_empty(), check) {
        (true, _) => cli::print("nothing has changed\n")?,
        (false, false) => cli::print(&format!("written: {}\n", changed.join(", ")))?,
        (false, true) => {
            let what = changed.join(", ");
            let message = format!(
                "not what the records make it: {what}; `cargo run --example report_pages` writes it"
            );
            return Err(cli::Failed(message).into());
        }
    }
    Ok(())
}

/// What is finished of studies, each read once.
struct Records<'a> {
    folder: &'a Path,
    store: Arc<FolderStore>,
    datasets: Datasets,
    context: Context,
    known: BTreeMap<String, StudyResults>,
}

impl Records<'_> {
    /// What is finished of a block's study; `None` if its images are not on this machine, without which nobody knows
    /// which records are of these images.
    fn of(&mut self, block: &Block) -> Result<Option<&StudyResults>, Box<dyn Error>> {
        let key = format!("{:?}", (&block.study, &block.changes, &block.device));
        if !self.known.contains_key(&key) {
            let file = self.folder.join("studies").join(&block.study);
            let study = StudyConfig::read(file)?.overridden(&block.changes)?;
            for variant in study.variants()? {
                match self.datasets.load(&variant.trial.dataset) {
                    Err(error) if error.kind() == DataErrorKind::NotFound => return Ok(None),
                    loaded => drop(loaded?),
                }
            }
            let runner = Runner::new(self.store.clone(), &self.datasets, &block.device);
            self.known.insert(key.clone(), runner.read(&study, &self.context)?);
        }
        Ok(Some(&self.known[&key]))
    }
}
