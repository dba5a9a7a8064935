//! What the page computes, as WebAssembly: by Rust's own compiler and linker alone.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::site::workspace;

const TARGET: &str = "wasm32-unknown-unknown";

/// The functions that the page calls.
const EXPORTS: [&str; 3] = ["room", "answer", "failure"];

/// Compiles the crate of `web/`, links it, and packs it as `selvedge.wasm.gz`: a file server may not do that.
///
/// As a static library, which is linked here: as a program or a dynamic one it would keep the two thousand functions
/// that describe the browser to `wasm-bindgen`, since crates below Burn export them.
pub fn build(out: &Path) -> Result<(), Box<dyn Error>> {
    let about = printed("rustc", &["--print", "sysroot", "--print", "host-tuple"])?;
    let (sysroot, host) = about.split_once('\n').ok_or("rustc does not say where it is")?;
    let libraries = Path::new(sysroot).join("lib/rustlib");
    if !libraries.join(TARGET).is_dir() {
        return Err(format!("the page needs Rust's WebAssembly: rustup target add {TARGET}").into());
    }
    let library = library()?;
    let linker = libraries.join(host).join("bin/rust-lld");
    let mut link = Command::new(linker);
    link.args(["-flavor", "wasm", "--no-entry", "--gc-sections", "--strip-all", "-O2"]);
    // A stack that overflows runs into the end of the memory, and not into other data.
    link.args(["--stack-first", "-z", "stack-size=1048576"]);
    link.args(EXPORTS.map(|name| format!("--export={name}")));
    let linked = library.with_file_name("selvedge.wasm");
    link.arg(library).arg("-o").arg(&linked);
    if !link.status()?.success() {
        return Err("the WebAssembly of the page could not be linked".into());
    }
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&fs::read(linked)?)?;
    Ok(selvedge::files::write(out.join("selvedge.wasm.gz"), &packed.finish()?)?)
}

/// The path of the static library, once it is compiled.
fn library() -> Result<PathBuf, Box<dyn Error>> {
    let cargo = std::env::var("CARGO").unwrap_or("cargo".into());
    let mut build = Command::new(cargo);
    build.current_dir(workspace()).env("RUSTFLAGS", "-C target-feature=+simd128");
    build.args(["rustc", "--package", "selvedge-web", "--lib", "--crate-type", "staticlib"]);
    build.args(["--profile", "web", "--target", TARGET]);
    if !build.status()?.success() {
        return Err("the WebAssembly of the page could not be compiled".into());
    }
    // This program is in examples/ of the folder of its profile, beside which are those of other targets.
    let program = std::env::current_exe()?;
    let folder = program.ancestors().nth(3).ok_or("the program is in no target folder")?;
    Ok(folder.join(TARGET).join("web/libselvedge_web.a"))
}

fn printed(program: &str, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let output = Command::new(program).args(arguments).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
