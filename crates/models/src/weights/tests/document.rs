//! `docs/weights.md` says what the program does.

use std::collections::BTreeSet;

use super::*;
use crate::weights::names::{ANYWHERE, BEFORE, BESIDE, COUNTS, LOSSES, SOURCES};
use crate::weights::{FloatType, Format, Rename};

/// The rows of the table below the line `header`, without the signs of code.
fn table(header: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/weights.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, rest) = text.split_once(&format!("{header}\n|")).expect(header);
    let rows = rest.lines().skip(1).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        let cells = row.trim_matches('|').split('|').map(|cell| cell.replace('`', ""));
        cells.map(|cell| cell.trim().to_string()).collect()
    };
    rows.map(cells).collect()
}

fn column(rows: &[Vec<String>], at: usize) -> Vec<String> {
    rows.iter().map(|row| row[at].clone()).collect()
}

#[test]
fn it_lists_the_formats() {
    let all = [
        Format::PyTorchZip,
        Format::PyTorchLegacy,
        Format::TorchScript,
        Format::Pickle,
        Format::Npz,
        Format::Safetensors,
        Format::Burnpack,
    ];
    // A new one belongs into the list above and into the document.
    for format in all {
        match format {
            Format::PyTorchZip | Format::PyTorchLegacy | Format::TorchScript => {}
            Format::Pickle | Format::Npz | Format::Safetensors | Format::Burnpack => {}
        }
    }
    let rows = table("| format | file | read | written |");
    assert_eq!(column(&rows, 0), all.map(|format| format.to_string()));
}

#[test]
fn it_lists_the_wrappers_and_what_is_no_parameter() {
    assert_eq!(column(&table("| part | put in by |"), 0), ANYWHERE);
    assert_eq!(column(&table("| part before names |"), 0), BEFORE);
    let names = COUNTS.map(|name| format!("….{name}")).into_iter();
    let names: Vec<String> = names.chain(LOSSES.map(|name| format!("{name}.…"))).collect();
    assert_eq!(column(&table("| name | of |"), 0), names);
}

#[test]
fn it_lists_what_networks_side_by_side_are_called() {
    assert_eq!(column(&table("| called so |"), 0), [&BEFORE[..], &BESIDE].concat());
}

#[test]
fn it_lists_the_names_of_other_sources() {
    let found: BTreeSet<(String, String)> = table("| source | name there | name here |")
        .into_iter()
        .map(|row| (row[0].clone(), format!("{}={}", row[1], row[2])))
        .collect();
    let rules = |source: &'static crate::weights::names::Source| {
        let rules = source.renames().into_iter();
        rules.map(move |rule| (source.name.to_string(), rule.to_string()))
    };
    let expected: BTreeSet<(String, String)> = SOURCES.iter().flat_map(rules).collect();
    assert_eq!(found, expected);
}

#[test]
fn its_examples_of_rules_are_true() {
    let rows = table("| rule | name | becomes |");
    assert_eq!(rows.len(), 6);
    for row in rows {
        let rule: Rename = row[0].parse().unwrap();
        assert_eq!(rule.apply(&row[1]).unwrap_or(row[1].clone()), row[2], "{}", row[0]);
    }
}

#[test]
fn it_lists_the_types_that_are_written() {
    let rows = table("| type | largest |");
    assert_eq!(column(&rows, 0), FloatType::ALL.map(|float_type| float_type.to_string()));
    for (row, float_type) in rows.iter().zip(FloatType::ALL) {
        let largest: f64 = row[1].parse().unwrap();
        let hold = |value: f64| float_type.convert(TensorData::new(vec![value], [1])).is_ok();
        assert!(hold(largest) && !hold(largest * 1.01), "{float_type}");
    }
}

#[test]
fn its_network_is_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/weights.md");
    let text = std::fs::read_to_string(path).unwrap();
    let json = text.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), json).unwrap();
    assert_eq!(Architecture::read(file.path()).unwrap().name, "tiny");
}
