//! Writing down what a person removes or sends away, before it is done.

use bus::Bus;
use jiff::Timestamp;
use schemas::acts::{Act, Deed};
use schemas::errors::chain;

use crate::console::Failure;
use crate::context::Context;

/// Writes down that this person does it to these things; `ktrdr ops acts` lists it. A server that
/// does not allow that yet keeps nobody from working: the person is told.
///
/// # Errors
/// A setting is wrong.
pub(crate) async fn note_act(
    deed: Deed,
    of: &[String],
    context: &Context,
    bus: &Bus,
) -> Result<(), Failure> {
    if of.is_empty() {
        return Ok(());
    }

    let act = Act::new(deed, of, &context.person()?, Timestamp::now());
    if let Err(error) = bus.events().note_act(&act).await {
        let cause = chain(&error);
        context.output.note(&format!(
            "warning: `ktrdr ops acts` will not list this: {cause}"
        ));
    }
    Ok(())
}
