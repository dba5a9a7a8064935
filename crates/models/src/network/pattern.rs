use std::fmt;
use std::str::FromStr;

use glob::Pattern as Glob;
use serde::{Deserialize, Serialize};

use crate::ModelError;
use crate::error::nothing_selected;

/// Chooses parameters by their names, in the manner of a shell.
///
/// A pattern chooses a parameter if it matches its name, or the name of a layer that it belongs to:
///
/// | pattern | chooses |
/// |---|---|
/// | `conv1` | all of `conv1`: `conv1.weight` and `conv1.bias`, but nothing of `conv10` |
/// | `layer4`, `layer4.0.conv1` | a stage of a residual network, one convolution of it |
/// | `conv?` | `conv1` to `conv9`: `?` is one character |
/// | `encoder*` | `encoder1`, `encoder12`: `*` is any number of characters, dots among them |
/// | `*.bias` | every bias |
/// | `features.[0-4]` | `features.0` to `features.4`: one of these characters; `[!0-4]` is one of the others |
/// | `conv*, fc1` | what any of them chooses |
/// | `!fc3` | everything but `fc3` |
/// | `layer*, !*.bias` | what `layer*` chooses, without the biases |
///
/// Where a pattern chooses parameters of a network, each of its alternatives, left out or not, must
/// match one of them: `!fc3` for a network without a layer `fc3` is an error, not everything.
///
/// As text and in files it is the pattern itself.
///
/// ```
/// use selvedge_models::NamePattern;
///
/// let pattern: NamePattern = "conv?, !*.bias".parse()?;
/// assert!(pattern.matches("conv1.weight"));
/// assert!(!pattern.matches("conv1.bias"));
/// assert!(!pattern.matches("fc1.weight"));
/// assert!("conv[1".parse::<NamePattern>().is_err());
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NamePattern {
    text: String,
    /// Empty: everything that is not excluded.
    chosen: Vec<Glob>,
    excluded: Vec<Glob>,
}

impl NamePattern {
    /// Whether the pattern chooses the parameter of this name.
    pub fn matches(&self, name: &str) -> bool {
        let any = |globs: &[Glob]| globs.iter().any(|glob| with_layers(name, glob));
        (self.chosen.is_empty() || any(&self.chosen)) && !any(&self.excluded)
    }

    /// Which of the `names` in `architecture` the pattern chooses.
    ///
    /// An alternative that matches none of them is refused: it is a slip, and what the others choose
    /// is not what was meant.
    pub(crate) fn choose(
        &self,
        names: &[&str],
        architecture: &str,
    ) -> Result<Vec<bool>, ModelError> {
        let chosen = self.chosen.iter().map(|glob| ("", glob));
        let excluded = self.excluded.iter().map(|glob| ("!", glob));
        for (sign, glob) in chosen.chain(excluded) {
            if !names.iter().any(|name| with_layers(name, glob)) {
                return Err(nothing_selected(architecture, format!("{sign}{glob}")));
            }
        }
        let chosen: Vec<bool> = names.iter().map(|name| self.matches(name)).collect();
        match chosen.contains(&true) {
            true => Ok(chosen),
            false => Err(nothing_selected(architecture, self)),
        }
    }

    /// The pattern as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Whether the glob matches the name, or that of a layer around it.
fn with_layers(name: &str, glob: &Glob) -> bool {
    let layers = name.match_indices('.').map(|(end, _)| &name[..end]);
    glob.matches(name) || layers.into_iter().any(|layer| glob.matches(layer))
}

impl FromStr for NamePattern {
    type Err = ModelError;

    /// # Errors
    ///
    /// [`ModelError::Pattern`] for an empty alternative, a bracket that is not closed, and `**`
    /// beside other characters.
    fn from_str(text: &str) -> Result<Self, ModelError> {
        let error = |reason: String| ModelError::Pattern { pattern: text.into(), reason };
        let (mut chosen, mut excluded) = (Vec::new(), Vec::new());
        for part in text.split(',').map(str::trim) {
            let (list, part) = match part.strip_prefix('!') {
                Some(rest) => (&mut excluded, rest.trim_start()),
                None => (&mut chosen, part),
            };
            if part.is_empty() {
                return Err(error("an alternative is empty".into()));
            }
            let glob = Glob::new(part);
            list.push(glob.map_err(|e| error(format!("{} in `{part}`", e.msg)))?);
        }
        Ok(Self { text: text.into(), chosen, excluded })
    }
}

impl TryFrom<String> for NamePattern {
    type Error = ModelError;

