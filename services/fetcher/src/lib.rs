//! fetcher: to be written.
