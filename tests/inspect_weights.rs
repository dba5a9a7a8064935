//! What the examples that read files of weights, `inspect_weights` and `export_onnx`, do with them.

#[path = "common/example.rs"]
mod example;

use std::path::Path;
use std::process::{Command, Output};

use selvedge::models::{Conv, named};
use selvedge::prelude::*;

fn example(name: &str, arguments: &[&Path]) -> Output {
    Command::new(example::program(name))
        .args(arguments)
        .env("RUST_BACKTRACE", "1")
        .output()
        .unwrap()
}

fn inspect_weights(arguments: &[&Path]) -> Output {
    example("inspect_weights", arguments)
}

/// Asserts that a run failed with one line that says `part`.
#[track_caller]
fn assert_refused(output: &Output, part: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it succeeded");
    assert_eq!(errors.trim_end().lines().count(), 1, "{errors}");
    assert!(errors.contains(part), "no `{part}` in: {errors}");
}

/// What a successful run prints.
#[track_caller]
fn printed(arguments: &[&Path]) -> String {
    let output = inspect_weights(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn network(name: &str) -> Network {
    let device = selvedge::device::open("auto").unwrap();
    named(name).unwrap().init(Initialization::PyTorch, 0, &device).unwrap()
}

#[test]
fn without_a_file_the_networks_are_listed_with_their_parameters() {
    let text = printed(&[]);
    assert_eq!(text.lines().count(), selvedge::models::catalog().len());
    // torchvision's documentation.
    for (name, parameters) in [("resnet18", "11689512"), ("vgg16_bn", "138365992")] {
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap();
        assert!(line.split_whitespace().any(|word| word == parameters), "{line}");
    }
}

#[test]
fn the_summary_and_the_fits_of_a_file_are_printed_best_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    network("cnn3").save_safetensors(&path).unwrap();
    let text = printed(&[&path]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].ends_with("safetensors, 22975 elements in 10 tensors (F32)"), "{}", lines[0]);
    assert_eq!(lines[1], "all names and shapes fit: cnn3 with 5 outputs for images of 1 × 28 × 28");
    assert!(lines[2].contains(" tensors fit: "), "{}", lines[2]);
    assert_eq!(lines.last().unwrap().split_whitespace().next(), Some("cnn3"));
}

#[test]
fn a_converted_file_holds_the_same_weights_in_either_format() {
    let folder = tempfile::tempdir().unwrap();
    let [first, burnpack, last] =
        ["a.safetensors", "b.bpk", "c.safetensors"].map(|name| folder.path().join(name));
    network("bn_cnn").save_safetensors(&first).unwrap();
    printed(&[&first, Path::new("--convert"), &burnpack]);
    printed(&[&burnpack, Path::new("--convert"), &last]);
    assert!(std::fs::read(&burnpack).unwrap().starts_with(b"NRUB"));
    assert!(std::fs::read(&first).unwrap() == std::fs::read(&last).unwrap());
}

#[test]
fn what_cannot_be_inspected_or_converted_is_answered_on_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let [text, strange, out] = ["a.pt", "b.bpk", "out.bpk"].map(|name| folder.path().join(name));
    std::fs::write(&text, "no weights").unwrap();
    let op = Conv::new(1, 1).without_bias();
    let net = Architecture::new("strange", [1, 1, 1]).layer("strange", op);
    let device = selvedge::device::open("auto").unwrap();
    net.init(Initialization::PyTorch, 0, &device).unwrap().save_burnpack(&strange).unwrap();
    let convert = Path::new("--convert");
    let network = [Path::new("--model"), Path::new("resnet18")];
    for (arguments, part) in [
        (vec![text.as_path()], "neither a file of PyTorch"),
        (vec![folder.path().join("nothing.pt").as_path()], "No such file"),
        (vec![&strange, network[0], network[1], convert, &out], "unexpected strange.weight"),
        (vec![convert, &out], "required"),
    ] {
        assert_refused(&inspect_weights(&arguments), part);
        assert!(!out.exists());
    }
}

