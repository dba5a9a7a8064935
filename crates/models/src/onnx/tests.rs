use burn::module::{ModuleMapper, Param};
use burn::tensor::{Device, Tensor};
use prost::Message;

use super::proto::{Graph, Model, Value};
use super::*;
use crate::{
    Architecture, Cnn, ConvAutoencoder, Initialization, LinearAutoencoder, Op, ResNet, TransferCnn,
    Vgg, state,
};

fn network(architecture: &Architecture) -> Network {
    architecture.init(Initialization::PyTorch, 0, &Device::flex()).unwrap()
}

fn graph(network: &Network) -> Graph {
    Model::decode(&network.to_onnx_bytes().unwrap()[..]).unwrap().graph.unwrap()
}

/// The nodes as `name: operator`.
fn nodes(graph: &Graph) -> Vec<String> {
    let text = |part: &Option<String>| part.clone().unwrap();
    graph.node.iter().map(|n| format!("{}: {}", text(&n.name), text(&n.op_type))).collect()
}

/// A value as `name[sizes]`.
fn described(value: &Value) -> String {
    let tensor = value.kind.clone().unwrap().tensor_type.unwrap();
    let size = |d: &proto::Dimension| match (&d.name, d.size) {
        (Some(name), None) => name.clone(),
        (None, Some(size)) => size.to_string(),
        both => panic!("a dimension has a name or a size, not {both:?}"),
    };
    let sizes: Vec<String> = tensor.shape.unwrap().dim.iter().map(size).collect();
    format!("{}[{}]", value.name.clone().unwrap(), sizes.join(", "))
}

fn initializer(graph: &Graph, name: &str) -> (Vec<i64>, Vec<f32>) {
    let found = graph.initializer.iter().find(|t| t.name.as_deref() == Some(name));
    let tensor = found.unwrap_or_else(|| panic!("no {name}"));
    let bytes = tensor.raw_data.as_ref().unwrap().chunks(4);
    let values = bytes.map(|b| f32::from_le_bytes(b.try_into().unwrap()));
    (tensor.dims.clone(), values.collect())
}

#[test]
fn nodes_have_the_paths_of_their_layers_and_dropout_is_left_out() {
    let net = network(&TransferCnn::new(5).with_dropout(0.3).architecture());
    let graph = graph(&net);
    let expected = [
        "conv1: Conv",
        "pool1: MaxPool",
        "relu1: Relu",
        "conv2: Conv",
        "relu2: Relu",
        "flatten1: Flatten",
        "fc1: Gemm",
        "relu3: Relu",
        "fc2: Gemm",
        "relu4: Relu",
        "fc3: Gemm",
    ];
    assert_eq!(nodes(&graph), expected);
    assert_eq!(described(&graph.input[0]), "images[batch, 1, 28, 28]");
    assert_eq!(described(&graph.output[0]), "logits[batch, 5]");
    assert_eq!(graph.node[1].input, ["conv1.output"]);
    assert_eq!(graph.node.last().unwrap().output, ["logits"]);
    assert_eq!(described(&graph.value_info[1]), "pool1.output[batch, 28, 12, 12]");
}

#[test]
fn the_paths_of_a_residual_block_meet_in_a_sum() {
    let net = ResNet::resnet18_cifar(10).architecture().unwrap();
    let graph = graph(&network(&net));
    let node = |name: &str| graph.node.iter().find(|n| n.name.as_deref() == Some(name)).unwrap();
    assert_eq!(node("layer1.0").op_type.as_deref(), Some("Add"));
    assert_eq!(node("layer1.0").input, ["layer1.0.bn2.output", "relu1.output"]);
    let both = ["layer2.0.bn2.output", "layer2.0.downsample.1.output"];
    assert_eq!(node("layer2.0").input, both);
    let weights = ["weight", "bias", "running_mean", "running_var"];
    let weights = weights.map(|name| format!("layer2.0.downsample.1.{name}"));
    assert_eq!(node("layer2.0.downsample.1").input[1..], weights);
}

