//! `ktrdr models path`: where the files of a version, or of its data set, lie.

use clap::Args;
use schemas::codes;

use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::models::find_model;
use crate::inputs::object_places::print_places;
use crate::inputs::stored_series::open_existing_store;

/// `ktrdr models path`.
#[derive(Clone, Debug, Args)]
pub(super) struct PathArgs {
    /// NAME for the newest version, NAME@3 for version 3, NAME@production for the one of that alias
    model: String,
    /// The file with the rows that it was trained, validated and tested on, instead of its folder
    #[arg(long)]
    data: bool,
}

/// Prints the folder of the artifact, or the file of the data set.
///
/// # Errors
/// There is no such version, or its data set is gone.
pub(super) async fn run(args: &PathArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_existing_store(context).await?;
    let model = find_model(&store, &args.model).await?;
    if !args.data {
        print_places(&[format!("artifacts/{}", model.artifact)], context)?;
        return Ok(Exit::Done);
    }

    let dataset = &model.lineage.dataset;
    let Some(manifest) = store.data_sets().find(dataset).await? else {
        let message = format!("the data set {dataset} is not in the store any more");
        return Err(
            Failure::new(Exit::NotFound, codes::DATA_DATASET_MISSING, message)
                .with_hint("train the model again"),
        );
    };
    print_places(&[store.data_sets().file_key(&manifest)?], context)?;
    Ok(Exit::Done)
}