#[test]
fn a_network_that_is_not_known_is_converted_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let [first, half, pack, last] = ["a.safetensors", "b.safetensors", "c.bpk", "d.safetensors"]
        .map(|name| folder.path().join(name));
    let net =
        Architecture::new("own", [1, 4, 4]).conv("strange", 2, 3, 0).flatten().linear("odd", 3);
    let device = selvedge::device::open("auto").unwrap();
    net.init(Initialization::PyTorch, 0, &device).unwrap().save_safetensors(&first).unwrap();
    let convert = Path::new("--convert");
    let text = printed(&[&first, convert, &half, Path::new("--dtype=f16")]);
    assert!(text.contains("no known network has any of these tensors"), "{text}");
    assert!(text.contains("taken 4: all tensors, under their names"), "{text}");
    let types = |path: &Path| printed(&[path]).lines().next().unwrap().to_string();
    // 2 · 9 + 2 of the convolution, 3 · 8 + 3 of the linear layer.
    assert!(types(&half).ends_with("47 elements in 4 tensors (F16)"), "{}", types(&half));
    // Without a type that of the file stays.
    printed(&[&half, convert, &pack]);
    printed(&[&pack, convert, &last, Path::new("--rename=odd=fc")]);
    assert!(types(&last).ends_with("(F16)"), "{}", types(&last));
    let names = printed(&[&last, Path::new("--tensors")]);
    assert!(names.contains("\nfc.bias ") && names.contains("\nstrange.weight "), "{names}");
    let refused = inspect_weights(&[&first, convert, &pack, Path::new("--dtype=bf16")]);
    assert_refused(&refused, "burnpack is written as f32");
    let refused = inspect_weights(&[&first, convert, &half, Path::new("--dtype=f8")]);
    assert_refused(&refused, "type of the weights is f8, but must be f32, f16, bf16 or int8");
}

#[test]
fn a_bundle_of_a_known_network_stays_a_bundle_when_it_is_written_in_eight_bits() {
    let folder = tempfile::tempdir().unwrap();
    let [bundle, small, plain, pack] = ["a.safetensors", "b.safetensors", "c.safetensors", "d.bpk"]
        .map(|name| folder.path().join(name));
    let classes = ["T-shirt", "trouser", "coat", "sandal", "bag"].map(String::from).to_vec();
    Bundle::from_parts(network("cnn2_small"), classes, vec![0.3], vec![0.3]).save(&bundle).unwrap();
    let [convert, int8] = ["--convert", "--dtype=int8"].map(Path::new);
    let text = printed(&[&bundle, convert, &small, int8]);
    assert!(text.contains("taken 8: all tensors, under their names"), "{text}");
    let size = |path: &Path| std::fs::metadata(path).unwrap().len();
    assert!(3 * size(&small) < size(&bundle), "{} {}", size(&small), size(&bundle));
    let device = selvedge::device::open("auto").unwrap();
    assert_eq!(Bundle::load(&small, &device).unwrap().classes()[4], "bag");
    // Under other names it does not load as one.
    printed(&[&bundle, convert, &plain, int8, Path::new("--rename=fc1=head")]);
    assert!(Bundle::load(&plain, &device).is_err());
    let refused = inspect_weights(&[&small, convert, &pack, int8]);
    assert_refused(&refused, "burnpack is written as f32");
}

#[test]
fn a_network_described_as_json_is_found_in_its_file_and_converted_in_part() {
    let folder = tempfile::tempdir().unwrap();
    let [json, weights, out, onnx] = ["net.json", "own.safetensors", "out.safetensors", "net.onnx"]
        .map(|name| folder.path().join(name));
    let text = r#"{"name": "own", "input": [1, 4, 4], "layers": [
        {"name": "first", "op": "conv2d", "out_channels": 2, "kernel": 3},
        {"name": "flatten", "op": "flatten"},
        {"name": "last", "op": "linear", "out_features": 3}]}"#;
    std::fs::write(&json, text).unwrap();
    let net =
        Architecture::new("other", [3, 4, 4]).conv("first", 2, 3, 0).flatten().linear("odd", 3);
    let device = selvedge::device::open("auto").unwrap();
    net.init(Initialization::PyTorch, 0, &device).unwrap().save_safetensors(&weights).unwrap();
    let [architecture, convert, rename, partial, sum] =
        ["--architecture", "--convert", "--rename=odd=last", "--partial", "--input-channels=sum"]
            .map(Path::new);
    let found = printed(&[&weights, architecture, &json, rename]);
    let line = "all names and shapes fit: own with 3 outputs for images of 3 × 4 × 4";
    assert!(found.lines().any(|l| l == line), "{found}");
    let refused = inspect_weights(&[&weights, architecture, &json, convert, &out]);
    assert_refused(&refused, "missing last.weight, last.bias; unexpected odd.bias, odd.weight");
    let text = printed(&[&weights, architecture, &json, convert, &out, partial]);
    for line in ["taken 2: first", "missing 2: last", "unexpected 2: odd.bias, odd.weight"] {
        assert!(text.lines().any(|l| l == line), "no `{line}` in {text}");
    }
    let text = printed(&[&weights, architecture, &json, convert, &out, rename, sum]);
    assert!(text.contains("first.weight is the sum over 3 channels"), "{text}");
    let [weights_of, out_of] = ["--weights", "--out"].map(Path::new);
    let exported = example("export_onnx", &[architecture, &json, weights_of, &out, out_of, &onnx]);
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));

    std::fs::write(
        &json,
        r#"{"name": "own", "input": [1, 4, 4], "layers": [{"name": "a", "op": "conv3d"}]}"#,
    )
    .unwrap();
    let place = format!("{}: line 1, column ", json.display());
    assert_refused(&inspect_weights(&[&weights, architecture, &json]), &place);
    assert_refused(&inspect_weights(&[&weights, architecture, &json]), "unknown variant `conv3d`");
    let both = inspect_weights(&[&weights, architecture, &json, Path::new("--model=cnn3")]);
    assert_refused(&both, "cannot be used with");
}

