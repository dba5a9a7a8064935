//! What wrappers of networks put into the names of their parameters.

use std::collections::BTreeSet;

/// Parts that PyTorch's wrappers put in, wherever they stand in a name: `DataParallel`,
/// `DistributedDataParallel` and `AveragedModel`; `torch.compile`; sharding; checkpointing of activations.
pub(in crate::weights) const ANYWHERE: [&str; 4] =
    ["module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"];

/// What programs call a network that is part of an object, such as one of Lightning: they stand before the
/// names of all its parameters.
pub(in crate::weights) const BEFORE: [&str; 7] =
    ["model", "net", "network", "backbone", "encoder", "base_model", "timm_model"];

/// Last parts of names that are no parameters and have no effect on what is computed: how often
/// `AveragedModel` averaged; what `thop` counts.
pub(in crate::weights) const COUNTS: [&str; 3] = ["n_averaged", "total_ops", "total_params"];

/// First parts of the names of what belongs to a loss, which is no part of the network.
pub(in crate::weights) const LOSSES: [&str; 4] = ["criterion", "loss", "loss_fn", "loss_function"];

/// Whether a tensor of this name is no parameter of a network, whichever network it is.
pub(in crate::weights) fn is_no_parameter(name: &str) -> bool {
    let first = first(name);
    COUNTS.contains(&last(name)) || (first != name && LOSSES.contains(&first))
}

/// Whether the parts before every name are to be judged by this one: counts and running statistics can lack
/// what a wrapper puts before the parameters.
fn leads(name: &str) -> bool {
    let is_buffer = matches!(last(name), "running_mean" | "running_var" | "num_batches_tracked");
    !is_buffer && !is_no_parameter(name)
}

/// The names without what wrappers put in, in the same order, and what was taken away. Where two names
/// would fall together, or nothing but `weight` would be left of one, all stay as they are.
pub(in crate::weights) fn unwrapped(names: &[&str]) -> (Vec<String>, Vec<&'static str>) {
    let mut taken = Vec::new();
    let mut now: Vec<String> = names.iter().map(|name| name.to_string()).collect();
    for wrapper in ANYWHERE {
        if let Some(without) = accepted(&now, |name| without_part(name, wrapper)) {
            now = without;
            taken.push(wrapper);
        }
    }
    loop {
        let mut leading = now.iter().filter(|name| leads(name)).map(|name| first(name));
        let common = leading.next().filter(|part| leading.all(|other| other == *part));
        let Some(wrapper) = BEFORE.into_iter().find(|wrapper| common == Some(wrapper)) else {
            break;
        };
        let Some(without) = without_first(&now, wrapper) else { break };
        now = without;
        taken.push(wrapper);
    }
    (now, taken)
}

/// The names of which some begin with `wrapper`, those without it; `None` if none does.
pub(in crate::weights) fn without_first(names: &[String], wrapper: &str) -> Option<Vec<String>> {
    accepted(names, |name| after(name, wrapper).unwrap_or(name).to_string())
}

/// The rest of `name` after `parts`, whole parts with which it begins.
pub(in crate::weights) fn after<'n>(name: &'n str, parts: &str) -> Option<&'n str> {
    name.strip_prefix(parts)?.strip_prefix('.')
}

fn first(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// `name` without the parts `wrapper`; the last part is the parameter's own.
fn without_part(name: &str, wrapper: &str) -> String {
    let Some((layer, last)) = name.rsplit_once('.') else { return name.into() };
    let kept = layer.split('.').filter(|part| *part != wrapper);
    kept.chain([last]).collect::<Vec<_>>().join(".")
}

/// What `change` makes of the names, if it changes any, keeps them apart and leaves a layer to each that has
/// one.
fn accepted(names: &[String], change: impl Fn(&str) -> String) -> Option<Vec<String>> {
    let changed: Vec<String> = names.iter().map(|name| change(name)).collect();
    let has_layer = |(old, new): (&String, &String)| new.contains('.') || !leads(old) || old == new;
    let is_fine = changed != names
        && names.iter().zip(&changed).all(has_layer)
        && changed.iter().collect::<BTreeSet<_>>().len() == changed.len();
    is_fine.then_some(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bare(names: &str) -> String {
        let names: Vec<&str> = names.split(' ').collect();
        unwrapped(&names).0.join(" ")
    }

    #[test]
    fn wrappers_are_taken_away_wherever_they_stand() {
        for (wrapped, expected) in [
            ("module.a.weight module.b.bias", "a.weight b.bias"),
            ("_orig_mod.module.a.weight", "a.weight"),
            ("model._orig_mod.a.weight model._orig_mod.b.bias", "a.weight b.bias"),
            ("a._orig_mod.0.weight b.bias", "a.0.weight b.bias"),
            ("a.module.weight b.module.0.bias", "a.weight b.0.bias"),
            ("net.model.a.weight net.model.b.bias", "a.weight b.bias"),
            ("backbone.a.weight backbone.b.bias", "a.weight b.bias"),
            // AveragedModel; thop; a weighted loss; statistics that lack it.
            ("n_averaged module.a.weight", "n_averaged a.weight"),
            ("total_ops model.a.total_params model.a.weight", "total_ops a.total_params a.weight"),
            ("criterion.weight model.a.weight", "criterion.weight a.weight"),
            ("model.a.weight a.running_mean", "a.weight a.running_mean"),
        ] {
            assert_eq!(bare(wrapped), expected, "{wrapped}");
        }
    }

    #[test]
    fn what_is_no_wrapper_stays() {
        for names in [
            "a.weight b.bias",
            "encoder.a.weight decoder.a.weight",
            "model.a.weight head.bias",
            // A layer of that name.
            "net.weight net.bias",
            "module.weight module.bias",
            "modules.a.weight",
            // They would fall together.
            "module.a.weight a.weight",
            "model.a.weight model.module.a.weight",
        ] {
            let expected = match names {
                "model.a.weight model.module.a.weight" => "a.weight module.a.weight",
                same => same,
            };
            assert_eq!(bare(names), expected);
        }
    }

    #[test]
    fn counts_and_what_belongs_to_a_loss_are_no_parameters() {
        for name in ["n_averaged", "layer1.0.total_ops", "total_params", "criterion.weight"] {
            assert!(is_no_parameter(name), "{name}");
        }
        for name in ["conv1.weight", "loss", "lossy.weight", "bn1.num_batches_tracked"] {
            assert!(!is_no_parameter(name), "{name}");
        }
    }
}
