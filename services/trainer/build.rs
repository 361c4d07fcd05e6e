//! Writes the place of libtorch into the trainer's binaries, so that they run without
//! LD_LIBRARY_PATH. A trainer without libtorch needs none.

fn main() {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    if std::env::var_os("CARGO_FEATURE_LIBTORCH").is_none() {
        return;
    }

    if let Some(folder) = std::env::var_os("LIBTORCH") {
        println!(
            "cargo::rustc-link-arg=-Wl,-rpath,{}/lib",
            std::path::Path::new(&folder).display()
        );
    }
}
