//! Every stream, bucket and consumer, declared in one place as data, applied by one command, checked by every service.

/// One difference between what is declared and what the server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The stream, bucket or consumer.
    pub what: String,
    /// The setting; empty when the whole thing is missing.
    pub field: String,
    /// As declared here.
    pub declared: String,
    /// As found on the server.
    pub found: String,
}

impl std::fmt::Display for Drift {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, field, declared, found } = self;
        if field.is_empty() {
            write!(formatter, "{what} is {found}")
        } else {
            write!(formatter, "{what}: {field} is {found}, declared is {declared}")
        }
    }
}
