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
use selvedge::study::{Datasets, Runner, StudyConfig, StudyResults, TrialConfig};
use selvedge::train::{Context, Progress};
use selvedge::{cli, device};

const FOLDER: &str = "docs/reports";

/// Puts tables and figures into pages where they ask for them, from the records of finished trials. Trains nothing:
/// what is not finished is said below the table. A run without new records changes no byte.
#[derive(Parser)]
struct Args {
    /// The pages [default: those of the folder]
    pages: Vec<PathBuf>,
    /// Writes nothing, and fails if a page or figure is not what the records make it, or nothing could be checked
    #[arg(long)]
    check: bool,
    /// Folder with the pages; in it are studies/, data/ with the records, and figures/
    #[arg(long, value_name = "FOLDER", default_value = FOLDER)]
    folder: PathBuf,
    /// Folder that holds the data sets, and no other [default: as of `study`]
    #[arg(long, value_name = "FOLDER")]
    data_path: Option<PathBuf>,
}

fn main() -> ExitCode {
    cli::run(|args: Args| report_pages(&args))
}

fn report_pages(args: &Args) -> Result<(), Box<dyn Error>> {
    let paths = if args.pages.is_empty() { pages_of(&args.folder)? } else { args.pages.clone() };
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
    let (mut made, mut read) = (Made::default(), BTreeSet::new());
    for path in &paths {
        let failed = |error: &dyn Error| cli::Failed(format!("{}: {error}", path.display()));
        // The same page under two names is one.
        if read.insert(fs::canonicalize(path).map_err(|error| failed(&error))?) {
            made.add(path, &mut records).map_err(|error| failed(&*error))?;
        }
    }
    if args.pages.is_empty() {
        made.tell_unused(&args.folder)?;
    }
    let (skipped, blocks) = (made.skipped.len(), made.blocks);
    if skipped > 0 {
        let what = if args.check { "were not checked" } else { "stay as they are" };
        Progress::message(&format!("{skipped} of {blocks} blocks {what}"));
    }
    if args.check && skipped > 0 && skipped == blocks {
        return Err(cli::Failed("nothing was checked: the images are not here".into()).into());
    }
    keep(made, args)
}

/// What the pages and figures are to be.
#[derive(Default)]
struct Made {
    figures: BTreeMap<PathBuf, Vec<u8>>,
    pages: Vec<(PathBuf, String)>,
    /// How many blocks there are.
    blocks: usize,
    /// The studies of the blocks that stay as they are: their images are not here.
    skipped: Vec<PathBuf>,
}

impl Made {
    fn add(&mut self, path: &Path, records: &mut Records) -> Result<(), Box<dyn Error>> {
        let page = Page::read(&fs::read_to_string(path)?)?;
        let mut figures = Vec::new();
        let text = page.with_contents(|block| -> Result<_, Box<dyn Error>> {
            self.blocks += 1;
            let Some(results) = records.of(block)? else {
                self.skipped.push(block.study.clone());
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
        })?;
        self.pages.push((path.into(), text));
        let folder = records.folder;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let is_beside =
            fs::canonicalize(parent.unwrap_or(Path::new(".")))? == fs::canonicalize(folder)?;
        if !figures.is_empty() && !is_beside {
            let message = format!(
                "its figures would lie in {}: a page with figures has to be in {}",
                folder.join("figures").display(),
                folder.display()
            );
            return Err(message.into());
        }
        for (name, bytes) in figures {
            let file = folder.join("figures").join(name);
            if self.figures.insert(file.clone(), bytes).is_some() {
                let message = format!("{} is made twice: give one a `name`", file.display());
                return Err(message.into());
            }
        }
        Ok(())
    }

    /// Tells of figures that a study of the folder gave its name, and that no page has any more. They stay: somebody
    /// may have put them there.
    fn tell_unused(&self, folder: &Path) -> Result<(), Box<dyn Error>> {
        let names = |folder: &Path| -> BTreeSet<String> {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        };
        let studies = names(&folder.join("studies"));
        let stems: Vec<&str> =
            studies.iter().filter_map(|name| name.strip_suffix(".toml")).collect();
        let is_skipped =
            |stem: &str| self.skipped.iter().any(|s| s.ends_with(format!("{stem}.toml")));
        let figures = folder.join("figures");
        for name in names(&figures) {
            let is_of = |stem: &&&str| name.starts_with(&format!("{stem}_"));
            let Some(stem) = stems.iter().filter(is_of).max_by_key(|stem| stem.len()) else {
                continue;
            };
            let is_used = self.figures.contains_key(&figures.join(&name))
                || self.pages.iter().any(|(_, text)| text.contains(&name));
            if !is_used && !is_skipped(stem) {
                let file = figures.join(&name);
                Progress::message(&format!("{} is in no page any more", file.display()));
            }
        }
        Ok(())
    }
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

/// Writes what is not as it was, or says that it is not: figures first, so that no page names one that is not there.
fn keep(made: Made, args: &Args) -> Result<(), Box<dyn Error>> {
    let pages = made.pages.into_iter().map(|(path, text)| (path, text.into_bytes()));
    let mut changed = Vec::new();
    for (path, bytes) in made.figures.into_iter().chain(pages) {
        if fs::read(&path).is_ok_and(|old| old == bytes) {
            continue;
        }
        if !args.check {
            let failed = |error| cli::Failed(format!("cannot write {}: {error}", path.display()));
            path.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
            selvedge::files::write(&path, bytes).map_err(failed)?;
        }
        changed.push(path.display().to_string());
    }
    match (changed.is_empty(), args.check) {
        (true, _) => cli::print("nothing has changed\n")?,
        (false, false) => cli::print(&format!("written: {}\n", changed.join(", ")))?,
        (false, true) => {
            let what = changed.join(", ");
            let folder = match args.folder == Path::new(FOLDER) {
                true => String::new(),
                false => format!(" -- --folder {}", args.folder.display()),
            };
            let message = format!(
                "not what the records make it: {what}; `cargo run --example report_pages{folder}` writes it"
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
            let devices = device::names();
            if !devices.contains(&block.device.as_str()) {
                let (name, known) = (block.device.escape_debug(), devices.join(", "));
                return Err(format!("the device `{name}` is unknown: there are {known}").into());
            }
            let file = self.folder.join("studies").join(&block.study);
            let study = StudyConfig::read(file)?.overridden(&block.changes)?;
            for variant in study.variants()? {
                if !self.has_images(&variant.trial)? {
                    return Ok(None);
                }
            }
            let runner = Runner::new(self.store.clone(), &self.datasets, &block.device);
            self.known.insert(key.clone(), runner.read(&study, &self.context)?);
        }
        Ok(Some(&self.known[&key]))
    }

    /// Whether the images of a trial are here, and those of what is trained before it.
    fn has_images(&self, trial: &TrialConfig) -> Result<bool, Box<dyn Error>> {
        match self.datasets.load(&trial.dataset) {
            Err(error) if error.kind() == DataErrorKind::NotFound => return Ok(false),
            loaded => drop(loaded?),
        }
        match &trial.pretrain {
            Some(before) if before.weights.is_none() => self.has_images(&before.trial),
            _ => Ok(true),
        }
    }
}
