//! What the runs say together: means, paired differences, and whether these are more than chance.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::percent;
use super::results::{Diverged, Start, TransferResults};
use crate::config::adjusted_for;
use crate::statistics::{
    Interval, SMALLEST_SEEDS, bca_interval, mean, sign_flip_p, smallest_p, standard_deviation,
    step_down_p,
};

/// A p below this is called more than chance.
const LEVEL: f64 = 0.05;
/// The share of all studies in which an interval holds the true difference.
const CONFIDENCE: f64 = 0.95;

/// One fraction of the curve: test accuracies over the seeds, between 0 and 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Fraction of the target's training images.
    pub fraction: f64,
    /// Their number.
    pub images: usize,
    /// From random weights; `None` if no run is complete.
    pub random: Option<Summary>,
    /// From transferred weights; `None` if no run is complete.
    pub transferred: Option<Summary>,
    /// Transferred minus random; `None` if no pair of runs is complete.
    pub difference: Option<Difference>,
}

/// Test accuracies over the seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Their number.
    pub runs: usize,
    /// Their mean.
    pub mean: f64,
    /// Their sample standard deviation, with n − 1; `None` of one run.
    pub standard_deviation: Option<f64>,
}

/// Differences of test accuracy between the two runs of a seed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Their number.
    pub pairs: usize,
    /// Their mean.
    pub mean: f64,
    /// The 95 % interval of the mean ([`bca_interval`]); `None` of one pair.
    pub interval: Option<Interval>,
    /// The two-sided p of the exact sign-flip test ([`sign_flip_p`]).
    pub p: f64,
    /// The same, adjusted for the number of fractions that have enough seeds ([`step_down_p`]).
    pub adjusted_p: f64,
}

impl Difference {
    fn is_more_than_chance(&self) -> bool {
        self.adjusted_p < LEVEL
    }
}

impl TransferResults {
    /// A row for every fraction that has a point.
    pub(super) fn compare(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        let mut pairs = Vec::new();
        for point in &self.curve {
            let fraction = point.fraction;
            if rows.iter().all(|row| row.fraction != fraction) {
                let [random, transferred] = Start::ALL.map(|start| self.summary(fraction, start));
                let images = point.images;
                rows.push(Row { fraction, images, random, transferred, difference: None });
                pairs.push(self.pairs(fraction));
            }
        }
        for ((row, pairs), adjusted) in rows.iter_mut().zip(&pairs).zip(step_down_p(&pairs)) {
            row.difference = difference(pairs, adjusted);
        }
        rows
    }

    fn summary(&self, fraction: f64, start: Start) -> Option<Summary> {
        let values: Vec<f64> = self.runs(fraction, start).map(|run| run.test.accuracy).collect();
        Some(Summary {
            runs: values.len(),
            mean: mean(&values)?,
            standard_deviation: standard_deviation(&values),
        })
    }

    /// Transferred minus random, by seed.
    fn pairs(&self, fraction: f64) -> Vec<Option<f64>> {
        let accuracy = |seed, start| {
            let run = self.runs(fraction, start).find(|run| run.seed == seed);
            run.map(|run| run.test.accuracy)
        };
        let pair =
            |&seed| Some(accuracy(seed, Start::Transferred)? - accuracy(seed, Start::Random)?);
        self.seeds.iter().map(pair).collect()
    }

    /// The rows as text: fraction, images, test accuracy of both starts (mean ± standard deviation), their
    /// difference in points with its 95 % interval, p, and p adjusted for the number of fractions; then a
    /// line for each run that diverged.
    pub fn table(&self) -> String {
        let mut table = format!(
            "{:>8}  {:>7}  {:>15}  {:>15}  {:>10}  {:>16}  {:>6}  {:>8}\n",
            "fraction",
            "images",
            "random",
            "transferred",
            "difference",
            "95 % interval",
            "p",
            "adjusted"
        );
        for row in &self.rows {
            let cells = row
                .difference
                .as_ref()
                .map(Difference::cells)
                .unwrap_or(["–"; 4].map(String::from));
            let [difference, interval, p, adjusted] = cells;
            writeln!(
                table,
                "{:>8}  {:>7}  {:>15}  {:>15}  {difference:>10}  {interval:>16}  {p:>6}  {adjusted:>8}",
                percent(row.fraction),
                row.images,
                accuracy(row.random),
                accuracy(row.transferred),
            )
            .expect("writing to a string");
        }
        for d in &self.diverged {
            let Diverged { seed, epoch, batch, .. } = d;
            let (share, start) = (percent(d.fraction), d.start.name());
            writeln!(
                table,
                "{share:>8}  {start}, seed {seed}: diverged in epoch {epoch}, batch {batch}"
            )
            .expect("writing to a string");
        }
        table
    }

