//! What makes two studies the same: their settings, data, networks, device and program.

use selvedge_data::Split;
use selvedge_models::Architecture;
use selvedge_train::SettingDifference;
use serde::Serialize;
use toml::Table;

use super::{TransferConfig, TransferStudy};
use crate::datasets::checksum;

/// The version of the files in the folder of trials.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Identity<'a> {
    experiment: &'static str,
    format: u32,
    version: &'static str,
    device: &'a str,
    source: Task<'a>,
    target: Task<'a>,
    config: &'a TransferConfig,
}

#[derive(Serialize)]
struct Task<'a> {
    name: &'a str,
    images: String,
    network: String,
}

/// All that decides the figures of `study` on a device, and nothing else.
pub(super) fn of(study: &TransferStudy, device: &str) -> Table {
    fn task<'a>(name: &'a str, split: &Split, network: &Architecture) -> Task<'a> {
        Task { name, images: short(checksum(split)), network: hash_of(network) }
    }
    let identity = Identity {
        experiment: "transfer_learning",
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION"),
        device,
        source: task(&study.source_name, &study.source, &study.source_network),
        target: task(&study.target_name, &study.target, &study.target_network),
        config: &study.config,
    };
    let table = Table::try_from(&identity).expect("the settings were checked");
    // As it will be when it was read again.
    table.to_string().parse().expect("what was written can be read")
}

fn hash_of(network: &Architecture) -> String {
    let text = serde_json::to_string(network).expect("a network is data");
    short(selvedge_files::sha256(text.as_bytes()))
}

/// Enough to tell two apart in a message.
fn short(mut hash: String) -> String {
    hash.truncate(16);
    hash
}

/// The settings that are not the same: "epochs is 3 there, 2 here".
pub(super) fn differences(there: &Table, here: &Table) -> Vec<String> {
    let found = SettingDifference::between(there, here).into_iter().map(|mut difference| {
        // The settings of the study and of its trainings are known by their own names.
        for above in ["config.", "fit."] {
            if let Some(name) = difference.name.strip_prefix(above) {
                difference.name = name.into();
            }
        }
        difference.text(ToString::to_string)
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        text.parse().unwrap()
    }

    #[test]
    fn every_setting_that_differs_is_named_with_both_values() {
        let there = table(
            "device = 'flex'\n[config]\npretrain_epochs = 3\nfractions = [0.1, 0.2]\n\
             [config.fit]\nepochs = 3\npatience = 2\nlearning_rate = 0.1\n[source]\nimages = 'ab'",
        );
        let here = table(
            "device = 'flex'\n[config]\npretrain_epochs = 3\nfractions = [0.1]\n\
             [config.fit]\nepochs = 2\nlearning_rate = 0.1\n[source]\nimages = 'cd'",
        );
        let expected = [
            "epochs is 3 there, 2 here",
            "patience is 2 there, not set here",
            "fractions is [0.1, 0.2] there, [0.1] here",
            "source.images is \"ab\" there, \"cd\" here",
        ];
        assert_eq!(differences(&there, &here), expected);
        assert!(differences(&there, &there).is_empty());
    }
}
