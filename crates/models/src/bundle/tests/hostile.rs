use std::collections::BTreeMap;

use super::*;

/// The file of `bundle` with other texts in it.
fn with_texts(bundle: &Bundle, change: impl FnOnce(&mut BTreeMap<String, String>)) -> Vec<u8> {
    let mut texts = bundle.metadata().unwrap();
    change(&mut texts);
    bundle.network().to_safetensors_bytes_with(&texts).unwrap()
}

/// Asserts that `bytes` are refused on one line that says `part`.
#[track_caller]
fn assert_refused(bytes: &[u8], part: &str) {
    let message = Bundle::from_bytes(bytes, &Device::flex()).map(drop).unwrap_err().to_string();
    assert!(message.contains(part), "no `{part}` in: {message}");
    assert!(!message.contains(char::is_control), "{message:?}");
    assert!(message.starts_with("bytes in memory: "), "{message}");
}

/// Asserts that [`tiny`] with `text` under `key` is refused.
#[track_caller]
fn assert_text_refused(key: &str, text: &str, part: &str) {
    let bytes = with_texts(&tiny(), |texts| drop(texts.insert(key.into(), text.into())));
    assert_refused(&bytes, part);
}

/// The JSON of a network for images of 2 × 4 × 4 with these layers.
fn architecture(layers: &str) -> String {
    format!(r#"{{"name":"a","input":[2,4,4],"layers":[{layers}]}}"#)
}

#[test]
fn weights_alone_are_answered_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let [path, burnpack] = ["w.safetensors", "w.bpk"].map(|name| folder.path().join(name));
    tiny().network().save_safetensors(&path).unwrap();
    tiny().network().save_burnpack(&burnpack).unwrap();
    for (path, format) in [(path, "safetensors"), (burnpack, "burnpack")] {
        let message = Bundle::load(&path, &Device::flex()).map(drop).unwrap_err().to_string();
        let expected = format!(
            "{}: a file of {format}, weights alone, without architecture, classes and normalization: \
             read it with `Network::load`, and make a bundle of that with `Bundle::from_parts`",
            path.display()
        );
        assert_eq!(message, expected);
    }
}

#[test]
fn a_later_version_is_told() {
    assert_text_refused(
        "bundle",
        "2",
        "a bundle of version 2, not 1: of another version of selvedge",
    );
    assert_text_refused("bundle", "1\n2", "a bundle of version 1\\n2, not 1");
}

#[test]
fn a_text_that_is_missing_is_named() {
    for key in ["architecture", "classes", "normalization"] {
        let bytes = with_texts(&tiny(), |texts| drop(texts.remove(key)));
        assert_refused(&bytes, &format!("a bundle without `{key}`"));
    }
}

