use selvedge_models::{Bundle, ModelError};

use super::LookError;

/// Names of classes in a message.
const TOLD: usize = 12;

/// The class that a text names: one of the bundle's, or its number, counted from 0.
///
/// # Errors
///
/// [`LookError::Model`] for a text that is neither.
pub fn class_of(bundle: &Bundle, text: &str) -> Result<usize, LookError> {
    let classes = bundle.classes();
    let number = || text.parse().ok().filter(|class| *class < classes.len());
    let found = classes.iter().position(|name| name == text).or_else(number);
    found.ok_or_else(|| {
        let expected = match classes.len().checked_sub(1) {
            Some(last) => format!("0 to {last}, or one of {}", listed(classes)),
            None => "one of the bundle's, which has none".into(),
        };
        let (name, value) = ("class", cut(text));
        ModelError::Setting { name, value, expected: expected.into() }.into()
    })
}

/// `Ok` if the classes of a data set have the names of the network's, in their order: an output stands for a class by its
/// position, so that other classes would be measured as if they were these.
pub(super) fn require_same(bundle: &Bundle, data: &str, given: &[String]) -> Result<(), LookError> {
    let known = bundle.classes();
    if known == given {
        return Ok(());
    }
    // Of many classes those that differ, which is what there is to see.
    let same = known.iter().zip(given).take_while(|(a, b)| a == b).count();
    let from = if known.len().max(given.len()) > TOLD { same } else { 0 };
    let names = |classes: &[String]| match &classes[from.min(classes.len())..] {
        [] => "no more".to_owned(),
        rest if from > 0 => format!("{} from class {from} on", listed(rest)),
        rest => listed(rest),
    };
    let network = bundle.network().architecture().name.clone();
    Err(LookError::Classes { data: cut(data), given: names(given), network, known: names(known) })
}

/// The first names.
fn listed(classes: &[String]) -> String {
    let names: Vec<String> = classes.iter().take(TOLD).map(|name| cut(name)).collect();
    let more = if classes.len() > TOLD { " and so on" } else { "" };
    format!("{}{more}", names.join(", "))
}

/// As much of a text as a message has room for, without what would steer a terminal.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(40).flat_map(char::escape_debug).collect()
}

/// A name in a title: of a long one its start and its end, which tell it from others.
pub(super) fn short(name: &str) -> String {
    const ENDS: [usize; 2] = [16, 13];
    let characters: Vec<char> = name.chars().collect();
    if characters.len() <= ENDS[0] + 1 + ENDS[1] {
        return name.to_owned();
    }
    let [start, end] = [&characters[..ENDS[0]], &characters[characters.len() - ENDS[1]..]];
    start.iter().chain(&['…']).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_keeps_both_ends() {
        assert_eq!(short("coat.png"), "coat.png");
        let long = short("a_photograph_of_the_harbour_at_night_2.png");
        assert_eq!(long, "a_photograph_of_…t_night_2.png");
        assert_eq!(long.chars().count(), 30);
    }
}
