//! Names of layers: which are allowed, and which a layer gets that was not given one.

use std::collections::HashSet;

use crate::{Layer, ModelError, Op};

/// Refuses names by which layers or their parameters could not be told apart.
///
/// A layer's path is its name, within a residual block after that of the block and a dot. All paths
/// must differ, and none may begin with that of another layer, unless this is the block around it:
/// what chooses the layer `block`, and all that is in it, would choose `block.c` as well.
pub(super) fn check(architecture: &str, layers: &[Layer]) -> Result<(), ModelError> {
    let refused = |layer: &str, reason: String| ModelError::Layer {
        architecture: architecture.into(),
        layer: layer.into(),
        reason,
    };
    let mut paths = Vec::new();
    add_paths(layers, None, &mut paths);
    let mut seen = HashSet::with_capacity(paths.len());
    for (path, _) in &paths {
        spelling(path).map_err(|reason| refused(path, reason))?;
        if !seen.insert(path.as_str()) {
            let (architecture, layer) = (architecture.into(), path.clone());
            return Err(ModelError::DuplicateLayer { architecture, layer });
        }
    }
    for (path, block) in &paths {
        // Beyond the block they are in, names may share beginnings: it was looked at itself.
        let from = block.as_ref().map_or(0, |block| block.len() + 1);
        let dots = path[from..].match_indices('.').map(|(dot, _)| &path[..from + dot]);
        if let Some(outer) = dots.into_iter().find(|outer| seen.contains(outer)) {
            let reason = format!("its name lies within that of the layer `{outer}`");
            return Err(refused(path, reason));
        }
    }
    Ok(())
}

/// Adds the paths of all layers, each with that of the block around it.
fn add_paths(layers: &[Layer], block: Option<&str>, paths: &mut Vec<(String, Option<String>)>) {
    for Layer { name, op } in layers {
        let path = block.map_or(name.clone(), |block| format!("{block}.{name}"));
        let (before, inner) = op.paths();
        add_paths(before, Some(&path), paths);
        inner.into_iter().for_each(|layers| add_paths(layers, Some(&path), paths));
        paths.push((path, block.map(String::from)));
    }
}

/// What is wrong with a path. A pattern of names gives a meaning to spaces, commas and other signs,
/// and what cannot be seen cannot be told apart.
fn spelling(path: &str) -> Result<(), String> {
    let is_allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    if path.split('.').any(str::is_empty) {
        return Err("a part of its name is empty".into());
    }
    match path.chars().find(|c| !is_allowed(*c)) {
        Some(c) => Err(format!("its name has a {c:?}; letters, digits, _, - and dots are allowed")),
        None => Ok(()),
    }
}

/// Whether the parameter of this name belongs to the layer.
pub(crate) fn is_inside(name: &str, layer: &str) -> bool {
    name.strip_prefix(layer).is_some_and(|rest| rest.starts_with('.'))
}

/// Whether two names in the same place could not be told apart.
pub(crate) fn clash(a: &str, b: &str) -> bool {
    a == b || is_inside(a, b) || is_inside(b, a)
}

/// A name for a layer that was given none: its kind and the first number from `first` on whose name
/// is not taken.
pub(super) fn automatic(op: &Op, first: usize, is_taken: impl Fn(&str) -> bool) -> String {
    let names = (first..).map(|number| format!("{}{number}", op.kind()));
    names.into_iter().find(|name| !is_taken(name)).expect("there are more numbers than layers")
}

/// Whether a layer may have got its name by itself: it has no parameters, and is called by its kind
/// and a number.
fn is_automatic(layer: &Layer) -> bool {
    let number = layer.name.strip_prefix(layer.op.kind()).map(str::parse::<usize>);
    layer.op.is_plain() && matches!(number, Some(Ok(_)))
}

/// Gives other names to those of `layers` that have an automatic one, if it clashes with that of
/// `newcomer`, whose own is not automatic. `beside` are layers whose names are taken, too.
pub(super) fn give_way(layers: &mut [Layer], newcomer: &Layer, beside: &[Layer]) {
    if is_automatic(newcomer) {
        return;
    }
    rename_automatic(layers, &newcomer.name, beside);
}

