//! The numbered steps of "Life of a step" in ARCHITECTURE.md are the numbered comments of the
//! runtime: whoever reads the one finds the other.

#[cfg(test)]
mod life_of_a_step {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;
    use std::path::{Path, PathBuf};

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    /// The number at the beginning of `text`, as in `3. Claim`.
    fn leading_number(text: &str) -> Option<u32> {
        let (number, _) = text.split_once(". ")?;
        number.parse().ok()
    }

    /// The numbers of the list in ARCHITECTURE.md.
    fn described_steps() -> BTreeSet<u32> {
        let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
        let section = text
            .split("\n## ")
            .find(|section| section.starts_with("Life of a step"))
            .unwrap();

        section.lines().filter_map(leading_number).collect()
    }

    /// The numbered comments of the runtime, and the files that they are in.
    fn commented_steps() -> BTreeMap<u32, BTreeSet<String>> {
        let mut steps: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
        for entry in fs::read_dir(root().join("services/runtime/src")).unwrap() {
            let path = entry.unwrap().path();
            if !path.is_file() {
                continue;
            }

            let file = path.file_name().unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let comments = text
                .lines()
                .filter_map(|line| line.trim_start().strip_prefix("// "));
            for number in comments.filter_map(leading_number) {
                steps.entry(number).or_default().insert(file.clone());
            }
        }
        steps
    }

    #[test]
    fn each_step_of_the_architecture_is_a_comment_in_the_code() {
        let described = described_steps();
        let commented = commented_steps();

        assert!(described.len() >= 6, "{described:?}");
        assert_eq!(
            commented.keys().copied().collect::<BTreeSet<_>>(),
            described
        );
    }

    #[test]
    fn the_architecture_names_the_files_of_the_comments() {
        let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();

        for file in commented_steps().values().flatten() {
            assert!(text.contains(&format!("`{file}`")), "{file}");
        }
    }
}
