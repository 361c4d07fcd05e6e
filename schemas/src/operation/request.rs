//! A request as a client submits it, before a record exists.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Parent, REQUEST_BYTES_MAX};
use crate::ids::{Lane, OperationId};
use crate::plan::{InvalidPlan, Plan};

/// A request before it has become a record: what a client submits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NewOperation {
    /// `train`, `data`, `dummy`: the same word as in the id.
    pub kind: String,
    /// For lists and filters: symbol, timeframe, strategy, …
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The whole request, enough to run it again; steps read what they share from here.
    #[serde(default)]
    pub params: Value,
    /// The steps that carry it out.
    pub plan: Plan,
    /// Its place in a family; absent unless another operation makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// Retries that each step has, instead of those that its service is set to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u16>,
    /// The operation whose request this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<OperationId>,
    /// Who submits it: the user of the credential, else `user@host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Why a request cannot be submitted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidOperation {
    /// The plan is out of bounds.
    #[error("the plan is not valid")]
    Plan(#[from] InvalidPlan),
    /// The kind differs from the word in the id.
    #[error("the operation says it is of kind `{kind}`, its id says `{id}`")]
    Kind {
        /// In the request.
        kind: String,
        /// In the id.
        id: String,
    },
    /// The id says whether it is that of a child, the request says otherwise.
    #[error("{}", describe_place(op))]
    Place {
        /// As it was submitted.
        op: OperationId,
    },
    /// Too large to leave room for results in the record.
    #[error(
        "the request has {size} bytes, at most {REQUEST_BYTES_MAX} are allowed; \
         make the strategy text or the lists shorter"
    )]
    TooLarge {
        /// Size of the encoded record, in bytes.
        size: usize,
    },
}

fn describe_place(op: &OperationId) -> String {
    if op.is_child() {
        format!("{op} is the id of a child, since its number begins with f, and no parent is named")
    } else {
        format!("a parent is named, and {op} is not the id of a child: its number begins with f")
    }
}

impl NewOperation {
    /// The same operation with low priority: its steps wait for as long as others want a worker.
    /// A step that requires a GPU keeps its lane.
    pub fn in_background(mut self) -> Self {
        for step in self.plan.stages.iter_mut().flatten() {
            if step.lane == Lane::Default {
                step.lane = Lane::Background;
            }
        }
        self
    }

    /// The request as it is submitted for a child: with its place in the family, whoever started
    /// its parent, and the retries of the parent's request unless it says its own.
    pub fn into_child(self, parent: Parent, by: Option<String>, retries: Option<u16>) -> Self {
        Self {
            parent: Some(parent),
            by,
            retries: self.retries.or(retries),
            ..self
        }
    }

    /// Checks plan, kind, place in a family and size.
    pub fn validate(&self, op: &OperationId) -> Result<(), InvalidOperation> {
        self.plan.validate()?;

        if self.kind != op.kind() {
            return Err(InvalidOperation::Kind {
                kind: self.kind.clone(),
                id: op.kind().to_owned(),
            });
        }

        if self.parent.is_some() != op.is_child() {
            return Err(InvalidOperation::Place { op: op.clone() });
        }

        // A request that cannot be encoded cannot be sent either, so it counts as too large.
        let size = rmp_serde::to_vec_named(self).map_or(usize::MAX, |bytes| bytes.len());
        if size > REQUEST_BYTES_MAX {
            return Err(InvalidOperation::TooLarge { size });
        }

        Ok(())
    }
}