fn rename_automatic(layers: &mut [Layer], name: &str, beside: &[Layer]) {
    for i in 0..layers.len() {
        if is_automatic(&layers[i]) && clash(&layers[i].name, name) {
            let is_taken = |new: &str| {
                clash(new, name) || layers.iter().chain(beside).any(|l| clash(new, &l.name))
            };
            layers[i].name = automatic(&layers[i].op, 1, is_taken);
        }
    }
}

/// Makes the automatic names in both paths of a block differ from all others in it.
pub(super) fn settle(main: &mut [Layer], shortcut: &mut [Layer]) {
    for layer in shortcut.iter() {
        give_way(main, layer, shortcut);
    }
    // Both paths count from 1: here an automatic name gives way to another one.
    for layer in main.iter() {
        rename_automatic(shortcut, &layer.name, main);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Architecture, Initialization};

    /// Why an architecture is refused.
    fn refusal(architecture: &Architecture) -> String {
        let refusal = architecture.shapes().unwrap_err().to_string();
        let device = burn::tensor::Device::flex();
        let network = architecture.init(Initialization::PyTorch, 0, &device);
        assert_eq!(network.unwrap_err().to_string(), refusal);
        refusal
    }

    fn net() -> Architecture {
        Architecture::new("net", [4, 6, 6])
    }

    /// A block around one convolution that keeps the shape.
    fn block(name: &str, inner: &str) -> Architecture {
        net().residual(name, |main| main.conv(inner, 4, 3, 1), |shortcut| shortcut)
    }

    #[test]
    fn two_layers_of_one_name_in_a_block_are_refused_in_one_path_and_across_both() {
        let twice = |net: Architecture| net.conv("c", 4, 3, 1).conv("c", 4, 3, 1);
        let once = |net: Architecture| net.conv("c", 4, 3, 1);
        for net in [
            net().residual("block", twice, |shortcut| shortcut),
            net().residual("block", |main| main, twice),
            net().residual("block", once, once),
        ] {
            assert_eq!(refusal(&net), "`net` has two layers named `block.c`");
        }
        let nested = net().residual(
            "outer",
            |main| main.residual("block", once, |shortcut| shortcut),
            |shortcut| shortcut.conv("block.c", 4, 3, 1),
        );
        assert_eq!(refusal(&nested), "`net` has two layers named `outer.block.c`");
    }

    #[test]
    fn a_layer_beside_a_block_may_not_be_called_like_one_in_it() {
        let net = block("block", "c").conv("block.c", 4, 3, 1);
        assert_eq!(refusal(&net), "`net` has two layers named `block.c`");
        let net = net_before("block.c").residual("block", |m| m.conv("c", 4, 3, 1), |s| s);
        assert_eq!(refusal(&net), "`net` has two layers named `block.c`");
    }

    fn net_before(name: &str) -> Architecture {
        net().conv(name, 4, 3, 1)
    }

    #[test]
    fn a_name_within_that_of_another_layer_is_refused_unless_it_is_the_block_around_it() {
        let within = |layer: &str, outer: &str| {
            format!("layer `{layer}` of `net`: its name lies within that of the layer `{outer}`")
        };
        let beside = block("block", "c").conv("block.d", 4, 3, 1);
        assert_eq!(refusal(&beside), within("block.d", "block"));
        let beside = net_before("conv.weight").conv("conv", 4, 3, 1);
        assert_eq!(refusal(&beside), within("conv.weight", "conv"));
        let inside = |main: Architecture| main.conv("a", 4, 3, 1).conv("a.b.c", 4, 3, 1);
        let inside = net().residual("block", inside, |shortcut| shortcut);
        assert_eq!(refusal(&inside), within("block.a.b.c", "block.a"));
        // Blocks in blocks, and names that only begin alike.
        let main = |main: Architecture| main.residual("a", |m| m.conv("a", 4, 3, 1), |s| s);
        let fine = net().residual("a", main, |s| s).conv("ab", 4, 3, 1).conv("b.c", 4, 3, 1);
        fine.conv("b.d", 4, 3, 1).shapes().unwrap();
    }

    #[test]
    fn names_that_cannot_be_seen_or_chosen_are_refused() {
        for name in ["", ".", "a.", ".a", "a..b"] {
            let expected = format!("layer `{name}` of `net`: a part of its name is empty");
            assert_eq!(refusal(&net_before(name)), expected);
        }
        // The last turns the direction of writing, the one before has no width.
        for (name, shown, sign) in [
            ("a b", "a b", "' '"),
            ("a,b", "a,b", "','"),
            ("conv*", "conv*", "'*'"),
            ("!a", "!a", "'!'"),
            ("a\u{1b}[2J", "a\\u{1b}[2J", "'\\u{1b}'"),
            ("a\n", "a\\n", "'\\n'"),
            ("a\u{200b}", "a\u{200b}", "'\\u{200b}'"),
            ("a\u{202e}b", "a\\u{202e}b", "'\\u{202e}'"),
        ] {
            let message = refusal(&net_before(name));
            let reason =
                format!("its name has a {sign}; letters, digits, _, - and dots are allowed");
            assert_eq!(message, format!("layer `{shown}` of `net`: {reason}"));
            assert_eq!(refusal(&block("block", name)).lines().count(), 1);
        }
        net_before("größe-1.Conv_2").shapes().unwrap();
    }

    /// The names of the layers.
    fn names(net: &Architecture) -> Vec<&str> {
        net.layers.iter().map(|layer| layer.name.as_str()).collect()
    }

    #[test]
    fn an_automatic_name_is_none_that_is_taken() {
        let net = net().relu().layer("relu2", Op::Relu).relu().relu();
        assert_eq!(names(&net), ["relu1", "relu2", "relu3", "relu4"]);
        let net = Architecture::new("net", [4, 6, 6]).layer("relu2", Op::Relu).relu().relu();
        assert_eq!(names(&net), ["relu2", "relu3", "relu4"]);
        let net = Architecture::new("net", [4, 6, 6]).conv("relu1", 4, 3, 1).relu().relu();
        assert_eq!(names(&net), ["relu1", "relu2", "relu3"]);
        let net = Architecture::new("net", [4, 6, 6]).conv("relu1.conv", 4, 3, 1).relu();
        assert_eq!(names(&net), ["relu1.conv", "relu2"]);
        net.shapes().unwrap();
    }

    #[test]
    fn an_automatic_name_gives_way_to_one_that_is_given_later() {
        let net = net().relu().relu().conv("relu2", 4, 3, 1).layer("relu1", Op::Sigmoid).relu();
        assert_eq!(names(&net), ["relu4", "relu3", "relu2", "relu1", "relu5"]);
        net.shapes().unwrap();
        let net = Architecture::new("net", [4, 6, 6]).relu().conv("relu1.conv", 4, 3, 1);
        assert_eq!(names(&net), ["relu2", "relu1.conv"]);
        // A layer with parameters keeps its name, and the second is refused.
        let net = Architecture::new("net", [4, 6, 6]).conv("conv1", 4, 3, 1).conv("conv1", 4, 3, 1);
        assert_eq!(refusal(&net), "`net` has two layers named `conv1`");
    }

    #[test]
    fn automatic_names_in_both_paths_of_a_block_differ() {
        let net = net().relu().residual(
            "block",
            |main| main.conv("conv1", 4, 3, 1).relu().tanh(),
            |shortcut| shortcut.relu().sigmoid().conv("tanh1", 4, 3, 1),
        );
        net.shapes().unwrap();
        let Op::Residual { main, shortcut, .. } = &net.layers[1].op else { panic!("a block") };
        let names = |layers: &[Layer]| {
            layers.iter().map(|layer| layer.name.clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(main), "conv1 relu1 tanh2");
        assert_eq!(names(shortcut), "relu2 sigmoid1 tanh1");
    }
}
