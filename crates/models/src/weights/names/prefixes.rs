//! Several networks in one flat dictionary, each under a prefix of its own: `model.conv1.weight`, `ema.conv1.weight`.

use std::collections::BTreeMap;

use super::super::options::{Choice, elements};
use super::is_no_parameter;
use super::wrappers::{ANYWHERE, BEFORE, after};

/// What programs call networks that lie side by side, besides what they call one that is alone.
pub(in crate::weights) const BESIDE: [&str; 16] = [
    "decoder",
    "teacher",
    "student",
    "ema",
    "model_ema",
    "ema_model",
    "swa",
    "averaged",
    "generator",
    "discriminator",
    "target",
    "online",
    "actor",
    "critic",
    "query",
    "momentum",
];

/// As many parts before all names are passed over.
const DEPTH: usize = 8;

/// As many networks are listed.
const MOST: usize = 100;

/// The rest of `name` after the prefix `key`, which stands at its beginning or after what wrappers put there.
pub(in crate::weights) fn under<'n>(name: &'n str, key: &str) -> Option<&'n str> {
    let mut name = name;
    loop {
        if let Some(rest) = after(name, key) {
            return Some(rest);
        }
        let (first, rest) = name.split_once('.')?;
        ANYWHERE.contains(&first).then_some(())?;
        name = rest;
    }
}

/// The parts before names under each of which a whole network lies: at least two that are called as programs call
/// networks, or that hold the same names and shapes and with the others all that there is. Otherwise none: the parts
/// of one network have names before them, too.
pub(in crate::weights) fn networks(tensors: &[(&str, &[usize])]) -> Vec<Choice> {
    let mut tensors: Vec<(&str, &[usize])> =
        tensors.iter().copied().filter(|(name, _)| !is_no_parameter(name)).collect();
    let mut before = String::new();
    // What stands before all of them says nothing.
    for _ in 0..DEPTH {
        let Some((first, _)) = tensors.first().and_then(|(name, _)| name.split_once('.')) else {
            break;
        };
        let rest = tensors.iter().map(|(name, shape)| Some((after(name, first)?, *shape)));
        let Some(rest) = rest.collect::<Option<Vec<_>>>() else { break };
        before = format!("{before}{first}.");
        tensors = rest;
    }
    let mut groups: BTreeMap<&str, Vec<(&str, &[usize])>> = BTreeMap::new();
    for (name, shape) in &tensors {
        let (first, rest) = name.split_once('.').unwrap_or(("", name));
        groups.entry(first).or_default().push((rest, shape));
    }
    let is_whole = |group: &[(&str, &[usize])]| {
        group.len() > 1 && group.iter().all(|(rest, _)| rest.contains('.'))
    };
    let mut counts: BTreeMap<&[(&str, &[usize])], usize> = BTreeMap::new();
    for group in groups.values_mut() {
        group.sort();
    }
    for group in groups.values().filter(|group| is_whole(group)) {
        *counts.entry(group).or_default() += 1;
    }
    let is_known = |first: &str| BEFORE.contains(&first) || BESIDE.contains(&first);
    let is_twice = |group: &[(&str, &[usize])]| counts.get(group).is_some_and(|count| *count > 1);
    let all_fall_apart =
        groups.iter().all(|(first, group)| is_twice(group) || (is_known(first) && is_whole(group)));
    let is_one = |first: &str, group: &[(&str, &[usize])]| {
        is_whole(group) && (is_known(first) || (all_fall_apart && is_twice(group)))
    };
    let found = groups.iter().filter(|(first, group)| is_one(first, group));
    let found: Vec<Choice> = found
        .take(MOST)
        .map(|(first, group)| Choice {
            key: format!("{before}{first}"),
            tensors: group.len(),
            elements: group.iter().map(|(_, shape)| elements(shape)).fold(0, u64::saturating_add),
        })
        .collect();
    if found.len() > 1 { found } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys of the networks among tensors of these names, whose shapes are those after a colon.
    fn keys(names: &str) -> String {
        let shapes: Vec<(&str, Vec<usize>)> = names
            .split(' ')
            .map(|name| {
                let (name, size) = name.split_once(':').unwrap_or((name, "1"));
                (name, vec![size.parse().unwrap()])
            })
            .collect();
        let tensors: Vec<(&str, &[usize])> =
            shapes.iter().map(|(name, shape)| (*name, &shape[..])).collect();
        networks(&tensors).into_iter().map(|choice| choice.key).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn networks_are_known_by_their_names_or_by_being_the_same_twice() {
        for (names, expected) in [
            ("model.a.weight model.a.bias ema.a.weight ema.a.bias", "ema model"),
            (
                "encoder.a.weight encoder.b.weight decoder.a.weight:3 decoder.c.weight",
                "decoder encoder",
            ),
            // Nobody's names, but twice the same.
            ("f.a.weight:2 f.a.bias g.a.weight:2 g.a.bias", "f g"),
            // Beneath a part that all have, and beside a count.
            ("n_averaged m.model.a.b m.model.a.c m.ema.a.b m.ema.a.c", "m.ema m.model"),
            // With what is in neither.
            ("model.a.b model.a.c teacher.a.b teacher.a.c logit_scale", "model teacher"),
        ] {
            assert_eq!(keys(names), expected, "{names}");
        }
    }

    #[test]
    fn the_parts_of_one_network_are_no_networks() {
        for names in [
            "conv1.weight conv1.bias conv2.weight conv2.bias",
            // Two blocks of one kind, and what comes after them.
            "layer1.0.weight layer1.0.bias layer2.0.weight layer2.0.bias fc.weight fc.bias",
            "layer1.0.weight layer1.0.bias layer2.0.weight:2 layer2.0.bias:2",
            "model.a.weight model.a.bias",
            "encoder.a.weight encoder.a.bias head.weight head.bias",
            "encoder.weight encoder.bias decoder.weight decoder.bias",
            "a",
            "a.b",
        ] {
            assert_eq!(keys(names), "", "{names}");
        }
        assert!(networks(&[]).is_empty());
    }

    #[test]
    fn a_prefix_is_whole_parts_at_the_beginning_or_behind_wrappers() {
        for (name, key, rest) in [
            ("encoder.a.weight", "encoder", Some("a.weight")),
            ("encoder2.a.weight", "encoder", None),
            ("module.encoder.a.weight", "encoder", Some("a.weight")),
            ("module.encoder.a.weight", "module.encoder", Some("a.weight")),
            ("_orig_mod.module.encoder.a", "encoder", Some("a")),
            ("model.encoder.a.weight", "encoder", None),
            ("encoder", "encoder", None),
        ] {
            assert_eq!(under(name, key), rest, "{key} in {name}");
        }
    }
}
