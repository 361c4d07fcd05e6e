//! Writes the place of libtorch into the trainer's binaries, so that they run without
//! LD_LIBRARY_PATH, and links its part for GPUs where there is one. A trainer without libtorch needs
//! none.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    if std::env::var_os("CARGO_FEATURE_LIBTORCH").is_none() {
        return;
    }

    if let Some(folder) = std::env::var_os("LIBTORCH") {
        link_libtorch(Path::new(&folder));
    }
}

fn link_libtorch(folder: &Path) {
    let lib = folder.join("lib");
    let place = lib.display();
    // Where the archive of a release has it, then where it was at the build.
    println!("cargo::rustc-link-arg=-Wl,-rpath,$ORIGIN/../libtorch/lib");
    println!("cargo::rustc-link-arg=-Wl,-rpath,{place}");

    // `infra/setup libtorch --cuda` replaces what stands here, and writes the stamp last.
    let stamp = folder.join("STAMP");
    let changing = if stamp.exists() { &stamp } else { &lib };
    println!("cargo::rerun-if-changed={}", changing.display());

    // Nothing calls this library by a name, it registers itself when it is loaded: a linker leaves
    // it out unless a flag forbids it, and the GPUs would not be found.
    if lib.join("libtorch_cuda.so").exists() {
        println!(
            "cargo::rustc-link-arg=-Wl,--no-as-needed,--allow-shlib-undefined,-L{place},\
             -ltorch_cuda,--as-needed"
        );
    }
}