    /// The study's question and its answer: the fractions at which the difference is more than chance, or
    /// why none can be, and the accuracies at the smallest of them, or at the smallest of all.
    pub fn answer(&self) -> String {
        let question = format!("Does pre-training on {} help on {}?", self.source, self.target);
        let rows: Vec<(&Row, Difference)> =
            self.rows.iter().filter_map(|row| Some((row, row.difference?))).collect();
        // The smallest fraction at which there is something to say, or else the smallest.
        let clear = rows.iter().filter(|(_, difference)| difference.is_more_than_chance());
        let smallest = |a: &&(&Row, Difference), b: &&(&Row, Difference)| {
            a.0.fraction.total_cmp(&b.0.fraction)
        };
        let example = clear.min_by(smallest).or(rows.iter().min_by(smallest));
        let Some(Row { images, random: Some(random), transferred: Some(transferred), .. }) =
            example.map(|(row, _)| row)
        else {
            return format!("{question} No pair of runs is complete");
        };
        format!(
            "{question} {}. With {images} images, {:.1} % of the test images are right instead of {:.1} %",
            verdict(&rows),
            100.0 * transferred.mean,
            100.0 * random.mean
        )
    }

    /// Every point as a table with a header, separated by commas.
    pub fn to_csv(&self) -> String {
        let mut csv = String::from(
            "fraction,images,start,seed,best_epoch,train_loss,train_accuracy,\
             validation_loss,validation_accuracy,test_loss,test_accuracy\n",
        );
        for p in &self.curve {
            let start = p.start.name();
            write!(csv, "{},{},{start},{},{}", p.fraction, p.images, p.seed, p.best_epoch)
                .expect("writing to a string");
            for m in [p.train, p.validation, p.test] {
                write!(csv, ",{:.6},{:.6}", m.loss, m.accuracy).expect("writing to a string");
            }
            csv.push('\n');
        }
        csv
    }
}

/// The figures of one fraction's pairs; `None` if there is none.
fn difference(pairs: &[Option<f64>], adjusted_p: Option<f64>) -> Option<Difference> {
    let values: Vec<f64> = pairs.iter().flatten().copied().collect();
    Some(Difference {
        pairs: values.len(),
        mean: mean(&values)?,
        interval: bca_interval(&values, CONFIDENCE, 0),
        p: sign_flip_p(&values)?,
        adjusted_p: adjusted_p?,
    })
}

impl Difference {
    /// Its cells in the table.
    fn cells(&self) -> [String; 4] {
        let points = |x: f64| format!("{:+.2}", 100.0 * x);
        let interval = self.interval.map_or("–".into(), |interval| {
            format!("{} to {}", points(interval.low), points(interval.high))
        });
        [points(self.mean), interval, format!("{:.3}", self.p), format!("{:.3}", self.adjusted_p)]
    }
}

fn accuracy(summary: Option<Summary>) -> String {
    summary.map_or("–".into(), |Summary { mean, standard_deviation, .. }| {
        let spread = standard_deviation.map(|deviation| format!(" ± {:.2}", 100.0 * deviation));
        format!("{:.2}{} %", 100.0 * mean, spread.unwrap_or_default())
    })
}

/// At which fractions the difference is more than chance.
fn verdict(rows: &[(&Row, Difference)]) -> String {
    let most = rows.iter().map(|(_, difference)| difference.pairs).max().unwrap_or(0);
    if most < SMALLEST_SEEDS {
        let seeds = if most == 1 { "1 seed" } else { &format!("{most} seeds") };
        let smallest = smallest_p(most);
        return format!(
            "{seeds} cannot tell: no p is below {smallest:.2}, and only {SMALLEST_SEEDS} seeds or more can bring it below {LEVEL}"
        );
    }
    let compared = match rows.len() {
        1 => format!("sign-flip test, p < {LEVEL}"),
        _ => {
            let pairs = rows.iter().map(|(_, difference)| difference.pairs);
            format!("sign-flip test, p < {LEVEL} adjusted for {}", adjusted_for(pairs))
        }
    };
    let at = |holds: fn(&Difference) -> bool| {
        let kept = rows.iter().filter(|(_, difference)| holds(difference));
        list(&kept.map(|(row, _)| percent(row.fraction)).collect::<Vec<_>>())
    };
    let helps = at(|d| d.is_more_than_chance() && d.mean > 0.0);
    let harms = at(|d| d.is_more_than_chance() && d.mean < 0.0);
    let chance = at(|d| !d.is_more_than_chance());
    let mut verdict = match (helps, harms) {
        (Some(helps), None) => format!("Yes, more than chance at {helps} of the images"),
        (None, Some(harms)) => format!("It harms, more than chance at {harms} of the images"),
        (Some(helps), Some(harms)) => {
            format!("It helps at {helps} of the images and harms at {harms}")
        }
        (None, None) => return format!("Not more than chance at any fraction ({compared})"),
    };
    write!(verdict, " ({compared})").expect("writing to a string");
    if let Some(chance) = chance {
        write!(verdict, "; at {chance} it may be chance").expect("writing to a string");
    }
    verdict
}

/// "2 %, 5 % and 10 %"; `None` of nothing.
fn list(items: &[String]) -> Option<String> {
    match items {
        [] => None,
        [one] => Some(one.clone()),
        [first @ .., last] => Some(format!("{} and {last}", first.join(", "))),
    }
}

#[cfg(test)]
mod tests;
