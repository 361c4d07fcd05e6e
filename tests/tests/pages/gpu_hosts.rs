//! The page `docs/gpu-hosts.md`, followed as far as a machine without a GPU can, and the unit of a
//! trainer per GPU.

use std::collections::BTreeMap;
use std::path::Path;

use crate::comparison::missing_lines;
use crate::console::read_console;
use crate::reader::PageReader;

const PAGE: &str = include_str!("../../../docs/gpu-hosts.md");
const UNIT: &str = include_str!("../../../infra/systemd/ktrdr-trainer@.service");

#[test]
fn the_commands_of_the_page_show_what_it_says() {
    // The page shows the answers of a machine without a GPU, and of a trainer with libtorch.
    if Path::new("/dev/nvidia0").exists() {
        return;
    }
    let reader = PageReader::start();

    let commands = read_console(PAGE);
    assert_eq!(commands.len(), 2);
    for typed in commands {
        let answer = reader.type_command(&typed.command);
        assert_eq!(answer.code, Some(0), "{}", answer.screen);
        if answer.screen.contains("built without libtorch") {
            continue;
        }
        let missing = missing_lines(&typed.output, &answer.screen, &mut BTreeMap::new());
        assert_eq!(missing, [""; 0], "{}", answer.screen);
    }
}

#[test]
fn the_unit_starts_a_trainer_on_the_gpu_of_its_name() {
    let reader = PageReader::start();
    let settings = reader.folder().join("ktrdr.toml");
    std::fs::write(&settings, "[trainer]\nslots = 2\n").unwrap();
    let line = UNIT
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    let command = line
        .unwrap()
        .replace("/usr/local/bin/", "")
        .replace("/etc/ktrdr/ktrdr.toml", settings.to_str().unwrap())
        .replace("%i", "1");

    let answer = reader.type_command(&format!("{command} --check"));

    assert_eq!(answer.code, Some(0), "{}", answer.screen);
    assert!(
        answer.screen.contains("= cuda:1  (command line)"),
        "{}",
        answer.screen
    );
}