#[test]
fn weights_have_pytorchs_names_layouts_and_values() {
    let architecture = Cnn::cnn2_small(5).architecture();
    let net = network(&architecture);
    let (graph, state) = (graph(&net), state::read(&net));
    let names: Vec<_> = graph.initializer.iter().map(|t| t.name.clone().unwrap()).collect();
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(sorted, state.keys().cloned().collect::<Vec<_>>());

    let (dims, values) = initializer(&graph, "conv2.weight");
    assert_eq!(dims, [20, 10, 3, 3]);
    assert_eq!(values, state["conv2.weight"].try_to_vec::<f32>().unwrap());
    let (dims, values) = initializer(&graph, "fc1.weight");
    assert_eq!(dims, state["fc1.weight"].shape().iter().map(|n| *n as i64).collect::<Vec<_>>());
    assert_eq!(values, state["fc1.weight"].try_to_vec::<f32>().unwrap());
}

#[test]
fn the_statistics_of_the_last_training_batch_are_in_the_file() {
    let device = Device::flex().autodiff();
    let net = Architecture::new("a", [2, 4, 4]).batch_norm("bn").flatten().linear("fc", 2);
    let net = net.init(Initialization::PyTorch, 0, &device).unwrap();
    net.forward(Tensor::ones([3, 2, 4, 4], &device));
    // Momentum 0.1: a tenth of the way from 0 to the batch's mean, 1, and from 1 to its variance, 0.
    let graph = graph(&net);
    assert_eq!(initializer(&graph, "bn.running_mean"), (vec![2], vec![0.1; 2]));
    assert_eq!(initializer(&graph, "bn.running_var"), (vec![2], vec![0.9; 2]));
}

#[test]
fn outputs_are_called_by_what_they_are() {
    let trunk = Architecture::new("trunk", [1, 8, 8]).conv("c", 2, 3, 0).relu();
    for (architecture, expected) in [
        (Cnn::cnn2(5).with_dropout(0.5).architecture(), "logits[batch, 5]"),
        (ConvAutoencoder::default().architecture(), "reconstruction[batch, 784]"),
        (LinearAutoencoder::default().architecture(), "reconstruction[batch, 784]"),
        (trunk.clone().dropout(0.5), "features[batch, 72]"),
        (trunk.flatten().dropout(0.5), "features[batch, 72]"),
        (Architecture::new("nothing", [1, 2, 3]), "reconstruction[batch, 6]"),
    ] {
        let graph = graph(&network(&architecture));
        let [output] = &graph.output[..] else { panic!("one output") };
        assert_eq!(described(output), expected);
        let made: Vec<&String> = graph.node.iter().flat_map(|n| &n.output).collect();
        assert_eq!(made.iter().filter(|name| **name == output.name.as_ref().unwrap()).count(), 1);
    }
}

#[test]
fn an_adaptive_pool_is_the_simplest_operator_that_is_exact() {
    let pool = |[height, width]: [usize; 2], size| {
        let net = Architecture::new("a", [3, height, width]);
        graph(&network(&net.layer("pool", Op::AdaptiveAvgPool2d { size })))
    };
    assert_eq!(nodes(&pool([5, 3], 1))[0], "pool: GlobalAveragePool");
    let divisible = pool([14, 7], 7);
    assert_eq!(nodes(&divisible)[0], "pool: AveragePool");
    assert_eq!(divisible.node[0].attribute[0].ints, [2, 1]);
    let other = pool([9, 1], 7);
    assert_eq!(nodes(&other)[..2], ["pool.over_rows: MatMul", "pool: MatMul"]);
    assert_eq!(initializer(&other, "pool.rows").0, [7, 9]);
    // Of one column, all seven windows are that column.
    assert_eq!(initializer(&other, "pool.columns"), (vec![1, 7], vec![1.0; 7]));
}

#[test]
fn what_is_written_part_by_part_is_the_message_as_a_whole() {
    for architecture in [
        TransferCnn::new(5).architecture(),
        ConvAutoencoder::default().architecture(),
        Vgg { plan: vec![2, 0], ..Vgg::vgg11(2) }
            .with_batch_norm()
            .with_input([1, 34, 33])
            .architecture()
            .map(|mut net| {
                // Linear layers of 4096 features only cost time here.
                net.layers.retain(|layer| !layer.name.starts_with("classifier"));
                net
            })
            .unwrap(),
    ] {
        let net = network(&architecture);
        let export = OnnxExport::new(&net).with_metadata("licence", "MIT");
        let bytes = export.to_bytes().unwrap();
        let model = Model::decode(&bytes[..]).unwrap();
        assert!(model.encode_to_vec() == bytes, "{}", architecture.name);
        assert_eq!(export.file().unwrap().1, bytes.len() as u64);
    }
}

