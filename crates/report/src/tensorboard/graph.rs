//! A network as the graph that TensorBoard draws: a node for each layer, its blocks as groups that open.

use std::collections::BTreeMap;

use selvedge_models::{Architecture, Layer, ModelError, Op, Shape, SummaryRow};

use super::proto::{Attribute, Dim, Graph, Node, Producer, Shape as Sides, ShapeList};

/// The node that the images come from.
const IMAGES: &str = "images";

impl Graph {
    /// The layers of a network; the first side of every shape, -1, is that of the batch.
    pub(super) fn of(architecture: &Architecture) -> Result<Self, ModelError> {
        let summary = architecture.summary()?;
        let rows = summary.rows.iter().map(|row| (row.name.as_str(), row)).collect();
        let images = Attribute::of_output(Shape::Images(architecture.input));
        let mut nodes = Nodes { rows, found: Vec::new() };
        nodes.found.push(Node {
            name: IMAGES.into(),
            op: "Placeholder".into(),
            input: Vec::new(),
            attr: [("_output_shapes".into(), images)].into(),
        });
        nodes.path(&architecture.layers, "", IMAGES.into());
        Ok(Self { node: nodes.found, versions: Some(Producer { producer: 22 }) })
    }
}

/// The nodes so far, and what is known of the layers by their paths.
struct Nodes<'a> {
    rows: BTreeMap<&'a str, &'a SummaryRow>,
    found: Vec<Node>,
}

impl Nodes<'_> {
    /// Adds the layers of a path; the name of its last node, which is that of the node before if it is empty.
    fn path(&mut self, layers: &[Layer], prefix: &str, before: String) -> String {
        // The block before, if this layer is the activation behind it, which is shown within it: side by side,
        // TensorBoard would draw `relu1`, `relu2`, … as one pile.
        let mut block: Option<String> = None;
        layers.iter().fold(before, |before, Layer { name, op }| {
            let path = format!("{prefix}{name}");
            let inner = format!("{path}.");
            let within = block.take().filter(|block| self.keeps_shape_of(block, &path));
            if matches!(op, Op::Residual { .. } | Op::Concat { .. } | Op::Gate { .. }) {
                block = Some(path.clone());
            }
            match op {
                Op::Residual { before: first, main, shortcut } => {
                    let reached = self.path(first, &inner, before);
                    let ends = [main, shortcut].map(|p| self.path(p, &inner, reached.clone()));
                    self.end(&path, "Add", "sum", ends.into())
                }
                Op::Concat { branches } => {
                    let ends = branches.iter().map(|p| self.path(p, &inner, before.clone()));
                    let ends = ends.collect();
                    self.end(&path, "Concat", "concat", ends)
                }
                Op::Gate { path: gate } => {
                    let end = self.path(gate, &inner, before.clone());
                    self.end(&path, "Mul", "product", vec![before, end])
                }
                op => {
                    let shown = within.map(|block| format!("{block}.{name}"));
                    let shown = shown.unwrap_or_else(|| path.clone());
                    self.node_as(&shown, &path, &kind(op), vec![before])
                }
            }
        })
    }

    /// Whether a layer without parameters gives the shape that a block before it gives.
    fn keeps_shape_of(&self, block: &str, path: &str) -> bool {
        match (self.rows.get(block), self.rows.get(path)) {
            (Some(block), Some(row)) => block.output == row.output && row.parameters == 0,
            _ => false,
        }
    }

    /// Adds the node in which the paths of the layer at `path` end, among those of its layers.
    fn end(&mut self, path: &str, op: &str, own: &str, input: Vec<String>) -> String {
        self.node_as(&format!("{path}.{own}"), path, op, input)
    }

    /// The name of a node that is not there yet: a layer may be called `images` or `sum`, too.
    fn unused(&self, shown: &str) -> String {
        // Slashes make groups, which open and close.
        let name = shown.replace('.', "/");
        let is_used = |name: &String| self.found.iter().any(|node| node.name == *name);
        let numbered = (1..).map(|copy| format!("{name}_{copy}"));
        let mut names = std::iter::once(name.clone()).chain(numbered);
        names.find(|name| !is_used(name)).expect("the names do not end")
    }

    /// Adds the node of the layer at `path`, shown as if it were another.
    fn node_as(&mut self, shown: &str, path: &str, op: &str, input: Vec<String>) -> String {
        let name = self.unused(shown);
        let mut attr = BTreeMap::new();
        if let Some(row) = self.rows.get(path) {
            attr.insert("_output_shapes".into(), Attribute::of_output(row.output));
            attr.insert("operation".into(), Attribute::of_text(&row.operation));
            if row.parameters > 0 {
                let parameters = i64::try_from(row.parameters).unwrap_or(i64::MAX);
                let parameters = Attribute { i: Some(parameters), ..Attribute::default() };
                attr.insert("parameters".into(), parameters);
            }
        }
        self.found.push(Node { name: name.clone(), op: op.into(), input, attr });
        name
    }
}

