//! A backup of everything on the bus that is worth keeping, in one folder, and its way back.
//!
//! Each stream is a snapshot of one instant. The order in which they are taken makes them one state
//! that a crash could have left: whatever is written first in the life of a step is read last.
//! Signs of life, leases and progress are left out, since they are renewed or harmless to lose.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use async_nats::jetstream::stream::Config;
use jiff::Timestamp;
use schemas::ids::OperationId;
use schemas::subjects;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::backup_error::BackupError;
use crate::error::BusError;
use crate::handles::Infra;
use crate::stream_info::{read_profile, read_stream_info};
use crate::stream_snapshot::SnapshotHead;
use crate::timing::Profile;
use crate::topology::{Topology, TopologyOptions, bucket_stream};

/// Version of the layout of a backup.
pub const BACKUP_VERSION: u16 = 1;
/// The file that is written last and names the others.
pub const MANIFEST_FILE: &str = "backup.json";
/// What the manifest says to be.
const FORMAT: &str = "ktrdr-backup";
const READ_BYTES: usize = 128 * 1024;
/// Records looked at together after a restore.
const RECORDS_AT_ONCE: usize = 1_000;

/// What a backup contains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupManifest {
    /// Version of the layout, [`BACKUP_VERSION`].
    pub v: u16,
    /// Tells it from other files of this name.
    pub format: String,
    /// Version of the NATS server.
    pub server: String,
    /// The profile of the system.
    pub profile: String,
    /// When the first stream was read.
    pub began_at: Timestamp,
    /// When the last stream was read.
    pub ended_at: Timestamp,
    /// The streams, in the order in which they were read.
    pub streams: Vec<SavedStream>,
    /// SHA-256 of this document with this field empty.
    pub sha256: String,
}

/// One stream or bucket of a backup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedStream {
    /// Its name on the server.
    pub name: String,
    /// The file beside the manifest.
    pub file: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Settings and state.
    pub head: SnapshotHead,
}

/// A backup whose files are as they were written.
#[derive(Debug)]
pub struct Backup {
    folder: PathBuf,
    /// What it contains.
    pub manifest: BackupManifest,
}

/// What a restore has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Streams and buckets with what was in them.
    pub streams: Vec<String>,
    /// Streams, buckets and consumers that were made empty.
    pub created: Vec<String>,
    /// Operations that are not over and go on.
    pub unfinished: Vec<OperationId>,
}

/// The streams of a backup, in the order in which they are read. A schedule is advanced after its
/// operation is submitted, and so is read before. A command is acknowledged last, events and dead
/// letters follow the record, and a record names sequences of cancel requests.
pub fn saved_streams() -> Vec<String> {
    let bucket = bucket_stream;

    vec![
        bucket(subjects::SCHEDULES),
        subjects::SCHEDULE_TIMERS.to_owned(),
        bucket(subjects::ACTIVE),
        subjects::COMMANDS.to_owned(),
        subjects::EVENTS.to_owned(),
        subjects::DEAD.to_owned(),
        bucket(subjects::OPERATIONS),
        subjects::CONTROL.to_owned(),
        bucket(subjects::TIMINGS),
        bucket(subjects::PACING),
    ]
}

