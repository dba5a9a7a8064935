//! The searches beside random search, on a grid of which every trial is known.
//!
//! `cargo run -p selvedge-study --example search_a2 [store] [setting=value ...]` reads the 81 variants of
//! `docs/reports/studies/a2_search.toml` from a store of finished trials, `docs/reports/data` unless it is named. Then
//! each strategy is given 20 seeds on the grid: how far above the lowest validation loss is the lowest of 9, 18, 27 and
//! 36 evaluations?
//!
//! The regrets are means over the seeds. "Better than random" is the share of seeds in which the mean of a strategy's
//! four regrets is lower than that of random search with the same seed (half of those in which they are equal), and p
//! is that of the paired sign-flip test of these means, adjusted for the three comparisons.
//!
//! Strategies propose four variants at a time, as in a study. On a space with an end they never propose one twice: an
//! evaluation is always of another variant.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use rayon::prelude::*;
use selvedge_data::Source;
use selvedge_study::config::{Dimension, Values};
use selvedge_study::search::{
    Dimension as Axis, GaussianProcess, Observation, Point, Random, Sobol, Space, Strategy, Tpe,
    Value as Place,
};
use selvedge_study::statistics::{mean, paired_superiority, step_down_p};
use selvedge_study::store::{FolderStore, Store};
use selvedge_study::{Datasets, Runner, StudyConfig, StudyResults};
use selvedge_train::Context;

/// The numbers of evaluations after which the best is told.
const AFTER: [usize; 4] = [9, 18, 27, 36];
/// How many variants are proposed at once.
const GENERATION: usize = 4;
/// How often each strategy searches.
const SEEDS: u64 = 20;

/// Of any kind: this program does no more than show it.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = package.ancestors().nth(2).ok_or("the package is two folders deep")?;
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_store = arguments.first().is_some_and(|argument| !argument.contains('='));
    let store = if is_store { arguments.remove(0).into() } else { root.join("docs/reports/data") };
    let study = StudyConfig::read(root.join("docs/reports/studies/a2_search.toml"))?;
    let study = study.overridden(&arguments)?;
    let results = finished(&study, FolderStore::existing(&store)?)?;
    let grid = Grid::of(&results)?;

    let (tpe, process) = (Tpe::default(), GaussianProcess::default());
    let strategies: [(&str, &dyn Strategy); 4] =
        [("Random", &Random), ("Sobol", &Sobol), ("Tpe", &tpe), ("GaussianProcess", &process)];
    let mut found: Vec<Vec<[f64; 4]>> = Vec::new();
    for (_, strategy) in strategies {
        let seeds = (0..SEEDS).into_par_iter().map(|seed| grid.regrets(strategy, seed));
        found.push(seeds.collect::<Result<_, Failure>>()?);
    }
    let means: Vec<Vec<f64>> =
        found.iter().map(|of| of.iter().filter_map(|regrets| mean(regrets)).collect()).collect();
    let gains: Vec<Vec<f64>> =
        means.iter().map(|of| of.iter().zip(&means[0]).map(|(a, b)| b - a).collect()).collect();
    let pairs = gains[1..].iter().map(|of| of.iter().copied().map(Some).collect());
    let adjusted = step_down_p(&pairs.collect::<Vec<_>>());

    println!(
        "The lowest of {} values is {:.4}, the median {:.4}.",
        grid.costs.len(),
        grid.best(),
        grid.median()
    );
    println!("| strategy | 9 | 18 | 27 | 36 | better than random | p |");
    println!("|---|---|---|---|---|---|---|");
    println!("{}", row("any order, expected", AFTER.map(|n| grid.expected(n)), "", ""));
    println!("{}", row("the grid's order", grid.in_order(), "", ""));
    for (at, ((name, _), found)) in strategies.iter().zip(&found).enumerate() {
        let regrets = [0, 1, 2, 3].map(|after| {
            mean(&found.iter().map(|of| of[after]).collect::<Vec<_>>()).unwrap_or(f64::NAN)
        });
        let better = paired_superiority(&gains[at], 1).filter(|_| at > 0);
        let better = better.map_or(String::new(), |s| format!("{:.0} %", 100.0 * s.probability));
        let p = at.checked_sub(1).and_then(|at| adjusted[at]);
        let p =
            p.map_or(
                String::new(),
                |p| if p < 1e-4 { "< 0.0001".into() } else { format!("{p:.4}") },
            );
        println!("{}", row(&format!("`{name}`"), regrets, &better, &p));
    }
    Ok(())
}

/// What is in a store of a study that was finished on some device.
fn finished(study: &StudyConfig, store: FolderStore) -> Result<StudyResults, Failure> {
    let name = store.display();
    let store = Arc::new(store);
    let datasets = Datasets::new(Source::default());
    let context = Context::new(&Device::flex());
    for device in ["flex", "ndarray", "wgpu", "cuda"] {
        let results = Runner::new(store.clone(), &datasets, device).read(study, &context)?;
        if results.complete() {
            return Ok(results);
        }
    }
    let study = "cargo run --example study -- docs/reports/studies/a2_search.toml --store";
    Err(format!("{name} has not all trials of the grid; they are made by: {study} {name}").into())
}

