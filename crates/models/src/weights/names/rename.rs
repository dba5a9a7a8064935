//! Rules that give the tensors of a file other names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ModelError;
use crate::error::printable;

/// The longest rule. A rule of many `*` would take long on a long name.
const LONGEST: usize = 200;

/// The most `*` in one part of a name: each of them tries every length.
const MOST_STARS: usize = 2;

/// A rule `OLD=NEW` that gives the tensors of a file other names.
///
/// `OLD` stands for the beginning of a name, in whole parts between dots; the rest of the name stays.
///
/// | rule | makes of | |
/// |---|---|---|
/// | `linear=fc` | `linear.weight` | `fc.weight`; `linear2.weight` and `a.linear.weight` stay |
/// | `net.=` | `net.conv1.weight` | `conv1.weight`: without a name on the right the parts go |
/// | `=net.` | `conv1.weight` | `net.conv1.weight`: without a name on the left they come before every name |
/// | `layer*.*.shortcut=layer*.*.downsample` | `layer2.0.shortcut.1.bias` | `layer2.0.downsample.1.bias` |
/// | `stages.*.*=layer+.*` | `stages.0.1.conv1.weight` | `layer1.1.conv1.weight` |
///
/// `*` is any text within one part, also none. On the right each `*` is what the `*` of the same number on
/// the left stood for, and `+` is the same as a number, plus one. A dot at the end of either side says
/// nothing more.
///
/// As text and in files it is the rule itself.
///
/// ```
/// use selvedge_models::weights::Rename;
///
/// let rule: Rename = "linear=fc".parse()?;
/// assert_eq!(rule.apply("linear.weight").as_deref(), Some("fc.weight"));
/// assert_eq!(rule.apply("linear2.weight"), None);
/// assert!("linear".parse::<Rename>().is_err());
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rename {
    old: Vec<String>,
    new: Vec<String>,
}

impl Rename {
    /// The new name of what was called `name`; `None` if the rule says nothing of it.
    pub fn apply(&self, name: &str) -> Option<String> {
        let parts: Vec<&str> = name.split('.').collect();
        if parts.len() < self.old.len() {
            return None;
        }
        let mut captured = Vec::new();
        for (pattern, part) in self.old.iter().zip(&parts) {
            captured.extend(captures(pattern, part)?);
        }
        let mut captured = captured.into_iter();
        let mut new = Vec::with_capacity(self.new.len() + parts.len());
        for part in &self.new {
            let mut text = String::new();
            for c in part.chars() {
                match c {
                    '*' => text.push_str(captured.next()?),
                    '+' => {
                        let number: u32 = captured.next()?.parse().ok()?;
                        text.push_str(&number.checked_add(1)?.to_string());
                    }
                    c => text.push(c),
                }
            }
            new.push(text);
        }
        new.extend(parts[self.old.len()..].iter().map(|part| part.to_string()));
        Some(new.join(".")).filter(|new| !new.is_empty())
    }
}

/// What the `*` of `pattern` stand for if the whole of `part` matches, each as little as possible.
fn captures<'a>(pattern: &str, part: &'a str) -> Option<Vec<&'a str>> {
    let Some((before, after)) = pattern.split_once('*') else {
        return (pattern == part).then(Vec::new);
    };
    let rest = part.strip_prefix(before)?;
    rest.char_indices().map(|(end, _)| end).chain([rest.len()]).find_map(|end| {
        let mut found = vec![&rest[..end]];
        found.extend(captures(after, &rest[end..])?);
        Some(found)
    })
}

/// The parts of a side of a rule.
fn parts(side: &str) -> Result<Vec<String>, &'static str> {
    let side = side.strip_suffix('.').unwrap_or(side);
    if side.is_empty() {
        return Ok(Vec::new());
    }
    match side.split('.').any(str::is_empty) {
        true => Err("a part of a name is empty"),
        false => Ok(side.split('.').map(String::from).collect()),
    }
}

fn parsed(text: &str) -> Result<Rename, &'static str> {
    if text.len() > LONGEST {
        return Err("it is longer than 200 bytes");
    }
    let (old, new) = text.split_once('=').ok_or("expected OLD=NEW, such as linear=fc")?;
    if new.contains('=') {
        return Err("it has more than one =");
    }
    if old == new {
        return Err("both sides are the same");
    }
    if old.contains('+') {
        return Err("+ is for the right side");
    }
    let stars = |text: &str| text.matches(['*', '+']).count();
    let rule = Rename { old: parts(old)?, new: parts(new)? };
    if rule.old.iter().any(|part| stars(part) > MOST_STARS) {
        return Err("a part has more than two *");
    }
    match stars(new) > stars(old) {
        true => Err("the right side has more * and + than the left has *"),
        false => Ok(rule),
    }
}

