//! How the page came about: choices, settings, and how to make it again.

use std::collections::BTreeSet;

use selvedge_report::html::{Block, Cell, Machine, Row, Section, Table};

use super::text::{self, choices};
use super::{Report, Row as Variant};
use crate::TrialRecord;
use crate::config::{Part, Search};

impl Report<'_> {
    /// How choices were made.
    pub(super) fn method(&self) -> Section {
        let study = &self.results.study;
        let metric = &study.metric;
        let mut items = Vec::new();
        let order = if metric.is_loss() { "lowest" } else { "highest" };
        let images = match metric.part() {
            Part::Train => "training images, which says nothing about new images",
            _ => "validation images",
        };
        items.push(format!(
            "Variants were compared by the {} alone: that of {images}.",
            metric.words()
        ));
        items.push(
            "Within a run the epoch of best validation was kept, or the last one where nothing was validated. The test \
             images were measured once, of the model that this choice left; no choice was made by them."
                .into(),
        );
        items.push(format!(
            "The best is the one of the {order} mean over the seeds. It was chosen by the very values that it is \
             judged by here, and is a little worse than it looks; its test values do not suffer from that."
        ));
        let sum = |count: fn(&Variant) -> usize| self.table.rows.iter().map(count).sum::<usize>();
        let trials = self.results.variants.iter().map(|v| v.trials.len()).sum::<usize>();
        items.push(format!(
            "{}, each with {}: {}, of which {} diverged, {} were ended early, {} failed and {} are not finished.",
            text::count(self.table.rows.len(), "variant"),
            text::count(study.seeds.len(), "seed"),
            text::count(trials, "trial"),
            sum(|row| row.diverged),
            sum(|row| row.pruned.len()),
            sum(|row| row.failed),
            sum(|row| row.unfinished),
        ));
        let mut found = format!("Variants were found by {}.", searched(study.search));
        if self.results.untried() > 0 {
            let left = text::count(self.results.untried(), "trial");
            found += &format!(" It is not finished: {left} more may be tried.");
        }
        items.push(found);
        if let Some(pruner) = study.pruner {
            let words = pruner.words(!study.variant.is_empty());
            items.push(match sum(|row| row.pruned.len()) {
                0 => format!("A trial was to end early where its best epoch was worse than {words}: none did."),
                _ => format!("A trial was ended early where its best epoch was worse than {words}."),
            });
        }
        Section::new("How it was decided").with(Block::List(items))
    }

    /// What was set.
    pub(super) fn settings(&self) -> Section {
        let study = &self.results.study;
        let mut section = Section::new("Settings");
        if !study.vary.is_empty() {
            let mut table = Table::new("What varies", ["setting", "values"]);
            for dimension in &study.vary {
                table.rows.push(Row::from([
                    Cell::text(dimension.name()),
                    Cell::text(text::short(&choices(dimension), 500)),
                ]));
            }
            section = section.with(table);
        }
        if !study.variant.is_empty() {
            let mut table = Table::new("What changes together", ["variant", "settings"]);
            for (name, settings) in study.variant.iter().take(100) {
                let settings = text::short(settings.to_string().trim_end(), 1000);
                table.rows.push(Row::from([Cell::text(name), Cell::text(settings)]));
            }
            section = section.with(table);
        }
        let base = study.base.to_string();
        if !base.trim().is_empty() {
            section = section
                .with("What all variants share, as the study says it; the rest is the default:");
            section = section.with(Block::Code(base.trim_end().into()));
        }
        let best = self.best().and_then(|best| best.trials.iter().flatten().next());
        if let Some(trial) = best {
            section = section.with("All settings of the best variant:");
            section = section.with(Block::Code(trial.settings.to_string().trim_end().into()));
        }
        section
    }

    /// How to make it again, and on what it was made.
    pub(super) fn again(&self, command: &str) -> Section {
        let study = &self.results.study;
        let trials = || self.results.trials().chain(&self.results.before);
        let distinct = |of: fn(&TrialRecord) -> String| -> Vec<String> {
            trials().map(of).collect::<BTreeSet<_>>().into_iter().collect()
        };
        let seeds: Vec<String> = study.seeds.iter().take(200).map(ToString::to_string).collect();
        let more = study.seeds.len().saturating_sub(seeds.len());
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        let seconds: f64 = trials().map(|trial| trial.seconds).filter(|s| s.is_finite()).sum();
        let mut facts = vec![
            ("seeds", seeds.join(", ") + &more),
            ("SHA-256 of images and labels", distinct(data).join("\n")),
            ("device", distinct(|trial| trial.device.clone()).join(", ")),
            ("version of Selvedge", distinct(|trial| trial.version.clone()).join(", ")),
            ("time of training", duration(seconds)),
        ];
        facts.retain(|(_, value)| !value.is_empty());
        let facts = facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let command = Some(command).filter(|command| !command.trim().is_empty());
        let mut section = Section::new("How to make it again");
        if let Some(command) = command {
            section = section.with(Block::Code(command.into()));
        }
        section
            .with(
                "The same settings and seeds on the same device give the same values to the last bit. A finished \
                 trial is not run again.",
            )
            .with(Block::Facts(facts))
            .with("This page was made on:")
            .with(Machine::here())
            .with(Block::Note(
                "Beside this page: variants.csv, trials.csv and results.json have all values, optuna.jsonl opens in \
                 optuna-dashboard, and figures/ has each figure as SVG and PNG."
                    .into(),
            ))
    }
}

/// How variants are found, in words.
fn searched(search: Search) -> String {
    match search {
        Search::Grid => "a grid: every combination".into(),
        Search::OneAtATime => "changing one setting of the base at a time".into(),
        Search::Random { seed } => format!("drawing settings at random (seed {seed})"),
        Search::Sobol { seed } => format!("a scrambled Sobol sequence (seed {seed})"),
        Search::Tpe { seed } => format!("a tree-structured Parzen estimator (seed {seed})"),
        Search::GaussianProcess { seed } => {
            format!("the expected improvement of a Gaussian process (seed {seed})")
        }
        Search::SuccessiveHalving { smallest, eta, seed } => format!(
            "successive halving from {}, the best of each {eta} for {eta} times as many (seed {seed})",
            text::count(smallest as usize, "epoch")
        ),
        Search::Hyperband { smallest, eta, seed } => format!(
            "Hyperband from {}, the best of each {eta} for {eta} times as many (seed {seed})",
            text::count(smallest as usize, "epoch")
        ),
    }
}

/// The data set of a trial and its checksum.
fn data(trial: &TrialRecord) -> String {
    let name = match trial.settings.get("dataset") {
        Some(toml::Value::Table(table)) => {
            let parts = ["name", "folder", "classes"].map(|key| table.get(key).map(text::shown));
            parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
        }
        Some(value) => text::shown(value),
        None => String::new(),
    };
    format!("{}: {}", text::short(&name, 200), trial.data)
}

/// Seconds as people say them.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}
