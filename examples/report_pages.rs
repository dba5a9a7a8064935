//! The pages of the reports: tables and figures are made from the records of finished trials.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use selvedge::data::Source;
use selvedge::study::Datasets;
use selvedge::study::pages::{Filled, Folder};
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
    let source = match &args.data_path {
        Some(folder) => Source::folder(folder),
        None => Source::default(),
    };
    let datasets = Datasets::new(source.without_download());
    let folder = Folder::new(&args.folder, &datasets, &device::names());
    let pages = if args.pages.is_empty() { folder.pages()? } else { args.pages.clone() };
    // For checks alone: the key of a trial has the name of its device, which need not be here.
    let (device, _) = device::open_named("flex").or_else(|_| device::open_named("auto"))?;
    let filled = folder.fill(&pages, &Context::new(&device), |skipped| {
        let (page, study) = (skipped.page.display(), skipped.study.display());
        Progress::message(&format!(
            "{page}: the images of {study} are not here: its block stays as it is"
        ));
    })?;
    if args.pages.is_empty() {
        for figure in filled.unused() {
            Progress::message(&format!("{} is in no page any more", figure.display()));
        }
    }
    let (skipped, blocks) = (filled.skipped.len(), filled.blocks);
    if skipped > 0 {
        let what = if args.check { "were not checked" } else { "stay as they are" };
        Progress::message(&format!("{skipped} of {blocks} blocks {what}"));
    }
    if args.check && skipped > 0 && skipped == blocks {
        return Err(cli::Failed("nothing was checked: the images are not here".into()).into());
    }
    keep(&filled, args)
}

/// Writes what is not as it was, or says that it is not.
fn keep(filled: &Filled, args: &Args) -> Result<(), Box<dyn Error>> {
    let changed = if args.check { filled.changed() } else { filled.write()? };
    let names: Vec<String> = changed.iter().map(|path| path.display().to_string()).collect();
    let what = names.join(", ");
    match (changed.is_empty(), args.check) {
        (true, _) => cli::print("nothing has changed\n")?,
        (false, false) => cli::print(&format!("written: {what}\n"))?,
        (false, true) => {
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
