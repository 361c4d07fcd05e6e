//! What lies in the store together: numbers without gaps, names that stand for something, and what
//! nobody names. Values in, values out.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemas::ids::OperationId;
use schemas::manifests::AliasChange;
use schemas::operation::{OperationState, StepState};

use super::super::facts::Facts;
use super::super::finding::Finding;
use super::super::rules::Rule;
use super::documents::{Meaning, Named, change_in, revision_in};

/// Everything that the store holds.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// When each object was written.
    pub(super) objects: BTreeMap<String, Timestamp>,
    /// The documents that can be read.
    pub(super) documents: BTreeMap<String, Meaning>,
}

impl Listing {
    /// Adds a document that was understood.
    pub(super) fn add(&mut self, key: String, meaning: Meaning) {
        self.documents.insert(key, meaning);
    }

    /// The reports, each of which is named by its content.
    pub(super) fn reports(&self) -> impl Iterator<Item = Named> {
        self.objects.keys().filter_map(|key| report(key))
    }

    /// The object that a finding says is missing, where it says so.
    pub(super) fn missing_of(&self, finding: &Finding) -> Option<String> {
        let subject = finding.subject.clone();
        let says_so = matches!(
            finding.rule,
            Rule::ManifestLost
                | Rule::NumberMissing
                | Rule::CheckpointMissing
                | Rule::ObjectMissing
        );
        (says_so && !self.objects.contains_key(&subject)).then_some(subject)
    }
}

/// Every finding that needs no content.
pub(super) fn judge_listing(
    listing: &Listing,
    facts: &Facts,
    young_from: Timestamp,
) -> Vec<Finding> {
    let mut findings = lost_manifests(listing);

    findings.extend(gaps(listing));
    findings.extend(broken_aliases(listing));
    findings.extend(missing_artifacts(listing));
    findings.extend(versions_twice(listing));
    findings.extend(missing_reports(listing, facts));
    findings.extend(missing_checkpoints(listing, facts));
    findings.extend(unnamed(listing, facts, young_from));
    findings
}

/// Copies that are newer than every manifest of their series.
fn lost_manifests(listing: &Listing) -> Vec<Finding> {
    let mut newest: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for key in listing
        .objects
        .keys()
        .filter(|key| key.starts_with("bars/"))
    {
        let Some((folder, name)) = key.rsplit_once('/') else {
            continue;
        };
        if let Some(revision) = revision_in(name) {
            let revisions = newest.entry(folder).or_default();
            match name.starts_with("copy.") {
                true => revisions.1 = revisions.1.max(revision),
                false => revisions.0 = revisions.0.max(revision),
            }
        }
    }

    let mut findings = Vec::new();
    for (folder, (manifest, copy)) in newest {
        if copy > manifest {
            let what = format!("a copy of revision {copy} is there, the newest is {manifest}");
            let key = format!("{folder}/manifest.{copy}.json");
            findings.push(Finding::new(Rule::ManifestLost, key, what));
        }
    }
    findings
}

