//! A disk of its own for a folder, which can be made as small as what is on it; it needs the right to
//! mount.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A size that no test reaches; memory is taken only for what is written.
const ROOMY: &str = "8g";
/// Somebody may write between a look at the disk and its last size.
const TRIES_MAX: usize = 100;

/// A mounted disk; unmounted when it is dropped.
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts a disk on a folder, which is made; none where the user may not mount.
    pub fn mount(folder: &Path) -> Option<Self> {
        std::fs::create_dir_all(folder).unwrap();
        let disk = Self {
            folder: folder.to_owned(),
        };
        disk.mount_with(&format!("size={ROOMY}")).then_some(disk)
    }

    /// Leaves no room on it.
    pub fn fill(&self) {
        let mut tries = (0..TRIES_MAX).map(|_| self.used_kilobytes());
        let is_full = tries.any(|used| self.mount_with(&format!("remount,size={used}k")));
        assert!(is_full, "{} cannot be filled", self.folder.display());
    }

    /// Gives the room back.
    pub fn free(&self) {
        assert!(self.mount_with(&format!("remount,size={ROOMY}")));
    }

    fn mount_with(&self, options: &str) -> bool {
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(&self.folder)
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    }

    fn used_kilobytes(&self) -> u64 {
        let output = Command::new("df")
            .args(["-k", "--output=used"])
            .arg(&self.folder)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let used: u64 = text.lines().nth(1).unwrap().trim().parse().unwrap();
        // A size of nothing would mean no limit.
        used.max(4)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whoever still has a file open keeps it; the folder is free at once.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}
