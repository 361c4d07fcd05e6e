//! The operations of a command's list: in the command itself, or in stored lists of which one at a
//! time is in memory.

use std::sync::Arc;

use runtime::StepError;
use schemas::codes;
use schemas::commands::{CHILDREN_PER_LIST, ChildList, Spread};
use schemas::operation::NewOperation;
use store::Store;
use tokio::sync::Mutex;

/// The list of one command.
pub(crate) struct Listed {
    command: Arc<Spread>,
    store: Store,
    /// Number and content of the list that was read last: children are asked for in their order.
    last_read: Mutex<Option<(usize, ChildList)>>,
}

impl Listed {
    pub(crate) fn new(command: Arc<Spread>, store: Store) -> Self {
        Self {
            command,
            store,
            last_read: Mutex::new(None),
        }
    }

    /// The operation at `place`, from 0, in the list.
    ///
    /// # Errors
    /// The stored list cannot be read, or is shorter than the command says.
    pub(crate) async fn operation(&self, place: usize) -> Result<NewOperation, StepError> {
        if self.command.lists.is_empty() {
            let child = self.command.children.get(place);
            return child.cloned().ok_or_else(|| not_listed(place));
        }

        let number = place / CHILDREN_PER_LIST;
        let mut last_read = self.last_read.lock().await;
        let is_read = last_read.as_ref().is_some_and(|read| read.0 == number);
        if !is_read {
            *last_read = Some((number, self.read(number, place).await?));
        }

        let list = last_read.as_ref().map(|read| &read.1.children);
        let child = list.and_then(|children| children.get(place % CHILDREN_PER_LIST));
        child.cloned().ok_or_else(|| not_listed(place))
    }

    async fn read(&self, number: usize, place: usize) -> Result<ChildList, StepError> {
        let key = self.command.lists.get(number);
        let key = key.ok_or_else(|| not_listed(place))?;
        Ok(self.store.reports().get(key).await?)
    }
}

fn not_listed(place: usize) -> StepError {
    let message = format!("the list of the command has no operation {}", place + 1);
    let hint = "submit the operation again with this version of `ktrdr`";

    StepError::permanent(codes::OPS_INVALID_COMMAND, message, hint)
}
