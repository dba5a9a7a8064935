//! ONNX Runtime computes from an exported network what the network itself computes.
//!
//! `tests/python/check_onnx.py` runs the exported files, and `tests/data/onnx_checked.json` records
//! the SHA-256 of every graph, weights included, with which it agreed. All weights come from integer
//! arithmetic and square roots, so that a graph has the same bytes everywhere: a machine without
//! Python proves that its files are the ones that were checked, one with Python checks them anew.
//!
//! After a change of what is exported, record it with
//!
//! ```sh
//! ONNX_RECORD=1 PYTHON=python3 cargo test --test onnx
//! ```
//!
//! which needs `numpy`, `onnx` and `onnxruntime`; 4 GB of memory and 1.6 GB of disk, because it also
//! exports networks that are too large for every day. `ONNX_FOLDER` names a folder in which the files
//! are kept, for other programs to run; `tests/javascript/check_onnx.mjs` is one.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use prost::Message;
use prost::bytes::Bytes;
use selvedge::burn::tensor::TensorData;
use selvedge::models::onnx::{IR_VERSION, OPSET};
use selvedge::models::state::{self, State};
use selvedge::models::{Conv, Layer, MaxPool, Op, Vgg, catalog, named};
use selvedge::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const SCRIPT: &str = "tests/python/check_onnx.py";
const RECORD: &str = "tests/data/onnx_checked.json";
const HOW_TO_RECORD: &str = "ONNX_RECORD=1 PYTHON=python3 cargo test --test onnx";

/// Relative to the largest output.
const TOLERANCE: f64 = 1e-5;

/// Images in a batch; the script also runs the first alone.
const BATCH: usize = 3;

/// What the script is told about an exported network.
#[derive(Serialize)]
struct Case {
    name: String,
    input: [usize; 4],
    output: [usize; 2],
    graph_sha256: String,
}

/// What the script recorded.
#[derive(Deserialize)]
struct Record {
    versions: BTreeMap<String, String>,
    tolerance: f64,
    networks: BTreeMap<String, Checked>,
}

#[derive(Deserialize)]
struct Checked {
    input: [usize; 4],
    graph_sha256: String,
    error: f64,
}

/// `ModelProto` as far as it is looked at here, written down a second time on purpose.
#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(int64, tag = "1")]
    ir_version: i64,
    #[prost(bytes = "bytes", tag = "7")]
    graph: Bytes,
    #[prost(message, repeated, tag = "8")]
    opset_import: Vec<OperatorSet>,
}

#[derive(Clone, PartialEq, Message)]
struct OperatorSet {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(int64, tag = "2")]
    version: i64,
}

/// A number in [−1, 1) that follows from `i` alone, with 24 random bits (SplitMix64).
fn noise(i: u64) -> f32 {
    let mut z = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let bits = (z ^ (z >> 31)) >> 40;
    bits as f32 / (1 << 23) as f32 - 1.0
}

/// The network with weights of He's scale, and with running statistics that are not those of a new
/// network.
fn filled(architecture: &Architecture) -> Network {
    let device = selvedge::device::open("flex").unwrap();
    let network = architecture.init(Initialization::PyTorch, 0, &device).unwrap();
    let fill = |(t, (name, data)): (usize, (String, TensorData))| {
        let shape = data.shape().clone();
        let (centre, scale) = match (&shape[..], name.rsplit('.').next()) {
            (_, Some("running_var")) => (1.0, 0.5),
            ([_], Some("weight")) => (1.0, 0.2),
            ([_], _) => (0.0, 0.1),
            (dims, _) => (0.0, (6.0 / dims[1..].iter().product::<usize>() as f32).sqrt()),
        };
        let value = |j: usize| {
            // Linear weights count by columns.
            let j = match shape[..] {
                [outputs, inputs] => j % inputs * outputs + j / inputs,
                _ => j,
            };
            centre + scale * noise(((t as u64) << 32) + j as u64)
        };
        let values = (0..shape.num_elements()).map(value).collect();
        (name, TensorData::new::<f32, _>(values, shape.clone()))
    };
    let state: State = state::read(&network).into_iter().enumerate().map(fill).collect();
    state::write(network, state)
}

