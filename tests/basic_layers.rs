//! The example that compares the layers of basic operations with the framework's own.

use std::path::Path;
use std::process::Command;

#[test]
fn every_layer_of_the_example_agrees_in_output_and_gradient() {
    // Cargo builds the examples of a package before its tests, in the folder beside theirs.
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap().join("examples");
    let program = folder.join(format!("basic_layers{}", std::env::consts::EXE_SUFFIX));
    let arguments = ["--batch", "2", "--repeat", "1", "--device", "flex"];
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let text = String::from_utf8(output.stdout).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    assert!(header.starts_with("layer "), "{header}");
    let mut compared = 0;
    for row in rows.lines() {
        // The columns that are numbers in scientific notation; a whole network shows no gradient.
        let numbers = row
            .split_whitespace()
            .filter_map(|word| word.contains('e').then(|| word.parse::<f32>().ok()).flatten());
        for difference in numbers {
            assert!(difference <= 1e-5, "{row}");
            compared += 1;
        }
    }
    assert_eq!(compared, 9, "outputs of five rows, gradients of four:\n{text}");
}