fn row(name: &str, regrets: [f64; 4], better: &str, p: &str) -> String {
    let [a, b, c, d] = regrets.map(|regret| format!("{regret:.4}"));
    format!("| {name} | {a} | {b} | {c} | {d} | {better} | {p} |")
}

/// Every point of the space and what it came to.
struct Grid {
    space: Space,
    /// What is to be made small, the last dimension fastest; `None` of what diverged.
    costs: Vec<Option<f64>>,
}

impl Grid {
    fn of(results: &StudyResults) -> Result<Self, Failure> {
        let study = &results.study;
        let space = Space::new(study.vary.iter().map(axis).collect::<Result<_, _>>()?)?;
        let cost = |values: Vec<Option<f64>>| {
            let values: Option<Vec<f64>> = values.into_iter().collect();
            mean(&values?).map(|mean| study.metric.cost(mean))
        };
        let costs: Vec<Option<f64>> =
            results.variants.iter().map(|variant| cost(variant.values(study))).collect();
        match costs.len() as u64 == space.size().unwrap_or(0) && costs.iter().any(Option::is_some) {
            true => Ok(Self { space, costs }),
            false => Err("the study is not a whole grid with a value".into()),
        }
    }

    fn cost(&self, point: &Point) -> Option<f64> {
        let sizes = self.space.dimensions().iter().map(|axis| match *axis {
            Axis::Categorical { choices } => choices,
            Axis::Integer { low, high } => (high - low) as usize + 1,
            Axis::Float { .. } | Axis::LogFloat { .. } => unreachable!("`axis` makes none"),
        });
        let places = point.iter().map(|place| match *place {
            Place::Choice(at) => at,
            Place::Integer(at) => at as usize,
            Place::Float(_) => unreachable!("`axis` makes none"),
        });
        self.costs[sizes.zip(places).fold(0, |index, (size, place)| index * size + place)]
    }

    /// All values from the lowest; those without one are as bad as the worst.
    fn sorted(&self) -> Vec<f64> {
        let worst = self.costs.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut sorted: Vec<f64> = self.costs.iter().map(|cost| cost.unwrap_or(worst)).collect();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    fn best(&self) -> f64 {
        self.sorted()[0]
    }

    fn median(&self) -> f64 {
        self.sorted()[self.costs.len() / 2]
    }

    /// How far above the lowest value the lowest of `costs` is after each number of evaluations.
    fn best_after(&self, costs: &[Option<f64>]) -> [f64; 4] {
        let worst = *self.sorted().last().expect("a grid has points");
        AFTER.map(|after| {
            let lowest = costs.iter().take(after).flatten().copied().fold(worst, f64::min);
            lowest - self.best()
        })
    }

    fn in_order(&self) -> [f64; 4] {
        self.best_after(&self.costs)
    }

    /// What `n` of all points, drawn without another, come to on average.
    fn expected(&self, n: usize) -> f64 {
        let sorted = self.sorted();
        let all = sorted.len();
        // The chance that none of those before is drawn, and then that this one is.
        let (mut none, mut expected) = (1.0, 0.0);
        for (at, value) in sorted.iter().enumerate() {
            let drawn = (n as f64 / (all - at) as f64).min(1.0);
            expected += none * drawn * (value - sorted[0]);
            none *= 1.0 - drawn;
        }
        expected
    }

    fn regrets(&self, strategy: &dyn Strategy, seed: u64) -> Result<[f64; 4], Failure> {
        let mut history: Vec<Observation> = Vec::new();
        while history.len() < AFTER[3] {
            let points = strategy.propose(&self.space, &history, seed, GENERATION)?;
            if points.is_empty() {
                break;
            }
            for point in points {
                let is_again = history.iter().any(|before| before.point == point);
                assert!(!is_again, "a space with an end is gone through without repeating");
                let value = self.cost(&point);
                history.push(Observation { point, value });
            }
        }
        let costs: Vec<Option<f64>> = history.iter().map(|observation| observation.value).collect();
        Ok(self.best_after(&costs))
    }
}

/// A dimension as a study's search sees it: a list of numbers in order has one.
fn axis(dimension: &Dimension) -> Result<Axis, Failure> {
    let Values::List(values) = &dimension.values else {
        return Err(format!("`{}` is a range, not a list", dimension.name()).into());
    };
    let numbers: Option<Vec<f64>> = values.iter().map(toml::Value::as_float).collect();
    let has_order = numbers.is_some_and(|n| n.is_sorted() || n.iter().rev().is_sorted());
    Ok(match has_order {
        true => Axis::Integer { low: 0, high: values.len() as i64 - 1 },
        false => Axis::Categorical { choices: values.len() },
    })
}