    fn try_from(text: String) -> Result<Self, ModelError> {
        text.parse()
    }
}

impl From<NamePattern> for String {
    fn from(pattern: NamePattern) -> Self {
        pattern.text
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(pattern: &str) -> Vec<&'static str> {
        let names = ["conv1.bias", "conv1.weight", "conv10.weight", "layer4.0.bn1.bias", "fc.bias"];
        let pattern: NamePattern = pattern.parse().unwrap();
        names.into_iter().filter(|name| pattern.matches(name)).collect()
    }

    #[test]
    fn the_name_of_a_layer_stands_for_its_parameters_and_no_others() {
        assert_eq!(chosen("conv1"), ["conv1.bias", "conv1.weight"]);
        assert_eq!(chosen("layer4.0"), ["layer4.0.bn1.bias"]);
        assert_eq!(chosen("layer4.1"), [""; 0]);
        assert_eq!(chosen("bn1"), [""; 0]);
    }

    #[test]
    fn wildcards_are_those_of_a_shell() {
        assert_eq!(chosen("conv?"), ["conv1.bias", "conv1.weight"]);
        assert_eq!(chosen("*.bias"), ["conv1.bias", "layer4.0.bn1.bias", "fc.bias"]);
        assert_eq!(chosen("l*s"), ["layer4.0.bn1.bias"]);
        assert_eq!(chosen("[d-f]c"), ["fc.bias"]);
        assert_eq!(chosen("*").len(), 5);
    }

    #[test]
    fn an_exclamation_mark_leaves_out() {
        assert_eq!(chosen("!conv*"), ["layer4.0.bn1.bias", "fc.bias"]);
        assert_eq!(chosen("conv*,!*.bias"), ["conv1.weight", "conv10.weight"]);
        assert_eq!(chosen("fc, conv10"), ["conv10.weight", "fc.bias"]);
    }

    #[test]
    fn every_alternative_must_match_something() {
        let names = ["conv1.bias", "conv1.weight", "fc.bias", "fc.weight"];
        let choose = |pattern: &str| pattern.parse::<NamePattern>().unwrap().choose(&names, "net");
        assert_eq!(choose("conv1, !*.bias").unwrap(), [false, true, false, false]);
        for (pattern, slip) in [
            ("!fc3", "!fc3"),
            ("x*, fc", "x*"),
            ("fc, ! x", "!x"),
            ("conv*, conv2, !y", "conv2"),
            // Both match, but together they leave nothing.
            ("fc, !f*", "fc, !f*"),
        ] {
            let message = choose(pattern).unwrap_err().to_string();
            assert_eq!(message, format!("no parameter of `net` is selected by `{slip}`"));
        }
    }

    #[test]
    fn patterns_that_mean_nothing_are_refused_with_the_reason() {
        for (text, reason) in [
            ("", "an alternative is empty"),
            ("conv1,,fc", "an alternative is empty"),
            ("!", "an alternative is empty"),
            ("conv[1", "invalid range pattern in `conv[1`"),
            ("fc, a**b", "recursive wildcards must form a single path component in `a**b`"),
        ] {
            let message = text.parse::<NamePattern>().unwrap_err().to_string();
            assert_eq!(message, format!("pattern `{text}`: {reason}"));
        }
    }

    #[test]
    fn a_file_holds_the_pattern_as_it_was_given() {
        let pattern: NamePattern = "conv*, !*.bias".parse().unwrap();
        let json = serde_json::to_string(&pattern).unwrap();
        assert_eq!(json, "\"conv*, !*.bias\"");
        assert_eq!(serde_json::from_str::<NamePattern>(&json).unwrap(), pattern);
        assert!(serde_json::from_str::<NamePattern>("\"conv[\"").is_err());
    }
}