#[test]
fn a_file_is_not_written_over_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    network("cnn3").save_safetensors(&path).unwrap();
    let before = std::fs::read(&path).unwrap();
    let roundabout = folder.path().join(".").join("net.safetensors");
    let convert = inspect_weights(&[&path, Path::new("--convert"), &roundabout]);
    assert_refused(&convert, "is the file itself");
    let [network, weights, out] = ["--network=cnn3", "--weights", "--out"].map(Path::new);
    let export = example("export_onnx", &[network, weights, &path, out, &roundabout]);
    assert_refused(&export, "holds the weights");
    assert!(std::fs::read(&path).unwrap() == before);
}

#[test]
fn the_ending_says_the_format_in_any_case_of_letters_and_no_other_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    network("cnn3").save_safetensors(path("net.safetensors")).unwrap();
    let convert = |out: &str| {
        inspect_weights(&[&path("net.safetensors"), Path::new("--convert"), &path(out)])
    };
    for (out, start) in [("A.BPK", b"NRUB".as_slice()), ("a.SafeTensors", &[])] {
        assert!(convert(out).status.success());
        assert!(std::fs::read(path(out)).unwrap().starts_with(start));
    }
    for out in ["a.pt", "a.onnx", "bpk"] {
        assert_refused(&convert(out), "must end in .safetensors or .bpk");
        assert!(!path(out).exists());
    }
}

#[test]
fn a_name_that_would_steer_the_terminal_is_printed_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    let header = r#"{"\u001b[2Jname":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend([0; 4]);
    std::fs::write(&path, bytes).unwrap();
    let listed = printed(&[&path, Path::new("--tensors")]);
    assert!(listed.contains(r"\u{1b}[2Jname") && !listed.contains('\u{1b}'), "{listed:?}");
    let network = [Path::new("--model"), Path::new("cnn3")];
    let out = folder.path().join("out.bpk");
    let output = inspect_weights(&[&path, network[0], network[1], Path::new("--convert"), &out]);
    assert_refused(&output, r"unexpected \u{1b}[2Jname");
}

#[test]
fn a_network_for_other_classes_becomes_onnx_from_a_file_of_any_format() {
    let folder = tempfile::tempdir().unwrap();
    let [weights, onnx] = ["net.bpk", "net.onnx"].map(|name| folder.path().join(name));
    let net = TransferCnn::new(7).architecture();
    let device = selvedge::device::open("auto").unwrap();
    let net = net.init(Initialization::PyTorch, 0, &device).unwrap();
    net.save_burnpack(&weights).unwrap();
    let options = ["--network=transfer_cnn", "--weights", "--out"].map(Path::new);
    let output = example("export_onnx", &[options[0], options[1], &weights, options[2], &onnx]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("logits: float32 [batch, 7]"));
    assert!(std::fs::read(&onnx).unwrap() == net.to_onnx_bytes().unwrap());
}

// As a run leaves them that diverged.
#[test]
fn values_that_are_not_finite_are_told_by_the_names_of_their_tensors_and_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let [plain, bundle, out] =
        ["a.safetensors", "b.safetensors", "out"].map(|name| folder.path().join(name));
    network("cnn2_small").save_safetensors(&plain).unwrap();
    let classes = ["a", "b", "c", "d", "e"].map(String::from).to_vec();
    Bundle::from_parts(network("cnn2_small"), classes, vec![0.0], vec![1.0]).save(&bundle).unwrap();
    for (path, named) in [
        (&plain, Some("--model=cnn2_small")),
        (&bundle, None),
        (&bundle, Some("--model=cnn2_small")),
    ] {
        let mut bytes = std::fs::read(path).unwrap();
        let end = bytes.len();
        bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        std::fs::write(path, bytes).unwrap();
        let found = selvedge::models::weights::inspect(path).unwrap().non_finite().unwrap();
        let [(name, 1)] = &found[..] else { panic!("{found:?}") };

        let text = printed(&[path]);
        let line =
            format!("no network takes it: values that are NaN or infinite as f32 in {name} (1)");
        assert_eq!(text.lines().nth(1), Some(&line[..]), "{text}");

        let arguments = ["--classes=fm1", "--output-dir"].map(Path::new);
        let mut arguments = [&arguments[..], &[&out, Path::new("--weights"), path]].concat();
        arguments.extend(named.map(Path::new));
        let output = example("finetune", &arguments);
        assert_refused(&output, &format!("{name}: 1 of "));
        assert_refused(&output, "values are NaN or infinite as f32");
    }
}
