//! Which settings are best, and does the difference mean anything?

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use selvedge::cli;
use selvedge::report::command_line;
use selvedge::study::{Datasets, Runner, StudyConfig, check_output};

/// Trains every variant of a study with every seed, and says which is best and which chance cannot tell from it.
/// Killed at any moment, the same command goes on; several processes may share the work. A finished trial is never
/// run again, in no study.
#[derive(Parser)]
struct Args {
    /// The study: a file of TOML, such as examples/studies/learning_rate.toml
    file: PathBuf,
    /// Changes of it: epochs=5, lr=1e-3,1e-2, 'seed=range(0,6)', ~model.dropout
    #[arg(value_name = "SETTING=VALUE")]
    changes: Vec<String>,
    /// Six variants, two seeds, one epoch on a fiftieth of the images: a check that everything works
    #[arg(long)]
    quick: bool,
    /// Lists the variants, or says what a search would try, and trains nothing
    #[arg(long)]
    dry_run: bool,
    /// Folder for tables and the report [default: one in runs/ that is called as the file]
    #[arg(long, value_name = "FOLDER")]
    output_dir: Option<PathBuf>,
    /// Keeps the model of every trial, too
    #[arg(long)]
    keep_models: bool,
    #[command(flatten)]
    store: cli::StoreArgs,
    #[command(flatten)]
    emit: cli::EmitArgs,
    #[command(flatten)]
    jobs: cli::JobArgs,
    #[command(flatten)]
    common: cli::Common,
}

fn main() -> ExitCode {
    cli::run(|args: Args| study(&args))
}

fn study(args: &Args) -> Result<(), Box<dyn Error>> {
    let study = StudyConfig::read(&args.file)?.overridden(&args.changes)?;
    let study = if args.quick { study.quick() } else { study };
    let outline = study.outline()?;
    if args.dry_run {
        return Ok(cli::print(&outline)?);
    }
    let name = args.file.file_stem().unwrap_or_default().to_string_lossy();
    if let Some(script) = args.emit.script(&name) {
        args.emit.check_data(&study, args.common.source())?;
        return Ok(cli::print(&script)?);
    }
    let name = if args.quick { format!("runs/{name}_quick") } else { format!("runs/{name}") };
    let folder = args.output_dir.clone().unwrap_or(name.into());
    check_output(&folder)?;
    let (context, device) = args.jobs.context(&args.common, "study")?;
    let datasets = Datasets::new(args.common.source());
    let runner = Runner::new(args.store.open()?, &datasets, device);
    let runner = if args.keep_models { runner.with_models() } else { runner };

    let results = runner.run(&study, &context)?;

    let table = results.table();
    cli::print(&results.text())?;
    results.write(&folder)?;
    let command = command_line("cargo run --example study --", std::env::args().skip(1));
    results.write_report(&folder, &command)?;
    cli::print(&format!("tables and report.html are in {}\n", folder.display()))?;
    if !results.complete() {
        return Err(cli::Stopped("the same command goes on".into()).into());
    }
    match table.rows.iter().map(|row| row.failed).sum() {
        0 => Ok(()),
        failed => Err(cli::Failed(format!("{failed} trials failed")).into()),
    }
}