#[test]
fn versions_and_metadata_are_in_the_file() {
    let net = network(&Architecture::new("a", [3, 2, 2]).flatten().linear("fc", 2));
    let export = OnnxExport::new(&net)
        .with_classes(["a \"b\"", "é"])
        .with_normalization(&[0.485, 0.456, 0.406], &[0.5])
        .with_metadata("licence", "MIT");
    let model = Model::decode(&export.to_bytes().unwrap()[..]).unwrap();
    assert_eq!((model.ir_version, model.opset_import[0].version), (Some(8), Some(17)));
    assert_eq!(model.producer_name.as_deref(), Some("selvedge"));
    assert_eq!(model.producer_version.as_deref(), Some(env!("CARGO_PKG_VERSION")));
    let entry = |e: Entry| format!("{} = {}", e.key.unwrap(), e.value.unwrap());
    let expected = [
        r#"classes = ["a \"b\"","é"]"#,
        "licence = MIT",
        "mean = [0.485, 0.456, 0.406]",
        "std = [0.5]",
    ];
    assert_eq!(model.metadata.into_iter().map(entry).collect::<Vec<_>>(), expected);
}

#[test]
fn metadata_that_does_not_fit_the_network_is_refused() {
    let net = network(&Architecture::new("a", [3, 2, 2]).flatten().linear("fc", 2));
    let export = || OnnxExport::new(&net);
    for (export, expected) in [
        (export().with_classes(["a"]), "number of class names is 1, but must be 2, one an output"),
        (
            export().with_normalization(&[0.0; 2], &[1.0]),
            "number of means is 2, but must be 1 or 3, one a channel",
        ),
        (
            export().with_normalization(&[0.0], &[]),
            "number of standard deviations is 0, but must be 1 or 3, one a channel",
        ),
        (
            export().with_normalization(&[0.0], &[1.0, 0.0, 1.0]),
            "standard deviation is 0, but must be above 0 and finite",
        ),
        (export().with_normalization(&[f32::NAN], &[1.0]), "mean is NaN, but must be finite"),
        (
            export().with_classes(["a", "b"]).with_metadata("classes", "x"),
            "metadata is `classes`, twice, but must be given once",
        ),
    ] {
        assert_eq!(export.to_bytes().unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_file_beyond_two_gigabytes_is_refused_before_anything_is_written() {
    let net = network(&Architecture::new("wide", [1, 1, 1]).flatten().linear("fc", 1));
    let net = net.map(&mut Widen);
    let folder = tempfile::tempdir().unwrap();
    let error = net.save_onnx(folder.path().join("wide.onnx")).unwrap_err();
    let ModelError::OnnxTooLarge { bytes, .. } = error else { panic!("{error}") };
    assert!((3_600_000_000..3_600_001_000).contains(&bytes), "{bytes}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Makes every matrix 30,000 × 30,000, all of it one number in memory.
struct Widen;

impl ModuleMapper for Widen {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match D {
            2 => param.map(|old| Tensor::<D>::ones([1; D], &old.device()).expand([30_000; D])),
            _ => param,
        }
    }
}

#[test]
fn a_file_that_cannot_be_written_is_named_and_the_old_one_stays() {
    let net = network(&Architecture::new("a", [1, 2, 2]).flatten().linear("fc", 2));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    net.save_onnx(&path).unwrap();
    let old = std::fs::read(&path).unwrap();
    assert_eq!(old, net.to_onnx_bytes().unwrap());

    let missing = folder.path().join("no/such/folder/model.onnx");
    let message = net.save_onnx(&missing).unwrap_err().to_string();
    assert!(message.starts_with(&missing.display().to_string()), "{message}");
    assert!(matches!(net.save_onnx(folder.path()), Err(ModelError::File { .. })));
    assert!(OnnxExport::new(&net).with_classes(["one"]).save(&path).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), old);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
}