impl FromStr for Rename {
    type Err = ModelError;

    /// # Errors
    ///
    /// [`ModelError::Pattern`] for a text of more than 200 bytes, one that is not two different sides with one `=`
    /// between, an empty part of a name, `+` on the left, more than two `*` in a part of it, and more `*` and `+` on
    /// the right than `*` on the left.
    fn from_str(text: &str) -> Result<Self, ModelError> {
        parsed(text).map_err(|reason| ModelError::Pattern {
            pattern: printable(&text.chars().take(LONGEST).collect::<String>()),
            reason: reason.into(),
        })
    }
}

impl fmt::Display for Rename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.old.join("."), self.new.join("."))
    }
}

impl TryFrom<String> for Rename {
    type Error = ModelError;

    fn try_from(text: String) -> Result<Self, ModelError> {
        text.parse()
    }
}

impl From<Rename> for String {
    fn from(rule: Rename) -> Self {
        rule.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed(rule: &str, name: &str) -> Option<String> {
        rule.parse::<Rename>().unwrap().apply(name)
    }

    #[test]
    fn a_rule_is_about_whole_parts_at_the_beginning_of_a_name() {
        for (rule, old, new) in [
            ("linear=fc", "linear.weight", Some("fc.weight")),
            ("linear=fc", "linear2.weight", None),
            ("linear=fc", "a.linear.weight", None),
            ("linear=fc", "linear", Some("fc")),
            ("a.b=c", "a.b.weight", Some("c.weight")),
            ("a.b=c", "a", None),
            ("net.=", "net.conv1.weight", Some("conv1.weight")),
            ("net=", "net", None),
            ("=net.", "conv1.weight", Some("net.conv1.weight")),
            ("=net", "conv1.weight", Some("net.conv1.weight")),
        ] {
            assert_eq!(renamed(rule, old).as_deref(), new, "{rule} of {old}");
        }
    }

    #[test]
    fn stars_stand_for_text_within_one_part_and_plus_for_the_next_number() {
        for (rule, old, new) in [
            (
                "layer*.*.shortcut=layer*.*.downsample",
                "layer2.0.shortcut.1.bias",
                Some("layer2.0.downsample.1.bias"),
            ),
            ("stages.*.*=layer+.*", "stages.0.1.conv1.weight", Some("layer1.1.conv1.weight")),
            ("stages.*=layer+", "stages.a.weight", None),
            ("stages.*=layer+", "stages.4294967295.weight", None),
            ("*_bn=bn*", "2_bn.weight", Some("bn2.weight")),
            ("a*b*c=*.*", "aXbYbZc.weight", Some("X.YbZ.weight")),
            ("conv*=c", "conv.weight", Some("c.weight")),
            ("*=a.*", "ä.weight", Some("a.ä.weight")),
            ("a.*.b=a.b", "a.x.y.b.weight", None),
        ] {
            assert_eq!(renamed(rule, old).as_deref(), new, "{rule} of {old}");
        }
    }

    #[test]
    fn a_rule_that_says_nothing_or_too_much_is_refused() {
        for (rule, part) in [
            ("linear", "expected OLD=NEW"),
            ("a=b=c", "more than one ="),
            ("a=a", "both sides are the same"),
            ("=", "both sides are the same"),
            ("a..b=c", "a part of a name is empty"),
            (".a=c", "a part of a name is empty"),
            ("a=*", "more * and + than the left"),
            ("a+=b", "+ is for the right side"),
            ("a***b=c", "more than two *"),
            ("\u{1b}[2J", "pattern `\\u{1b}[2J`: expected OLD=NEW"),
        ] {
            let message = rule.parse::<Rename>().unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
        assert!(format!("{}=b", "a".repeat(300)).parse::<Rename>().is_err());
    }

    #[test]
    fn a_rule_is_kept_as_its_text() {
        for text in ["linear=fc", "net=", "=net", "stages.*.*=layer+.*"] {
            let rule: Rename = text.parse().unwrap();
            assert_eq!(rule.to_string(), text);
            let json = serde_json::to_string(&rule).unwrap();
            assert_eq!(serde_json::from_str::<Rename>(&json).unwrap(), rule);
        }
    }
}