/// An eighth of the channels and hidden features; every layer keeps its name, kind and place.
fn an_eighth(architecture: Architecture) -> Architecture {
    let head = architecture.head().map(String::from);
    let narrow = |mut layer: Layer| {
        match &mut layer.op {
            Op::Conv2d { out_channels, .. } => *out_channels /= 8,
            Op::Linear { out_features, .. } if Some(&layer.name) != head.as_ref() => {
                *out_features /= 8;
            }
            _ => {}
        }
        layer
    };
    Architecture {
        name: format!("{}_eighth", architecture.name),
        layers: architecture.layers.into_iter().map(narrow).collect(),
        ..architecture
    }
}

/// Settings that no network of the catalog has.
fn other_settings() -> Architecture {
    Architecture::new("other_settings", [2, 13, 11])
        .upsample(3)
        .layer("conv1", Conv::new(6, 5).stride(2).padding(2).without_bias())
        .sigmoid()
        .max_pool(MaxPool::new(3).stride(2).padding(1))
        .residual(
            "block",
            |main| main.conv("conv", 6, 3, 1).layer("tanh", Op::Tanh),
            |shortcut| shortcut,
        )
        .channel_dropout(0.2)
        .adaptive_avg_pool(4)
        .flatten()
        .linear("fc1", 7)
        .dropout(0.5)
        .tanh()
}

/// Every network of the catalog; VGG at an eighth of its width, whose files would else have half a
/// gigabyte each.
fn networks() -> Vec<Architecture> {
    let small = |a: Architecture| match a.name.as_str() {
        name if name.starts_with("vgg") => Architecture { input: [3, 64, 64], ..an_eighth(a) },
        "resnet18" | "resnet34" | "resnet50" | "mobilenet_v2" | "efficientnet_lite0_timm" => {
            Architecture { input: [3, 64, 64], ..a }
        }
        // Its padding follows from the size, and differs between the sides and the axes here.
        "efficientnet_lite0" => a.with_input([3, 70, 64]).unwrap(),
        _ => a,
    };
    let mut all: Vec<_> = catalog().into_iter().map(small).collect();
    // The sizes of ImageNet and odd ones: of 300 × 260 pixels, VGG leaves 9 × 8 for a pool to 7 × 7.
    for (base, [height, width]) in [
        ("resnet18", [224, 224]),
        ("resnet18_cifar", [37, 45]),
        ("vgg11", [40, 56]),
        ("vgg11", [224, 224]),
        ("vgg11", [300, 260]),
        ("vgg11", [448, 224]),
    ] {
        let net = resized(base, [3, height, width]);
        let net = if base == "vgg11" { an_eighth(net) } else { net };
        all.push(Architecture { name: format!("{}_{height}x{width}", net.name), ..net });
    }
    all.push(other_settings());
    all.extend(operations());
    all
}

/// The operations that `tests/parity/operations.rs` holds to PyTorch, each alone.
fn operations() -> Vec<Architecture> {
    #[derive(Deserialize)]
    struct Case {
        network: Architecture,
    }
    let cases: Vec<Case> = serde_json::from_str(&text("tests/data/operations.json")).unwrap();
    let named = |Case { network }| Architecture { name: format!("op_{}", network.name), ..network };
    cases.into_iter().map(named).collect()
}

/// Networks that are exported where a record is made, and not every day.
fn large_networks() -> [Architecture; 3] {
    let odd = resized("vgg11", [3, 40, 56]);
    [
        Architecture { name: "vgg11_40x56".into(), ..odd },
        resized("vgg11_bn", [3, 64, 64]),
        named("vgg16").unwrap(),
    ]
}

fn resized(name: &str, input: [usize; 3]) -> Architecture {
    use selvedge::models::ResNet;
    let net = match name {
        "resnet18" => ResNet::resnet18(1000).with_input(input).architecture(),
        "resnet18_cifar" => ResNet::resnet18_cifar(10).with_input(input).architecture(),
        "vgg11" => Vgg::vgg11(1000).with_input(input).architecture(),
        "vgg11_bn" => Vgg::vgg11(1000).with_batch_norm().with_input(input).architecture(),
        other => panic!("no {other} here"),
    };
    net.unwrap()
}