/// Numbers of versions, of changes and of confirmations that are missing before higher ones.
fn gaps(listing: &Listing) -> Vec<Finding> {
    let mut chains: BTreeMap<(String, &'static str), BTreeSet<u32>> = BTreeMap::new();
    for key in listing.objects.keys() {
        if let Some((beginning, end, number)) = numbered(key) {
            chains.entry((beginning, end)).or_default().insert(number);
        }
    }

    let mut findings = Vec::new();
    for ((beginning, end), numbers) in chains {
        let last = numbers.last().copied().unwrap_or(0);
        let missing = (1..last).find(|number| !numbers.contains(number));
        if let Some(number) = missing {
            let what = format!("number {number} is missing, and {last} is there");
            let key = format!("{beginning}{number}{end}");
            findings.push(Finding::new(Rule::NumberMissing, key, what));
        }
    }
    findings
}

/// The key before its number and after it, and the number, of what is numbered from 1.
fn numbered(key: &str) -> Option<(String, &'static str, u32)> {
    let (folder, name) = key.rsplit_once('/')?;
    let kind = key.split('/').next()?;

    match kind {
        "models" if name == "manifest.json" => {
            let (model, version) = folder.rsplit_once('/')?;
            let beginning = format!("{model}/");
            Some((beginning, "/manifest.json", version.parse().ok()?))
        }
        "confirmations" => {
            let number = name.strip_suffix(".opened.json")?;
            let beginning = format!("{folder}/");
            Some((beginning, ".opened.json", number.parse().ok()?))
        }
        "aliases" | "deletions" | "renames" | "notes" | "tags" => {
            let (subject, revision) = change_in(name)?;
            Some((format!("{folder}/{subject}."), ".json", revision))
        }
        _ => None,
    }
}

/// Aliases whose newest change names a version that there is not.
fn broken_aliases(listing: &Listing) -> Vec<Finding> {
    let mut newest: BTreeMap<(&str, &str), &AliasChange> = BTreeMap::new();
    for change in listing
        .documents
        .values()
        .filter_map(|it| it.alias.as_ref())
    {
        let entry = newest.entry((&change.model, &change.alias));
        let entry = entry.or_insert(change);
        if change.revision > entry.revision {
            *entry = change;
        }
    }

    let mut findings = Vec::new();
    for change in newest.into_values() {
        let AliasChange { model, alias, .. } = change;
        let Some(version) = change.version else {
            continue;
        };
        let manifest = format!("models/{model}/{version}/manifest.json");
        if !listing.objects.contains_key(&manifest) {
            let what = format!("it is version {version}, which is not there");
            let subject = format!("{model}/{alias}");
            findings.push(Finding::new(Rule::AliasBroken, subject, what));
        }
    }
    findings
}

/// Artifacts of versions that nobody has deleted.
fn missing_artifacts(listing: &Listing) -> Vec<Finding> {
    let documents = listing.documents.values();
    let mut deleted: BTreeMap<(&str, u32), (u32, bool)> = BTreeMap::new();
    for change in documents.filter_map(|it| it.deletion.as_ref()) {
        let newest = deleted.entry((&change.model, change.version)).or_default();
        *newest = (*newest).max((change.revision, change.is_deleted));
    }

    let mut findings = Vec::new();
    for (key, meaning) in &listing.documents {
        let Some(version) = &meaning.version else {
            continue;
        };
        let manifest = format!("artifacts/{}/manifest.json", version.artifact);
        let newest = deleted.get(&(version.model.as_str(), version.number));
        let is_deleted = newest.is_some_and(|newest| newest.1);
        if !is_deleted && !listing.objects.contains_key(&manifest) {
            let what = format!("{key} names it, and it is not there");
            findings.push(Finding::new(Rule::ObjectMissing, manifest, what));
        }
    }
    findings
}

/// Versions of one model that the same operation has registered.
fn versions_twice(listing: &Listing) -> Vec<Finding> {
    let mut first: BTreeMap<(&str, &(String, Option<u32>)), u32> = BTreeMap::new();
    let mut findings = Vec::new();
    for version in listing
        .documents
        .values()
        .filter_map(|it| it.version.as_ref())
    {
        let key = (version.model.as_str(), &version.origin);
        let Some(other) = first.insert(key, version.number) else {
            continue;
        };

        let later = other.max(version.number);
        let earlier = other.min(version.number);
        let op = &version.origin.0;
        let what = format!("{op} has registered it, and version {earlier} as well");
        let subject = format!("{}@{later}", version.model);
        findings.push(Finding::new(Rule::EffectTwice, subject, what));
    }
    findings
}

/// Reports that the records of operations name.
fn missing_reports(listing: &Listing, facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (op, operation) in &facts.operations {
        let records = operation.record.iter();
        for report in records.flat_map(|record| &record.reports) {
            if !listing.objects.contains_key(report) {
                let what = format!("the record of {op} names it, and it is not there");
                findings.push(Finding::new(Rule::ObjectMissing, report, what));
            }
        }
    }
    findings
}

/// Checkpoints that a step would go on from.
fn missing_checkpoints(listing: &Listing, facts: &Facts) -> Vec<Finding> {
    let states = checkpoints_of(facts).into_iter();
    let missing = states.filter(|state| !listing.objects.contains_key(state));

    let what = "the record of its operation names this checkpoint, and it is not there";
    missing
        .map(|state| Finding::new(Rule::CheckpointMissing, state, what))
        .collect()
}

/// The documents of the checkpoints that records of operations name which may go on.
pub(in super::super) fn checkpoints_of(facts: &Facts) -> BTreeSet<String> {
    let operations = facts.operations.values();
    let records = operations.filter_map(|operation| operation.record.as_ref());
    let records = records.filter(|record| record.state != OperationState::Completed);
    let steps = records.flat_map(|record| &record.steps);
    let keys = steps.filter(|step| step.state != StepState::Completed);
    keys.filter_map(|step| Some(format!("{}/state.json", step.checkpoint.as_ref()?)))
        .collect()
}

/// What no document names, and nothing else needs.
fn unnamed(listing: &Listing, facts: &Facts, young_from: Timestamp) -> Vec<Finding> {
    let documents = listing.documents.values();
    let named: BTreeSet<&str> = documents
        .flat_map(|meaning| &meaning.names)
        .map(|named| named.key.as_str())
        .collect();

    let mut findings = Vec::new();
    for (key, written_at) in &listing.objects {
        let is_part = [
            "bars/",
            "datasets/",
            "sealed/",
            "artifacts/",
            "checkpoints/",
        ]
        .iter()
        .any(|folder| key.starts_with(folder));
        let is_named = named.contains(key.as_str()) || super::is_document(key);
        if is_part && !is_named && *written_at < young_from {
            let what = format!("no document names it; it was written at {written_at}");
            findings.push(Finding::new(Rule::ObjectUnnamed, key, what));
        }
    }
    findings.extend(left_checkpoints(listing, facts));
    findings
}

/// Operations that need their checkpoints no more.
fn left_checkpoints(listing: &Listing, facts: &Facts) -> Vec<Finding> {
    let keys = listing.objects.keys();
    let ops = keys.filter_map(|key| operation_of(key));
    let ops: BTreeSet<OperationId> = ops.collect();

    let mut findings = Vec::new();
    for op in ops {
        let operation = facts.operations.get(&op);
        let is_unreadable = operation.is_some_and(|operation| operation.is_unreadable);
        let record = operation.and_then(|operation| operation.record.as_ref());
        let what = match record.map(|record| record.state) {
            Some(OperationState::Completed) => "its operation is completed",
            None if !is_unreadable => "its operation has no record",
            _ => continue,
        };
        findings.push(Finding::new(Rule::CheckpointLeft, op, what));
    }
    findings
}

/// The operation that a checkpoint belongs to.
fn operation_of(key: &str) -> Option<OperationId> {
    let op = key.strip_prefix("checkpoints/")?.split('/').next()?;
    op.parse().ok()
}

fn report(key: &str) -> Option<Named> {
    let hash = key.strip_prefix("reports/")?.strip_suffix(".json")?;
    Some(Named {
        key: key.to_owned(),
        content: Some((hash.to_owned(), None)),
    })
}
