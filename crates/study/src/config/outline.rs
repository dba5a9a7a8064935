//! What a study is going to do, in words.

use std::fmt::Write as _;

use super::variants::shown;
use super::{ConfigError, Dimension, Search, StudyConfig, Values};
use crate::search::{Hyperband, Rung, SuccessiveHalving};
use crate::statistics::SMALLEST_SEEDS;

impl StudyConfig {
    /// What would be trained: the names of the variants, a line each; of a search, how many variants of what it would
    /// try. Where trials may end early, the last line says so.
    ///
    /// ```
    /// let text = "[study]\nsearch = 'tpe'\nbudget = 20\n[vary]\nlearning_rate = { min = 1e-4, max = 0.1, log = true }";
    /// let study: selvedge_study::StudyConfig = text.parse()?;
    /// let expected = "tpe, 20 variants, with 3 seeds each, of:\n  learning_rate: 0.0001 to 0.1, logarithmic\n";
    /// assert_eq!(study.outline()?, expected);
    /// # Ok::<(), selvedge_study::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for an impossible study.
    pub fn outline(&self) -> Result<String, ConfigError> {
        let variants = self.checked()?;
        // The one epoch of a quick study always comes to its end.
        let pruner = self.pruner.filter(|_| !self.is_quick).map(|pruner| {
            let words = pruner.words(!self.variant.is_empty());
            format!("a trial ends early where its best epoch is worse than {words}\n")
        });
        let pruner = pruner.unwrap_or_default();
        if self.search.is_listed() {
            let names = variants.iter().map(|variant| format!("{}\n", variant.name));
            return Ok(names.chain([pruner]).collect());
        }
        let mut text = format!(
            "{}, with {} each, of:\n",
            self.search_words()?,
            count(self.seeds.len(), "seed")
        );
        for dimension in &self.vary {
            let _ = writeln!(text, "  {}: {}", dimension.name(), words(dimension));
        }
        if !self.variant.is_empty() {
            let names: Vec<&str> = self.variant.iter().map(|(name, _)| name.as_str()).collect();
            let _ = writeln!(text, "for each of: {}", names.join("; "));
        }
        Ok(text + &pruner)
    }

    /// How many variants a search tries of each arm.
    pub(super) fn most_tried(&self) -> usize {
        // No variant is tried twice where their number has an end.
        let sizes = self.vary.iter().map(size).collect::<Option<Vec<usize>>>();
        let all = sizes.map(|sizes| sizes.into_iter().fold(1, usize::saturating_mul));
        self.budget.unwrap_or(0).min(all.unwrap_or(usize::MAX))
    }

    /// "tpe, 20 variants"
    fn search_words(&self) -> Result<String, ConfigError> {
        let variants = self.most_tried();
        let largest = self.largest_epochs()?;
        let (name, brackets) = match self.search {
            Search::Grid | Search::OneAtATime => ("grid", None),
            Search::Random { .. } => ("random", None),
            Search::Sobol { .. } => ("sobol", None),
            Search::Tpe { .. } => ("tpe", None),
            Search::GaussianProcess { .. } => ("gaussian_process", None),
            Search::SuccessiveHalving { smallest, eta, .. } => {
                let halving = SuccessiveHalving { trials: variants, smallest, largest, eta };
                ("successive_halving", halving.rungs().ok().map(|rungs| vec![rungs]))
            }
            Search::Hyperband { smallest, eta, .. } => {
                ("hyperband", Hyperband { smallest, largest, eta }.brackets().ok())
            }
        };
        Ok(match brackets {
            None => format!("{name}, {}", count(variants, "variant")),
            Some(brackets) => {
                let brackets: Vec<String> =
                    brackets.iter().map(|rungs| rungs_words(rungs)).collect();
                format!("{name}, {}", brackets.join("; "))
            }
        })
    }
}

