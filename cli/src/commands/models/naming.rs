//! The commands that say what a model is called, and what there is to know about its versions.

use clap::Subcommand;

use super::remarks::{self, NoteArgs, TagArgs};
use super::rename::{self, RenameArgs};
use crate::console::{Exit, Failure};
use crate::context::Context;

/// `ktrdr models rename|note|tag`.
#[derive(Debug, Subcommand)]
pub(super) enum NamingCommand {
    /// Give a model another name, with all its versions, aliases, notes and tags
    Rename(RenameArgs),
    /// Write a note about a version, or list its notes with their authors
    Note(NoteArgs),
    /// Give a version tags to find it by, take some away, or show them
    Tag(TagArgs),
}

/// Runs the command.
///
/// # Errors
/// There is no such model, or the store cannot be read or written.
pub(super) async fn run(command: &NamingCommand, context: &Context) -> Result<Exit, Failure> {
    match command {
        NamingCommand::Rename(args) => rename::run(args, context).await,
        NamingCommand::Note(args) => remarks::note(args, context).await,
        NamingCommand::Tag(args) => remarks::tag(args, context).await,
    }
}
