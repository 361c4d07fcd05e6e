//! Which operation an argument means.

use bus::Bus;
use schemas::codes;
use schemas::ids::OperationId;

use crate::arguments::OperationArg;
use crate::console::{Exit, Failure};

/// Candidates that an error names.
const NAMED_MAX: usize = 5;

/// The id of the operation that an argument means; it has a record.
///
/// # Errors
/// There is no such operation, several are meant, or the server cannot be asked.
pub(crate) async fn find_operation(bus: &Bus, arg: &OperationArg) -> Result<OperationId, Failure> {
    if let OperationArg::Id(op) = arg
        && bus.operations().get(op).await?.is_some()
    {
        return Ok(op.clone());
    }

    let ids = bus.operations().ids().await?;
    match arg {
        OperationArg::Last => last_of(bus, &ids).await,
        OperationArg::Id(op) => Err(unknown_id(op, &ids)),
        OperationArg::Ending(ending) => only_match(ending, &ids),
    }
}

/// The ids of all these operations, each once, in their order.
///
/// # Errors
/// As those of [`find_operation`], for the first argument that fails.
pub(crate) async fn find_operations(
    bus: &Bus,
    args: &[OperationArg],
) -> Result<Vec<OperationId>, Failure> {
    let mut ops = Vec::with_capacity(args.len());
    for arg in args {
        let op = find_operation(bus, arg).await?;
        if !ops.contains(&op) {
            ops.push(op);
        }
    }
    Ok(ops)
}

/// The operation that a person started last: not one that another operation has made.
async fn last_of(bus: &Bus, ids: &[OperationId]) -> Result<OperationId, Failure> {
    // Ids are in the order of their seconds.
    for second in ids.chunk_by(are_of_one_second).rev() {
        if let Some(op) = newest_of(bus, second).await? {
            return Ok(op);
        }
    }

    Err(Failure::new(
        Exit::NotFound,
        codes::OPS_NOT_FOUND,
        "there is no operation yet",
    )
    .with_hint("`ktrdr dummy start` makes one that only takes time"))
}

fn are_of_one_second(one: &OperationId, other: &OperationId) -> bool {
    (one.day(), one.time()) == (other.day(), other.time())
}

/// The newest of the operations of one second that no other has made; the records say which came
/// later.
async fn newest_of(bus: &Bus, second: &[OperationId]) -> Result<Option<OperationId>, Failure> {
    let mut newest = None;

    for op in second.iter().filter(|op| !op.is_child()) {
        let Some(stored) = bus.operations().get(op).await? else {
            continue;
        };
        let record = stored.record;
        let is_later = |(at, _): &(_, _)| *at <= record.created_at;
        if newest.as_ref().is_none_or(is_later) {
            newest = Some((record.created_at, record.op));
        }
    }
    Ok(newest.map(|(_, op)| op))
}

fn only_match(ending: &str, ids: &[OperationId]) -> Result<OperationId, Failure> {
    let matches: Vec<&OperationId> = ids
        .iter()
        .filter(|op| op.as_str().ends_with(ending))
        .collect();

    match matches.as_slice() {
        [op] => Ok((*op).clone()),
        [] => Err(Failure::new(
            Exit::NotFound,
            codes::OPS_NOT_FOUND,
            format!("no operation ends with `{ending}`"),
        )
        .with_hint("`ktrdr ops list` shows the operations that exist")),
        several => Err(ambiguous(ending, several)),
    }
}

fn ambiguous(ending: &str, ops: &[&OperationId]) -> Failure {
    let message = format!("{} operations end with `{ending}`", ops.len());
    let failure = Failure::new(Exit::Usage, codes::OPS_AMBIGUOUS, message);

    // The newest are the likeliest.
    let mut causes: Vec<String> = ops.iter().rev().map(ToString::to_string).collect();
    if causes.len() > NAMED_MAX {
        causes.truncate(NAMED_MAX);
        causes.push(format!("… and {} more", ops.len() - NAMED_MAX));
    }
    Failure { causes, ..failure }.with_hint("write more of the end of its id")
}

fn unknown_id(op: &OperationId, ids: &[OperationId]) -> Failure {
    let failure = Failure::no_operation(op);
    match ids.iter().find(|each| has_almost_random_of(each, op)) {
        Some(nearest) => failure.with_hint(format!("did you mean `{nearest}`?")),
        None => failure,
    }
}

/// True for ids whose random digits differ in one at most: in the rest all ids are alike.
fn has_almost_random_of(each: &OperationId, op: &OperationId) -> bool {
    let digits = |id: &OperationId| id.as_str().bytes().rev().take(8).collect::<Vec<_>>();
    let pairs = digits(each).into_iter().zip(digits(op));
    pairs.filter(|(a, b)| a != b).count() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> Vec<OperationId> {
        [
            "op_dummy_20260301_142233_9f3a01bc",
            "op_train_20260301_142234_aa3a01bc",
            "op_data_20260301_142234_00000007",
        ]
        .map(|text| text.parse().unwrap())
        .to_vec()
    }

    #[test]
    fn an_ending_means_the_only_operation_that_has_it() {
        let op = only_match("9f3a01bc", &ids()).unwrap();
        assert_eq!(op.as_str(), "op_dummy_20260301_142233_9f3a01bc");
        assert_eq!(only_match("fff", &ids()).unwrap_err().exit, Exit::NotFound);
    }

    #[test]
    fn an_ending_of_several_names_them_the_newest_first() {
        let failure = only_match("1bc", &ids()).unwrap_err();

        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(failure.message, "2 operations end with `1bc`");
        assert_eq!(
            failure.causes,
            [
                "op_train_20260301_142234_aa3a01bc",
                "op_dummy_20260301_142233_9f3a01bc"
            ]
        );
    }

    #[test]
    fn a_slip_in_an_id_is_answered_with_the_operation() {
        let slip = "op_dummy_20260301_142233_9f3a01bd".parse().unwrap();
        let other = "op_dummy_20260301_142233_11111111".parse().unwrap();

        assert_eq!(
            unknown_id(&slip, &ids()).hint,
            "did you mean `op_dummy_20260301_142233_9f3a01bc`?"
        );
        assert!(unknown_id(&other, &ids()).hint.contains("`ktrdr ops list`"));
    }
}