/// The name of an operation: `Conv2d`.
fn kind(op: &Op) -> String {
    let text = format!("{op:?}");
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().into()
}

impl Attribute {
    fn of_text(text: &str) -> Self {
        Self { s: Some(text.into()), ..Self::default() }
    }

    fn of_output(shape: Shape) -> Self {
        let sides = match shape {
            Shape::Images(sides) => sides.to_vec(),
            Shape::Features(n) => vec![n],
        };
        let sides = sides.into_iter().map(|side| i64::try_from(side).unwrap_or(i64::MAX));
        let dim = std::iter::once(-1).chain(sides).map(|size| Dim { size }).collect();
        Self { list: Some(ShapeList { shape: vec![Sides { dim }] }), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use selvedge_models::{Cnn, ResNet};

    use super::*;

    fn node<'a>(graph: &'a Graph, name: &str) -> &'a Node {
        graph.node.iter().find(|node| node.name == name).unwrap_or_else(|| panic!("no {name}"))
    }

    #[test]
    fn layers_follow_one_another_with_their_shapes_and_parameters() {
        let graph = Graph::of(&Cnn::cnn2_small(5).architecture()).unwrap();
        let conv2 = node(&graph, "conv2");
        assert_eq!((conv2.op.as_str(), conv2.input.as_slice()), ("Conv2d", &["pool1".into()][..]));
        let shape = &conv2.attr["_output_shapes"].list.as_ref().unwrap().shape[0];
        let sides: Vec<i64> = shape.dim.iter().map(|dim| dim.size).collect();
        assert_eq!(sides, [-1, 20, 14, 14]);
        // 20 kernels of 10 × 3 × 3, and a bias each.
        assert_eq!(conv2.attr["parameters"].i, Some(1_820));
        assert!(!node(&graph, "relu1").attr.contains_key("parameters"));
        assert_eq!(node(&graph, "conv1").input, ["images"]);
    }

    #[test]
    fn layers_called_as_nodes_of_their_own_get_other_names() {
        let net = Architecture::new("names", [4, 8, 8])
            .layer("images", Op::Relu)
            .residual("block", |main| main.conv("sum", 4, 3, 1), |shortcut| shortcut)
            .flatten()
            .linear("fc", 2);
        let graph = Graph::of(&net).unwrap();
        assert_eq!(node(&graph, "images_1").input, ["images"]);
        assert_eq!(node(&graph, "block/sum").op, "Conv2d");
        assert_eq!(node(&graph, "block/sum_1").input, ["block/sum", "images_1"]);
    }

    #[test]
    fn both_paths_of_a_block_end_in_its_sum_and_every_input_is_a_node() {
        let graph = Graph::of(&ResNet::resnet18_cifar(10).architecture().unwrap()).unwrap();
        let same = node(&graph, "layer1/0/sum");
        assert_eq!(same.input.len(), 2);
        assert!(same.input[0].starts_with("layer1/0/"), "{:?}", same.input);
        assert!(!same.input[1].starts_with("layer1/0/"), "an empty path is what came in");
        // The ReLU behind a block is shown within it, and the next block begins with it.
        assert_eq!(node(&graph, "layer1/1/conv1").input, ["layer1/0/relu2"]);
        let smaller = node(&graph, "layer2/0/sum");
        assert!(smaller.input.iter().all(|input| input.starts_with("layer2/0/")));
        let names: std::collections::BTreeSet<&str> =
            graph.node.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names.len(), graph.node.len(), "no name twice");
        let inputs = graph.node.iter().flat_map(|node| &node.input);
        assert!(inputs.into_iter().all(|input| names.contains(input.as_str())));
        // No node is called as a group, which TensorBoard would rename.
        assert!(names.iter().all(|a| names.iter().all(|b| !b.starts_with(&format!("{a}/")))));
    }
}
