//! Tests of the program `ktrdr` from the outside, linked once.

#[cfg(test)]
mod acts;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod calendars;
#[cfg(test)]
mod cancelling;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod data_train_models;
#[cfg(test)]
mod deep_check;
#[cfg(test)]
mod deep_objects;
#[cfg(test)]
mod deleted_models;
#[cfg(test)]
mod devices;
#[cfg(test)]
mod exit_codes;
#[cfg(test)]
mod export_and_folders;
#[cfg(test)]
mod exported_models;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod families;
#[cfg(test)]
mod files_and_streams;
#[cfg(test)]
mod following;
#[cfg(test)]
mod gaps;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod habits;
#[cfg(test)]
mod hand_model;
#[cfg(test)]
mod identities;
#[cfg(test)]
mod interactive_brokers;
#[cfg(test)]
mod json_schemas;
#[cfg(test)]
mod local_system;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod lost_bus;
#[cfg(test)]
mod model_analytics;
#[cfg(test)]
mod model_names;
#[cfg(test)]
mod model_questions;
#[cfg(test)]
mod model_screens;
#[cfg(test)]
mod offline;
#[cfg(test)]
mod predicted_events;
#[cfg(test)]
mod program;
#[cfg(test)]
mod promises;
#[cfg(test)]
mod provider_mistakes;
#[cfg(test)]
mod providers;
#[cfg(test)]
mod quality;
#[cfg(test)]
mod read_only;
#[cfg(test)]
mod removal;
#[cfg(test)]
mod reported_models;
#[cfg(test)]
mod rerun_models;
#[cfg(test)]
mod rooms;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod running_up;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod schema_check;
#[cfg(test)]
mod screens;
#[cfg(test)]
mod sealed_models;
#[cfg(test)]
mod settings_beside;
#[cfg(test)]
mod site_tls;
#[cfg(test)]
mod sweep;
#[cfg(test)]
mod system_life;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod timeframes;
#[cfg(test)]
mod unreadable;
#[cfg(test)]
mod watched_list;
#[cfg(test)]
mod windows;
#[cfg(test)]
mod without_store;
