use std::fs;
use std::thread;

/// A computer: what a reader needs to know of it to judge times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// The name of its processor.
    pub cpu: String,
    /// Threads that this program may run at the same time.
    pub threads: usize,
    /// Bytes of its memory, if they are known.
    pub memory: Option<u64>,
    /// The operating system.
    pub os: String,
}

impl Machine {
    /// This one. What the system does not say is left to the name of its architecture.
    pub fn here() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let windows = std::env::var("PROCESSOR_IDENTIFIER").ok();
        let cpu = value(&read("/proc/cpuinfo"), ["model name", "Model"], ':').or(windows);
        let os = value(&read("/etc/os-release"), ["PRETTY_NAME"], '=');
        Self {
            cpu: cpu.unwrap_or_else(|| std::env::consts::ARCH.into()),
            threads: thread::available_parallelism().map_or(1, usize::from),
            memory: value(&read("/proc/meminfo"), ["MemTotal"], ':').and_then(|text| bytes(&text)),
            os: match os {
                Some(name) => format!("{name} ({})", std::env::consts::OS),
                None => std::env::consts::OS.into(),
            },
        }
    }

    /// Names and values, for people.
    pub fn facts(&self) -> Vec<(String, String)> {
        let memory =
            self.memory.map(|bytes| format!("{:.1} GiB", bytes as f64 / (1_u64 << 30) as f64));
        let facts = [
            ("processor", Some(self.cpu.clone())),
            ("threads", Some(self.threads.to_string())),
            ("memory", memory),
            ("operating system", Some(self.os.clone())),
        ];
        facts.into_iter().filter_map(|(name, value)| Some((name.into(), value?))).collect()
    }
}

/// What stands behind the first of the names that is in the text, without quotes.
fn value<const N: usize>(text: &str, names: [&str; N], separator: char) -> Option<String> {
    names.iter().find_map(|name| {
        let mut pairs = text.lines().filter_map(|line| line.split_once(separator));
        let (_, value) = pairs.find(|(key, _)| key.trim() == *name)?;
        let value = value.trim().trim_matches('"');
        (!value.is_empty()).then(|| value.to_owned())
    })
}

/// The bytes of "32778072 kB".
fn bytes(text: &str) -> Option<u64> {
    text.strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_linux_are_understood() {
        let cpu =
            "processor\t: 0\nmodel name\t: A CPU @ 2.00GHz\nprocessor\t: 1\nmodel name\t: other\n";
        assert_eq!(value(cpu, ["model name", "Model"], ':').unwrap(), "A CPU @ 2.00GHz");
        let arm = "processor\t: 0\n\nModel\t\t: A board\n";
        assert_eq!(value(arm, ["model name", "Model"], ':').unwrap(), "A board");
        assert_eq!(
            value("NAME=x\nPRETTY_NAME=\"A system 1\"\n", ["PRETTY_NAME"], '=').unwrap(),
            "A system 1"
        );
        assert_eq!(value("", ["MemTotal"], ':'), None);
        assert_eq!(bytes("32778072 kB"), Some(32_778_072 * 1024));
        assert_eq!([bytes("99999999999999999999 kB"), bytes("x"), bytes("1 MB")], [None; 3]);
    }

    #[test]
    fn this_machine_has_a_name_and_a_thread() {
        let facts = Machine::here().facts();
        assert!(facts.len() >= 3 && facts.iter().all(|(_, value)| !value.is_empty()));
        assert!(Machine::here().threads > 0);
    }
}
