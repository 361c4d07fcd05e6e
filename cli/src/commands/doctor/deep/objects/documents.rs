//! What the documents of the store say: the objects that each of them names, and whether it is what
//! its key says. Values in, values out.

use std::collections::BTreeMap;

use schemas::manifests::{
    AliasChange, ArtifactManifest, Confirmation, DataSetManifest, DeletionChange, ModelManifest,
    ModelNote, NameReservation, ObjectRef, Opening, RenameChange, SeriesManifest, TagsChange,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use store::sha256_hex;

/// Field of a document that holds the hash of the rest of it.
const CHECKSUM: &str = "checksum";

/// An object that a document names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named {
    /// Its key in the store.
    pub(super) key: String,
    /// Hash and size; none where the document says nothing of them.
    pub(super) content: Option<(String, Option<u64>)>,
}

/// What a document means for the rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Meaning {
    /// Objects that exist as long as it does.
    pub(super) names: Vec<Named>,
    /// The change of an alias that it is.
    pub(super) alias: Option<AliasChange>,
    /// The deletion of a version, or its undoing, that it is.
    pub(super) deletion: Option<DeletionChange>,
    /// The version of a model that it is.
    pub(super) version: Option<Version>,
}

/// A version of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    /// First name of its model.
    pub(super) model: String,
    /// Its number among the versions of the model.
    pub(super) number: u32,
    /// Hash of its artifact.
    pub(super) artifact: String,
    /// The operation that registered it, and its training there.
    pub(super) origin: (String, Option<u32>),
}

/// `state.json` of a checkpoint.
#[derive(Deserialize)]
struct CheckpointState {
    files: BTreeMap<String, ObjectRef>,
}

/// The text of a document without its checksum, which must be right.
fn read(bytes: &[u8]) -> Result<Value, String> {
    let mut value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let fields = value.as_object_mut();
    let checksum = fields.and_then(|fields| fields.remove(CHECKSUM));
    let Some(Value::String(checksum)) = checksum else {
        return Err("it has no checksum".to_owned());
    };

    match sha256_hex(value.to_string().as_bytes()) == checksum {
        true => Ok(value),
        false => Err("its checksum is that of another content".to_owned()),
    }
}

fn decode<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// Whether the key is that of a document that carries its own checksum.
pub(super) fn is_document(key: &str) -> bool {
    let folders = [
        "aliases",
        "deletions",
        "renames",
        "notes",
        "tags",
        "confirmations",
    ];
    let folder = key.split('/').next().unwrap_or_default();
    let name = key.rsplit('/').next().unwrap_or_default();

    match folder {
        "bars" => revision_in(name).is_some(),
        "datasets" | "artifacts" | "models" => name == "manifest.json",
        "checkpoints" => name == "state.json",
        folder => folders.contains(&folder) && name.ends_with(".json"),
    }
}

/// The revision in the name of a manifest of a series or of its copy.
pub(super) fn revision_in(name: &str) -> Option<u64> {
    let rest = name.strip_prefix("manifest.");
    let rest = rest.or_else(|| name.strip_prefix("copy."))?;
    rest.strip_suffix(".json")?.parse().ok()
}

/// Subject and revision in the name of a change, as in `production.3.json`.
pub(super) fn change_in(name: &str) -> Option<(&str, u32)> {
    let (subject, revision) = name.strip_suffix(".json")?.split_once('.')?;
    Some((subject, revision.parse().ok()?))
}

/// What a document says, or what is wrong with it.
pub(super) fn understand(key: &str, bytes: &[u8]) -> Result<Meaning, String> {
    let value = read(bytes)?;
    let (folder, name) = key.rsplit_once('/').unwrap_or(("", key));
    let place: Vec<&str> = folder.split('/').collect();

    match place.as_slice() {
        ["bars", ..] => of_series(folder, name, value),
        ["datasets", hash] => of_data_set(hash, value),
        ["artifacts", _] => {
            let artifact: ArtifactManifest = decode(value)?;
            Ok(names_files(folder, artifact.files))
        }
        ["checkpoints", ..] => {
            let state: CheckpointState = decode(value)?;
            Ok(names_files(folder, state.files))
        }
        ["models", model, version] => of_version(model, version, value),
        [kind, model] => of_change(kind, model, name, value),
        ["confirmations"] if name.ends_with(".opened.json") => {
            decode::<Opening>(value).map(|_| Meaning::default())
        }
        ["confirmations"] => decode::<Confirmation>(value).map(|_| Meaning::default()),
        _ => Ok(Meaning::default()),
    }
}