/// A writer that counts and hashes what passes.
struct Hashed<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let length = self.inner.write(buffer)?;
        self.hash.update(buffer.get(..length).unwrap_or_default());
        self.bytes += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl Infra<'_> {
    /// Writes a backup into a new folder, which appears when it is whole. Services may run.
    ///
    /// # Errors
    /// The folder exists or cannot be written, or the server cannot be read.
    pub async fn back_up(self, folder: &Path) -> Result<BackupManifest, BackupError> {
        if folder.exists() {
            return Err(BackupError::Exists(folder.to_owned()));
        }
        let mut partial = folder.as_os_str().to_owned();
        partial.push(format!(".partial-{}", std::process::id()));
        let partial = PathBuf::from(partial);
        fs::create_dir_all(&partial)?;

        let written = self.write_backup(&partial).await;
        let placed = written.and_then(|manifest| {
            fs::rename(&partial, folder)?;
            Ok(manifest)
        });
        if placed.is_err()
            && let Err(error) = fs::remove_dir_all(&partial)
        {
            tracing::warn!(folder = %partial.display(), %error, "cannot remove half a backup");
        }
        placed
    }

    async fn write_backup(self, folder: &Path) -> Result<BackupManifest, BackupError> {
        let began_at = Timestamp::now();
        // Somebody may have changed it since this connection was made.
        let profile = read_profile(&self.bus.js).await?;
        let mut streams = Vec::new();
        for name in saved_streams() {
            streams.push(self.save_stream(&name, folder).await?);
        }

        let mut manifest = BackupManifest {
            v: BACKUP_VERSION,
            format: FORMAT.to_owned(),
            server: self.bus.connection().server_version(),
            profile: profile.unwrap_or(self.bus.profile()).to_string(),
            began_at,
            ended_at: Timestamp::now(),
            streams,
            sha256: String::new(),
        };
        manifest.sha256 = manifest.checksum()?;

        let mut file = File::create(folder.join(MANIFEST_FILE))?;
        file.write_all(&serde_json::to_vec_pretty(&manifest).map_err(io::Error::from)?)?;
        file.sync_all()?;
        File::open(folder)?.sync_all()?;
        Ok(manifest)
    }

    async fn save_stream(self, name: &str, folder: &Path) -> Result<SavedStream, BackupError> {
        let file = format!("{name}.snapshot");
        let mut sink = Hashed {
            inner: File::create_new(folder.join(&file))?,
            hash: Sha256::new(),
            bytes: 0,
        };
        let head = self.write_snapshot(name, &mut sink).await?;
        sink.inner.sync_all()?;

        Ok(SavedStream {
            name: name.to_owned(),
            file,
            bytes: sink.bytes,
            sha256: hex(&sink.hash.finalize()),
            head,
        })
    }

    /// Brings an empty system to the state of a backup. Consumers are made last, so that no command
    /// is handed out before everything is there.
    ///
    /// # Errors
    /// Workers run, the system is not empty and `replace` is false, or the server refuses.
    pub async fn restore(self, backup: &Backup, replace: bool) -> Result<Restored, BackupError> {
        self.require_rest(backup, replace).await?;
        let mut restored = Restored::default();
        for stream in &backup.manifest.streams {
            self.restore_stream(stream, &backup.folder).await?;
            let messages = stream.head.messages();
            restored
                .streams
                .push(format!("{}: {messages}", stream.name));
        }

        let topology = backup.topology()?;
        restored.created = self.apply(&topology).await?.created;
        restored.unfinished = self.mark_unfinished().await?;
        Ok(restored)
    }

    /// Refuses while workers run, and a system with content unless that is to be replaced.
    pub async fn require_rest(self, backup: &Backup, replace: bool) -> Result<(), BackupError> {
        let workers = bucket_stream(subjects::WORKERS);
        let js = &self.bus.js;
        if read_stream_info(js, &workers).await?.is_some() {
            match self.bus.workers().list().await?.len() {
                0 => {}
                count => return Err(BackupError::WorkersRun(count)),
            }
        }

        let mut filled = Vec::new();
        for SavedStream { name, .. } in &backup.manifest.streams {
            let info = read_stream_info(js, name).await?;
            let messages = info.map_or(0, |info| info.state.messages);
            if messages > 0 {
                filled.push(format!("{name} has {messages} messages"));
            }
        }
        if !replace && !filled.is_empty() {
            return Err(BackupError::NotEmpty(filled));
        }
        Ok(())
    }

    async fn restore_stream(self, stream: &SavedStream, folder: &Path) -> Result<(), BackupError> {
        let name = &stream.name;
        if read_stream_info(&self.bus.js, name).await?.is_some() {
            let deleted = self.bus.js.delete_stream(name).await;
            deleted.map_err(BusError::request(format!("delete the stream {name}")))?;
        }

        let mut source = BufReader::new(File::open(folder.join(&stream.file))?);
        self.read_snapshot(name, &stream.head, &mut source).await
    }

    /// Marks every operation that is not over: the marks were read before the records.
    async fn mark_unfinished(self) -> Result<Vec<OperationId>, BusError> {
        let operations = self.bus.operations();
        let mut unfinished = Vec::new();
        for ids in operations.ids().await?.chunks(RECORDS_AT_ONCE) {
            let mut records = operations.records_of(ids.to_vec()).await?;
            records.retain(|record| !record.state.is_terminal());
            for record in records {
                self.bus.active().mark(&record.op).await?;
                unfinished.push(record.op);
            }
        }
        Ok(unfinished)
    }
}

