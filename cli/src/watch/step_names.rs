//! The names of an operation's steps in its results: that of the service, with the number of the
//! step where a service has several.

use schemas::ids::Service;
use schemas::operation::OperationRecord;

/// The name of each step, in the order of the steps: `fetcher`, or `family (2/3)`.
pub(super) fn step_names(record: &OperationRecord) -> Vec<String> {
    let services: Vec<Service> = record.plan.steps().map(|spec| spec.service).collect();
    let steps = services.len();

    let named = (1..).zip(&services).map(|(number, service)| {
        match services.iter().filter(|each| *each == service).count() {
            1 => service.to_string(),
            _ => format!("{service} ({number}/{steps})"),
        }
    });
    named.collect()
}