/// Exports a network into `folder`, with images and what the network makes of them.
fn export(architecture: &Architecture, folder: &Path) -> Case {
    let name = architecture.name.clone();
    let network = filled(architecture).valid();
    let path = folder.join(format!("{name}.onnx"));
    network.save_onnx(&path).unwrap();
    let model = Model::decode(Bytes::from(std::fs::read(&path).unwrap())).unwrap();
    assert_eq!(model.ir_version, IR_VERSION, "{name}");
    assert_eq!(model.opset_import, [OperatorSet { domain: "".into(), version: OPSET }], "{name}");

    let [channels, height, width] = architecture.input;
    let input = [BATCH, channels, height, width];
    let values = (0..input.iter().product()).map(|i: usize| noise(u64::MAX / 2 + i as u64));
    let images = TensorData::new::<f32, _>(values.collect(), input);
    write_floats(&folder.join(format!("{name}.images")), &images);
    let images = Tensor::from_data(images, &selvedge::device::open("flex").unwrap());
    let output = network.forward(images);
    let dims = output.dims();
    write_floats(&folder.join(format!("{name}.outputs")), &output.into_data());
    let graph_sha256 = Sha256::digest(&model.graph).iter().map(|b| format!("{b:02x}")).collect();
    Case { name, input, output: dims, graph_sha256 }
}

fn write_floats(path: &Path, data: &TensorData) {
    let values = data.try_to_vec::<f32>().unwrap();
    let bytes: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
    std::fs::write(path, bytes).unwrap();
}

fn python() -> String {
    std::env::var("PYTHON").unwrap_or("python3".into())
}

/// Whether there is a Python that can run the script.
fn has_onnxruntime() -> bool {
    let imports = Command::new(python()).args(["-c", "import numpy, onnx, onnxruntime"]).output();
    imports.is_ok_and(|output| output.status.success())
}

/// Lets the script check what is in `folder`.
fn check_with_python(folder: &Path, record: bool) {
    let mut command = Command::new(python());
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg(SCRIPT).arg(folder);
    if record {
        command.args(["--record", RECORD]);
    }
    let output = command.output().unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn recorded() -> Record {
    serde_json::from_str(&text(RECORD)).unwrap()
}

/// A file of the repository.
fn text(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn every_export_is_one_that_onnxruntime_agrees_with() {
    let record = std::env::var_os("ONNX_RECORD").is_some();
    let temporary = tempfile::tempdir().unwrap();
    let folder = match std::env::var_os("ONNX_FOLDER") {
        Some(kept) => kept.into(),
        None => temporary.path().to_path_buf(),
    };
    std::fs::create_dir_all(&folder).unwrap();
    let mut networks = networks();
    if record {
        networks.extend(large_networks());
    }
    let cases: Vec<Case> = networks.iter().map(|net| export(net, &folder)).collect();
    let manifest = serde_json::to_string_pretty(&cases).unwrap();
    std::fs::write(folder.join("manifest.json"), manifest).unwrap();
    if record || has_onnxruntime() {
        check_with_python(&folder, record);
    } else {
        println!("{} has no onnxruntime: compared with the record alone", python());
    }

    let mut recorded = recorded();
    assert_eq!(recorded.tolerance, TOLERANCE);
    for case in cases {
        let Some(checked) = recorded.networks.remove(&case.name) else {
            panic!("{} was never checked; record it with\n{HOW_TO_RECORD}", case.name);
        };
        assert_eq!(checked.input, case.input, "{}", case.name);
        assert!(checked.error <= TOLERANCE, "{}: {}", case.name, checked.error);
        assert_eq!(
            checked.graph_sha256, case.graph_sha256,
            "{} is no longer what ONNX Runtime was checked with; record it with\n{HOW_TO_RECORD}",
            case.name
        );
    }
    let large = large_networks().map(|net| net.name);
    let left: Vec<_> = recorded.networks.keys().filter(|name| !large.contains(name)).collect();
    assert!(left.is_empty(), "recorded, but no longer exported: {left:?}");
}

#[test]
fn the_documentation_states_what_was_recorded() {
    let documentation = text("docs/onnx.md");
    let Record { versions, networks, .. } = recorded();
    for (program, name) in [("onnxruntime", "ONNX Runtime"), ("onnx", "onnx"), ("numpy", "NumPy")] {
        let version = format!("{name} {}", versions[program]);
        assert!(documentation.contains(&version), "no `{version}`");
    }
    for (name, Checked { input: [_, c, h, w], error, .. }) in networks {
        let line = format!("| `{name}` | {c} × {h} × {w} | {error:.1e} |\n");
        assert!(documentation.contains(&line), "no line {line}");
    }
}