#[test]
fn texts_that_are_not_what_they_should_be_are_refused() {
    for (key, text, part) in [
        ("architecture", "", "`architecture` of the bundle: EOF"),
        ("architecture", "[]", "`architecture` of the bundle: "),
        ("architecture", r#"{"name":"a"}"#, "missing field `input`"),
        ("architecture", &architecture(r#"{"name":"x","op":"run"}"#), "unknown variant `run`"),
        (
            "architecture",
            &architecture(r#"{"name":"x","op":"linear","out_features":-1}"#),
            "invalid",
        ),
        ("classes", "{}", "`classes` of the bundle: invalid type: map"),
        ("classes", "[1,2,3,4]", "invalid type: integer `1`"),
        ("classes", "[\"a\"", "EOF while parsing a list"),
        ("normalization", "[0.5,0.5]", "`normalization` of the bundle: "),
        ("normalization", r#"{"mean":[0.5]}"#, "missing field `std`"),
        ("normalization", r#"{"mean":[0.5],"std":[1],"max":1}"#, "unknown field `max`"),
        ("normalization", r#"{"mean":[NaN],"std":[1]}"#, "`normalization` of the bundle: "),
    ] {
        assert_text_refused(key, text, part);
    }
}

#[test]
fn classes_that_are_not_as_many_as_the_outputs_are_refused() {
    for (classes, count) in [("[]", 0), (r#"["a","b","c"]"#, 3), (r#"["a","b","c","d","e"]"#, 5)] {
        let part =
            format!("number of classes is {count}, but must be 4, one an output of the network");
        assert_text_refused("classes", classes, &part);
    }
}

#[test]
fn a_normalization_that_is_not_finite_or_not_for_the_channels_is_refused() {
    for (mean, std, part) in [
        ("[1e39]", "[1]", "mean is inf, but must be finite"),
        ("[0]", "[1e39]", "standard deviation is inf"),
        ("[0]", "[0]", "standard deviation is 0, but must be above 0"),
        ("[0]", "[-1]", "standard deviation is -1"),
        ("[0]", "[1e-45]", "every pixel becomes a finite value"),
        ("[0]", "[1e38]", "every pixel becomes a finite value"),
        ("[0,0,0]", "[1]", "number of means is 3, but must be 1 or 2"),
        ("[0]", "[]", "number of standard deviations is 0"),
    ] {
        let text = format!(r#"{{"mean":{mean},"std":{std}}}"#);
        assert_text_refused("normalization", &text, part);
    }
}

#[test]
fn json_of_any_depth_is_refused() {
    let deep = |open: &str, close: &str, depth| open.repeat(depth) + &close.repeat(depth);
    assert_text_refused("architecture", &deep("[", "]", 100_000), "`architecture` of the bundle: ");
    assert_text_refused("classes", &deep("[", "]", 100_000), "`classes` of the bundle: ");
    let open = r#"{"name":"r","op":"residual","shortcut":[],"main":["#;
    let blocks = deep(open, "]}", 10_000);
    assert_text_refused("architecture", &architecture(&blocks), "recursion limit exceeded");
    // As deep as is read, which is then walked over.
    let blocks = deep(open, "]}", 20);
    assert_text_refused("architecture", &architecture(&blocks), "");
}

#[test]
fn an_architecture_that_would_take_terabytes_is_refused_before_it_is_built() {
    for (layers, part) in [
        // 65,536 kernels of 2 × 5 × 5 are not in the file; nor are 2²⁸ features of 32 values, 34 GB.
        (
            r#"{"name":"conv1","op":"conv2d","out_channels":65536,"kernel":5,"stride":1,"padding":2,"bias":true},
               {"name":"pool1","op":"adaptive_avg_pool2d","size":1},
               {"name":"flatten1","op":"flatten"},{"name":"fc1","op":"linear","out_features":4}"#,
            "conv1.weight has shape [3, 2, 3, 3], expected [65536, 2, 5, 5]",
        ),
        (
            r#"{"name":"flatten1","op":"flatten"},{"name":"fc0","op":"linear","out_features":268435456},
               {"name":"fc1","op":"linear","out_features":4}"#,
            "missing fc0.weight, fc0.bias",
        ),
        (
            r#"{"name":"f","op":"flatten"},{"name":"fc","op":"linear","out_features":268435457}"#,
            "layer `fc`: it has more than 268435456 features",
        ),
        (r#"{"name":"u","op":"upsample","scale":65536}"#, "an image with a side above 65536"),
        (
            r#"{"name":"u","op":"upsample","scale":8192},{"name":"v","op":"upsample","scale":2}"#,
            "layer `u`: more than 268435456 values for an image",
        ),
        (
            r#"{"name":"p","op":"adaptive_avg_pool2d","size":65536}"#,
            "layer `p`: more than 268435456",
        ),
    ] {
        assert_text_refused("architecture", &architecture(layers), part);
    }
}

#[test]
fn sizes_that_would_overflow_are_refused() {
    let conv = |field: &str, value: &str| {
        let sizes = r#""out_channels":1,"kernel":1,"stride":1,"padding":0,"bias":true"#;
        let old = sizes.split(',').find(|part| part.contains(field)).unwrap();
        let sizes = sizes.replace(old, &format!(r#""{field}":{value}"#));
        architecture(&format!(r#"{{"name":"c","op":"conv2d",{sizes}}}"#))
    };
    for field in ["out_channels", "kernel", "stride", "padding"] {
        for value in ["65537", "9223372036854775807", "18446744073709551615"] {
            assert_text_refused(
                "architecture",
                &conv(field, value),
                "layer `c`: it has a size above 65536",
            );
        }
        assert_text_refused(
            "architecture",
            &conv(field, "18446744073709551616"),
            "`architecture` of",
        );
    }
    // Within a block, whose own shape would be computed from them.
    let inner = r#"{"name":"u","op":"upsample","scale":18446744073709551615}"#;
    let block = format!(r#"{{"name":"r","op":"residual","main":[{inner}],"shortcut":[]}}"#);
    assert_text_refused(
        "architecture",
        &architecture(&block),
        "layer `u`: it has a size above 65536",
    );
    for input in ["[18446744073709551615,1,1]", "[65536,65536,65536]", "[0,4,4]"] {
        let text = format!(r#"{{"name":"a","input":{input},"layers":[]}}"#);
        assert_text_refused("architecture", &text, "");
    }
}

#[test]
fn ten_thousand_layers_are_refused() {
    let layers: Vec<String> =
        (0..10_001).map(|i| format!(r#"{{"name":"r{i}","op":"relu"}}"#)).collect();
    let text = architecture(&layers.join(","));
    assert_text_refused("architecture", &text, "the architecture has more than 10000 layers");
}

#[test]
fn long_names_are_refused_before_paths_are_made_of_them() {
    let long = "a.".repeat(1 << 20) + "a";
    let relus = vec![r#"{"name":"r","op":"relu"}"#; 9_000].join(",");
    for layers in [
        format!(r#"{{"name":"{long}","op":"relu"}}"#),
        format!(r#"{{"name":"{long}","op":"residual","main":[{relus}],"shortcut":[]}}"#),
    ] {
        assert_text_refused("architecture", &architecture(&layers), "more than 255 bytes");
    }
}

#[test]
fn an_architecture_that_is_not_sound_is_refused() {
    let conv = r#"{"name":"c","op":"conv2d","out_channels":2,"kernel":9,"stride":1,"padding":0,"bias":true}"#;
    for (layers, part) in [
        (conv, "layer `c`: kernel 9 is larger than the padded input, 4"),
        (r#"{"name":"r","op":"relu"},{"name":"r","op":"relu"}"#, "two layers named `r`"),
        (
            r#"{"name":"d","op":"dropout","probability":1.0}"#,
            "dropout probability 1 is not in [0, 1)",
        ),
        (r#"{"name":"a\n\u001b[2J","op":"linear","out_features":4}"#, "cannot follow images"),
    ] {
        assert_text_refused("architecture", &architecture(layers), part);
    }
}

#[test]
fn tensors_that_are_not_those_of_the_architecture_are_listed() {
    let bundle = tiny();
    let mut texts = bundle.metadata().unwrap();
    let text = texts["architecture"]
        .replace("fc1", "fc9")
        .replace("\"out_channels\":3", "\"out_channels\":5");
    texts.insert("architecture".into(), text);
    let bytes = bundle.network().to_safetensors_bytes_with(&texts).unwrap();
    assert_refused(&bytes, "the weights do not fit `tiny`: missing fc9.weight");
    assert_refused(&bytes, "conv1.weight has shape [3, 2, 3, 3], expected [5, 2, 3, 3]");
}

#[test]
fn truncated_files_are_refused_at_every_length() {
    let whole = pixels(2).to_bytes().unwrap();
    for length in 0..whole.len() {
        assert_refused(&whole[..length], "");
    }
}

#[test]
fn a_changed_byte_gives_an_error_or_a_bundle_but_no_panic() {
    let whole = tiny().to_bytes().unwrap();
    let (mut loaded, mut refused) = (0, 0);
    for position in 0..whole.len() {
        for bits in [0x01, 0x10, 0xff] {
            let mut changed = whole.clone();
            changed[position] ^= bits;
            match Bundle::from_bytes(&changed, &Device::flex()) {
                Ok(bundle) => {
                    loaded += 1;
                    // Values may be any; what is computed from them is told or used.
                    let size = bundle.network().architecture().input.iter().product();
                    let _ = bundle.predict(&vec![7; size]);
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(loaded > 100 && refused > 100, "{loaded} loaded, {refused} refused");
}