/// "9 variants for 1 epoch, the best 3 for 3, the best 1 for 9"
fn rungs_words(rungs: &[Rung]) -> String {
    let words = rungs.iter().enumerate().map(|(at, rung)| match at {
        0 => {
            let epochs = count(rung.budget as usize, "epoch");
            format!("{} for {epochs}", count(rung.trials, "variant"))
        }
        _ => format!("the best {} for {}", rung.trials, rung.budget),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// How many values there are; `None` without an end.
fn size(dimension: &Dimension) -> Option<usize> {
    match &dimension.values {
        Values::List(values) => Some(values.len()),
        Values::Range(range) => range.integer.then(|| (range.max - range.min) as usize + 1),
    }
}

/// What a dimension can be.
fn words(dimension: &Dimension) -> String {
    let mut text = match &dimension.values {
        Values::List(values) => values.iter().map(shown).collect::<Vec<_>>().join(", "),
        Values::Range(range) => {
            let mut text = format!("{} to {}", range.min, range.max);
            for (is_so, word) in [(range.log, "logarithmic"), (range.integer, "whole numbers")] {
                if is_so {
                    text += &format!(", {word}");
                }
            }
            text
        }
    };
    for (path, values) in &dimension.when {
        let values: Vec<String> = values.iter().map(shown).collect();
        text += &format!("; where {} is {}", path.join("."), values.join(" or "));
    }
    super::printable(&text)
}

/// So many of something: "1 seed", "2 seeds".
pub(crate) fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// "1 trial is", "3 trials are".
pub(crate) fn are(n: usize, what: &str) -> String {
    format!("{} {}", count(n, what), if n == 1 { "is" } else { "are" })
}

/// For how many comparisons p is adjusted, in words: that of those with enough seeds for one another, that of the others
/// for all.
pub(crate) fn adjusted_for(pairs: impl Iterator<Item = usize>) -> String {
    let pairs: Vec<usize> = pairs.collect();
    let enough = pairs.iter().filter(|n| **n >= SMALLEST_SEEDS).count();
    let all = count(pairs.len(), "comparison");
    match enough {
        0 => all,
        enough if enough == pairs.len() => all,
        enough => {
            format!("{} (with fewer seeds: for all {})", count(enough, "comparison"), pairs.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::adjusted_for;
    use crate::StudyConfig;

    #[test]
    fn p_is_adjusted_for_the_comparisons_with_enough_seeds() {
        let words = |pairs: &[usize]| adjusted_for(pairs.iter().copied());
        assert_eq!(words(&[2, 3]), "2 comparisons");
        assert_eq!(words(&[6, 7, 6]), "3 comparisons");
        assert_eq!(words(&[6, 2, 7, 5]), "2 comparisons (with fewer seeds: for all 4)");
        assert_eq!(words(&[6, 2]), "1 comparison (with fewer seeds: for all 2)");
    }

    fn outline(text: &str) -> String {
        text.parse::<StudyConfig>().unwrap().outline().unwrap()
    }

    #[test]
    fn a_grid_lists_its_variants() {
        assert_eq!(outline("[vary]\nepochs = [1, 2]"), "epochs=1\nepochs=2\n");
    }

    #[test]
    fn a_search_says_how_many_variants_of_what_it_tries() {
        let text = "[study]\nsearch = 'gaussian_process'\nbudget = 9\nseeds = 1\n\
                    [[variant]]\nname = 'a'\n[[variant]]\nname = 'b'\nbatch_size = 3\n\
                    [vary]\nepochs = { min = 1, max = 3, integer = true }\noptimizer = ['sgd', 'adam']";
        // Six points, which is less than nine.
        let expected = "gaussian_process, 6 variants, with 1 seed each, of:\n  epochs: 1 to 3, whole numbers\n  \
                        optimizer: sgd, adam\nfor each of: a; b\n";
        assert_eq!(outline(text), expected);
    }

    #[test]
    fn the_last_line_says_where_trials_end_early_of_a_grid_and_of_a_search() {
        let line = "a trial ends early where its best epoch is worse than the median of at least 2 earlier trials of the \
                    same seed";
        let head = "[study]\npruner = { name = 'median', startup = 2, warmup = 1 }\n";
        let grid = format!("{head}[vary]\nbatch_size = [1, 2, 3, 4, 5]\n");
        let spared = format!("{line}, from the second epoch on");
        assert_eq!(outline(&grid).lines().last(), Some(spared.as_str()));
        let arms = format!("{grid}[[variant]]\nname = 'a'\n[[variant]]\nname = 'b'\nl2 = 0.1\n");
        let of_arm = format!("{line} and the same [[variant]], from the second epoch on");
        assert_eq!(outline(&arms).lines().last(), Some(of_arm.as_str()));
        let search = grid.replace("[vary]", "search = 'random'\nbudget = 5\n[vary]");
        assert_eq!(outline(&search).lines().last(), Some(spared.as_str()));
        // It has one epoch, which always comes to its end.
        let quick = grid.parse::<StudyConfig>().unwrap().quick();
        assert!(!quick.outline().unwrap().contains("early"));
    }

    #[test]
    fn halving_says_how_many_go_on() {
        let text = "[study]\nsearch = 'successive_halving'\nbudget = 9\n[base]\nepochs = 9\n\
                    [vary]\nlearning_rate = { min = 1e-5, max = 1, log = true }";
        let expected = "successive_halving, 9 variants for 1 epoch, the best 3 for 3, the best 1 for 9, with 3 seeds each, \
                        of:\n";
        assert!(outline(text).starts_with(expected), "{}", outline(text));
        let hyperband =
            outline(&text.replace("successive_halving", "hyperband").replace("budget = 9", ""));
        assert!(
            hyperband
                .contains("; 5 variants for 3 epochs, the best 1 for 9; 3 variants for 9 epochs, "),
            "{hyperband}"
        );
    }
}