impl BackupManifest {
    fn checksum(&self) -> io::Result<String> {
        let unsigned = Self {
            sha256: String::new(),
            ..self.clone()
        };
        let text = serde_json::to_value(&unsigned)?.to_string();
        Ok(hex(&Sha256::digest(text.as_bytes())))
    }
}

impl Backup {
    /// Reads a backup and checks every byte of it.
    ///
    /// # Errors
    /// It is none, of a newer program, or damaged.
    pub fn open(folder: &Path) -> Result<Self, BackupError> {
        let path = folder.join(MANIFEST_FILE);
        let text = fs::read(&path).map_err(|error| {
            BackupError::foreign(folder, format!("{MANIFEST_FILE} cannot be read: {error}"))
        })?;
        let value: Value = serde_json::from_slice(&text)
            .map_err(|_| BackupError::damaged(&path, "is not a JSON document"))?;
        if value.get("format").and_then(Value::as_str) != Some(FORMAT) {
            return Err(BackupError::foreign(folder, "its manifest says otherwise"));
        }
        let version = value.get("v").and_then(Value::as_u64).unwrap_or_default();
        if version > u64::from(BACKUP_VERSION) {
            let path = folder.to_owned();
            return Err(BackupError::Newer { path, version });
        }

        let manifest: BackupManifest = serde_json::from_value(value)
            .map_err(|_| BackupError::damaged(&path, "lacks a field or has another type"))?;
        if manifest.checksum()? != manifest.sha256 {
            return Err(BackupError::damaged(&path, "has another checksum"));
        }
        for stream in &manifest.streams {
            check_file(stream, folder)?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            manifest,
        })
    }

    /// What the system had declared: the same profile, sizes and copies.
    fn topology(&self) -> Result<Topology, BackupError> {
        let path = self.folder.join(MANIFEST_FILE);
        let profile: Profile = (self.manifest.profile.parse())
            .map_err(|_| BackupError::damaged(&path, "names a profile that there is not"))?;
        let mut streams = self.manifest.streams.iter();
        let commands = streams.find(|stream| stream.name == subjects::COMMANDS);
        let commands =
            commands.ok_or_else(|| BackupError::damaged(&path, "lacks the queue of commands"))?;

        let config: Config = serde_json::from_value(commands.head.config.clone())
            .map_err(|_| BackupError::damaged(&path, "has settings that cannot be read"))?;
        let options = TopologyOptions {
            commands_bytes_max: config.max_bytes,
            replicas: config.num_replicas,
        };
        Ok(Topology::declare(profile, options))
    }
}

/// Refuses a file that is not as it was written.
fn check_file(stream: &SavedStream, folder: &Path) -> Result<(), BackupError> {
    let expected = format!("{}.snapshot", stream.name);
    let path = folder.join(&expected);
    if stream.file != expected || !saved_streams().contains(&stream.name) {
        return Err(BackupError::damaged(&path, "is not a file of a backup"));
    }
    let mut file = File::open(&path).map_err(|_| BackupError::damaged(&path, "is missing"))?;

    let mut hash = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        hash.update(buffer.get(..length).unwrap_or_default());
    }
    match hex(&hash.finalize()) == stream.sha256 {
        true => Ok(()),
        false => Err(BackupError::damaged(&path, "has another checksum")),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
