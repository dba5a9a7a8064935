/// A command with its arguments as a shell of POSIX takes them: quoted where they have to be. `command` itself stays
/// as it is, and may be several words.
///
/// ```
/// use selvedge_report::command_line;
///
/// let line = command_line("cargo run --", ["lr=1e-3", "seed=range(0,6)", "it's"]);
/// assert_eq!(line, r"cargo run -- lr=1e-3 'seed=range(0,6)' 'it'\''s'");
/// ```
pub fn command_line<S: AsRef<str>>(
    command: &str,
    arguments: impl IntoIterator<Item = S>,
) -> String {
    let mut line = command.to_owned();
    for argument in arguments {
        let argument = argument.as_ref();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
        line.push(' ');
        match !argument.is_empty() && argument.chars().all(plain) {
            true => line += argument,
            false => line += &format!("'{}'", argument.replace('\'', r"'\''")),
        }
    }
    line
}
