//! The searches beside random search, on functions whose smallest value is known.
//!
//! `cargo run -p selvedge-study --example search_functions [seeds]` prints, for each function and strategy, how far
//! above the smallest value the best of 25, 50 and 100 trials is (the median over the seeds), and whether the
//! best of 100 differs from that of random search with the same seed by more than chance.

use std::num::NonZeroU64;

use rayon::prelude::*;
use selvedge_study::search::{
    Dimension, GaussianProcess, Observation, Point, Random, Sobol, Space, Strategy, Tpe, Value,
};
use selvedge_study::statistics::{paired_superiority, step_down_p};

#[path = "../src/search/tests/functions.rs"]
mod functions;

/// The numbers of trials after which the best is told.
const AFTER: [usize; 3] = [25, 50, 100];

/// Of any kind: this program does no more than show it.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let seeds = std::env::args()
        .nth(1)
        .map_or(Ok(NonZeroU64::MIN.saturating_add(19)), |seeds| seeds.parse())?;
    let (tpe, process) = (Tpe::default(), GaussianProcess::default());
    let strategies: [(&str, &dyn Strategy); 4] =
        [("Random", &Random), ("Sobol", &Sobol), ("Tpe", &tpe), ("GaussianProcess", &process)];
    println!("| function | strategy | 25 | 50 | 100 | better than random | p |");
    println!("|---|---|---|---|---|---|---|");
    for function in functions::functions() {
        let found = strategies.iter().map(|(_, strategy)| {
            (0..seeds.get())
                .into_par_iter()
                .map(|seed| regrets(&function, *strategy, seed))
                .collect()
        });
        let found: Vec<Vec<[f64; 3]>> = found.collect::<Result<_, Failure>>()?;
        let differences: Vec<Vec<f64>> = found
            .iter()
            .map(|of| of.iter().zip(&found[0]).map(|(a, random)| random[2] - a[2]).collect())
            .collect();
        let pairs = differences[1..].iter().map(|of| of.iter().copied().map(Some).collect());
        let adjusted = step_down_p(&pairs.collect::<Vec<_>>());
        for (place, ((name, _), found)) in strategies.iter().zip(&found).enumerate() {
            let medians = [0, 1, 2].map(|after| median(found.iter().map(|of| of[after]).collect()));
            let [a, b, c] = medians.map(|median| format!("{median:.4}"));
            let better = paired_superiority(&differences[place], 1).filter(|_| place > 0);
            let better =
                better.map_or(String::new(), |s| format!("{:.0} %", 100.0 * s.probability));
            let p = place.checked_sub(1).and_then(|place| adjusted[place]);
            let p = p.map_or(String::new(), |p| {
                if p < 1e-4 { "< 0.0001".into() } else { format!("{p:.4}") }
            });
            println!("| {} | `{name}` | {a} | {b} | {c} | {better} | {p} |", function.name);
        }
    }
    Ok(())
}

/// How far above the smallest value the best is after each of the numbers of trials.
fn regrets(
    function: &functions::Function,
    strategy: &dyn Strategy,
    seed: u64,
) -> Result<[f64; 3], Failure> {
    let mut history: Vec<Observation> = Vec::new();
    while history.len() < AFTER[2] {
        for point in strategy.propose(&function.space, &history, seed, 1)? {
            let value = Some((function.value)(&point));
            history.push(Observation { point, value });
        }
    }
    let best = |trials: usize| {
        let values = history[..trials].iter().filter_map(|observation| observation.value);
        values.fold(f64::INFINITY, f64::min) - function.smallest
    };
    Ok(AFTER.map(best))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        1 => values[middle],
        _ => 0.5 * (values[middle - 1] + values[middle]),
    }
}
