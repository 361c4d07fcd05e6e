//! Meters of the process itself, by the names that every Prometheus client uses.

use std::path::Path;

use jiff::Timestamp;
use prometheus::{IntGauge, IntGaugeVec, Registry, Result};

use super::definition::{gauge, gauges};

pub(super) struct ProcessMeters {
    build: IntGaugeVec,
    start: IntGauge,
    resident_memory: IntGauge,
    open_files: IntGauge,
    threads: IntGauge,
}

impl ProcessMeters {
    pub(super) fn define(registry: &Registry) -> Result<Self> {
        let meters = Self {
            build: gauges(
                registry,
                "ktrdr_build_info",
                "Always 1; the labels name the service and its version.",
                &["service", "version"],
            )?,
            start: gauge(
                registry,
                "process_start_time_seconds",
                "When the process began to count, in seconds since 1970.",
            )?,
            resident_memory: gauge(
                registry,
                "process_resident_memory_bytes",
                "Memory of the process that is not swapped out.",
            )?,
            open_files: gauge(
                registry,
                "process_open_fds",
                "Files and connections that the process has open.",
            )?,
            threads: gauge(registry, "process_threads", "Threads of the process.")?,
        };

        meters.start.set(Timestamp::now().as_second());
        Ok(meters)
    }

    /// Names the program on the page.
    pub(super) fn name_build(&self, service: &str) {
        let labels = [service, env!("CARGO_PKG_VERSION")];
        self.build.with_label_values(&labels).set(1);
    }

    /// Asks the system for what changes. Figures that it does not give stay 0.
    pub(super) fn measure(&self) {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        self.resident_memory
            .set(1_024 * field_of(&status, "VmRSS:"));
        self.threads.set(field_of(&status, "Threads:"));
        self.open_files
            .set(count_entries(Path::new("/proc/self/fd")));
    }
}

/// The number of a line of a `status` file, which begins with `name`; 0 without one.
fn field_of(status: &str, name: &str) -> i64 {
    let rest = status.lines().find_map(|line| line.strip_prefix(name));
    let word = rest.and_then(|rest| rest.split_whitespace().next());
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}

fn count_entries(folder: &Path) -> i64 {
    let entries = std::fs::read_dir(folder).map_or(0, Iterator::count);
    entries.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_status_file_are_read_by_name() {
        let status = "Name:\tktrdr\nVmRSS:\t   20480 kB\nThreads:\t7\n";

        assert_eq!(field_of(status, "VmRSS:"), 20_480);
        assert_eq!(field_of(status, "Threads:"), 7);
        assert_eq!(field_of(status, "VmSwap:"), 0);
    }
}