fn names_files(folder: &str, files: BTreeMap<String, ObjectRef>) -> Meaning {
    let names = files.into_iter().map(|(name, file)| Named {
        key: format!("{folder}/{name}"),
        content: Some((file.sha256, Some(file.size_bytes))),
    });
    Meaning {
        names: names.collect(),
        ..Meaning::default()
    }
}

fn of_series(folder: &str, name: &str, value: Value) -> Result<Meaning, String> {
    let series: SeriesManifest = decode(value)?;
    if series.series != folder || Some(series.revision) != revision_in(name) {
        let place = format!("revision {} of {}", series.revision, series.series);
        return Err(format!("it is {place}"));
    }

    let names = series.files.into_iter().map(|file| Named {
        key: format!("{folder}/{}.{}.parquet", file.period, file.sha256),
        content: Some((file.sha256, Some(file.size_bytes))),
    });
    Ok(Meaning {
        names: names.collect(),
        ..Meaning::default()
    })
}

fn of_data_set(hash: &str, value: Value) -> Result<Meaning, String> {
    let set: DataSetManifest = decode(value)?;
    if set.inputs_sha256 != hash {
        return Err(format!("it is that of the data set {}", set.inputs_sha256));
    }

    let mut names = vec![Named {
        key: format!("datasets/{hash}/{}.parquet", set.sha256),
        content: Some((set.sha256, Some(set.size_bytes))),
    }];
    names.extend(set.sealed.map(|sealed| Named {
        key: format!("sealed/{hash}/{}.parquet", sealed.sha256),
        content: Some((sealed.sha256, Some(sealed.size_bytes))),
    }));
    Ok(Meaning {
        names,
        ..Meaning::default()
    })
}

fn of_version(model: &str, version: &str, value: Value) -> Result<Meaning, String> {
    // In the place of a first version there may be a name that means another model.
    if value.get("moved_to").is_some() {
        return decode::<NameReservation>(value).map(|_| Meaning::default());
    }
    let manifest: ModelManifest = decode(value)?;
    if manifest.name != model || manifest.version.to_string() != version {
        let place = format!("version {} of {}", manifest.version, manifest.name);
        return Err(format!("it is {place}"));
    }

    Ok(Meaning {
        version: Some(Version {
            model: manifest.name,
            number: manifest.version,
            artifact: manifest.artifact,
            origin: (manifest.operation, manifest.training),
        }),
        ..Meaning::default()
    })
}

fn of_change(kind: &str, model: &str, name: &str, value: Value) -> Result<Meaning, String> {
    let revision = change_in(name).map(|change| change.1);
    let mut meaning = Meaning::default();
    let (said_model, said_revision) = match kind {
        "aliases" => {
            let change: AliasChange = decode(value)?;
            let said = (change.model.clone(), change.revision);
            meaning.alias = Some(change);
            said
        }
        "deletions" => {
            let change: DeletionChange = decode(value)?;
            let said = (change.model.clone(), change.revision);
            meaning.deletion = Some(change);
            said
        }
        "renames" => {
            let change: RenameChange = decode(value)?;
            (change.model, change.revision)
        }
        "notes" => {
            let note: ModelNote = decode(value)?;
            (note.model, note.revision)
        }
        "tags" => {
            let change: TagsChange = decode(value)?;
            (change.model, change.revision)
        }
        _ => return Ok(meaning),
    };

    if said_model != model || Some(said_revision) != revision {
        return Err(format!("it is change {said_revision} of {said_model}"));
    }
    Ok(meaning)
}
