//! The table of all error codes, family by family.

use super::Code;

/// Declares the families and their codes: constants, and the tables [`Family::ALL`] and [`ALL`].
macro_rules! codes {
    ($(
        $family:ident $prefix:literal $about:literal {
            $($name:ident = $word:literal: $meaning:literal;)*
        }
    )*) => {
        /// The area that an error belongs to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Family {
            $(#[doc = $about] $family),*
        }

        impl Family {
            /// Every family, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$family),*];

            /// The word before the hyphen of a code.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$family => $prefix),*
                }
            }

            /// One sentence that says which errors belong to it.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$family => $about),*
                }
            }
        }

        $($(
            #[doc = $meaning]
            pub const $name: Code = Code {
                family: Family::$family,
                text: concat!($prefix, "-", $word),
                meaning: $meaning,
            };
        )*)*

        /// Every code, in alphabetical order.
        pub const ALL: &[Code] = &[$($($name),*),*];
    };
}

codes! {
    Backup "BACKUP" "Backups of a system, and what is made again after a loss." {
        BACKUP_FILES = "Files": "A file of a backup cannot be read or written.";
        BACKUP_IN_USE = "InUse":
            "The system that a backup is to replace is not empty, or workers run on it.";
        BACKUP_UNUSABLE = "Unusable":
            "A folder is not a backup, is damaged, or of a newer program.";
    }
    Bus "BUS" "The NATS server and the messages on it." {
        BUS_DRIFT = "Drift":
            "Streams, buckets or consumers on the server differ from what this program declares.";
        BUS_NO_JET_STREAM = "NoJetStream": "The server runs without JetStream.";
        BUS_QUEUE_FULL = "QueueFull": "The command queue has no room for another operation.";
        BUS_REQUEST_FAILED = "RequestFailed":
            "The server refused a request, or its answer was an error.";
        BUS_SERVER_TOO_OLD = "ServerTooOld":
            "The server is older than the oldest supported version.";
        BUS_TIMEOUT = "Timeout": "The server did not answer in time.";
        BUS_UNAUTHORISED = "Unauthorised": "The server does not accept the credentials.";
        BUS_UNDECODABLE = "Undecodable": "A message cannot be read as what it should be.";
        BUS_UNREACHABLE = "Unreachable":
            "Nothing answers at the server's address, or the connection was lost.";
    }
    Config "CONFIG" "Settings from files, the environment and flags." {
        CONFIG_CONTEXT = "Context": "The file that KTRDR_CONTEXT names cannot be read.";
        CONFIG_CREDENTIALS = "Credentials": "The credentials file cannot be read.";
        CONFIG_INVALID = "Invalid": "A setting is unknown, or its value is not legal.";
        CONFIG_LOG = "Log": "The log settings cannot be applied.";
        CONFIG_MOVED = "Moved": "The folder of a local system was moved or copied.";
        CONFIG_PROFILE = "Profile": "The server has another profile than the settings say.";
    }
    Data "DATA" "Bars, series and data sets." {
        DATA_ADJUSTMENT_BREAK = "AdjustmentBreak":
            "A provider's bars are on another scale than the stored ones.";
        DATA_CALENDAR = "Calendar": "A trading calendar breaks a rule of its format.";
        DATA_CRITICAL = "Critical":
            "A check found a fault because of which the bars cannot be used.";
        DATA_DATASET_MISSING = "DatasetMissing":
            "The store does not hold the data set that a training names.";
        DATA_INVALID_DATE_RANGE = "InvalidDateRange":
            "The start of the range is not before its end.";
        DATA_INVALID_FILE = "InvalidFile": "A file cannot be read as bars.";
        DATA_INVALID_LABEL = "InvalidLabel":
            "The time of a bar is not one at which a bar of this series can open.";
        DATA_INVALID_REQUEST = "InvalidRequest": "A request names no series, or too many.";
        DATA_INVALID_SYMBOL = "InvalidSymbol": "A text does not name an instrument.";
        DATA_INVALID_TIMEFRAME = "InvalidTimeframe": "A text does not name a timeframe.";
        DATA_MISSING = "Missing": "No file was given for bars that the strategy needs.";
        DATA_NO_BARS = "NoBars": "There are no bars of the series in the range.";
        DATA_PARTIAL = "Partial": "A provider answered for a part of a load only.";
        DATA_NO_SERIES = "NoSeries":
            "The request names no series for bars that the strategy needs.";
        DATA_NO_SYMBOL = "NoSymbol": "There are no bars of a symbol of the strategy.";
        DATA_LOOKS_AHEAD = "LooksAhead":
            "Bars were made from later ones, which nobody knew at the time.";
        DATA_NOT_FOUND = "NotFound": "The store does not hold the series that the command names.";
        DATA_NOT_STORED = "NotStored": "The store does not hold a series that an operation needs.";
        DATA_ORDER = "Order": "Two rows of a file give one bar with different values.";
        DATA_OUTPUT = "Output": "An output file is one of the files that are read for it.";
        DATA_RULES = "Rules": "The rules of the quality checks cannot be read or mean nothing.";
        DATA_SEAM = "Seam": "New bars have another scale than the stored ones of their series.";
        DATA_SERIES_KEY = "SeriesKey":
            "A text is not the key of a series, or its parts do not make one.";
        DATA_SHORT_HISTORY = "ShortHistory": "The bars are too few for the warm-up and one label.";
        DATA_TWICE = "Twice": "Two files were given for one series.";
        DATA_UNNAMED = "Unnamed":
            "Neither the flags nor the name of the file say which series it holds.";
        DATA_WRONG_HOURS = "WrongHours":
            "The bars trade at hours at which their instrument does not.";
    }
    Dummy "DUMMY" "The reference service." {
        DUMMY_ASKED = "Asked": "The command asked the dummy to fail.";
    }
    Indicator "INDICATOR" "Indicators, their parameters and their streams." {
        INDICATOR_EXPRESSION = "Expression": "A text is not an indicator with legal parameters.";
        INDICATOR_INPUT = "Input": "The bars lack what the indicator needs.";
        INDICATOR_NOT_FOUND = "NotFound": "There is no indicator type of that name.";
        INDICATOR_PARAMETER = "Parameter": "A parameter is unknown, or its value is not legal.";
        INDICATOR_STATE = "State":
            "The saved state of a stream cannot be written, read or continued.";
        INDICATOR_TWICE = "Twice": "Two expressions mean the same indicator.";
    }
    Model "MODEL" "Trained models and predictions." {
        MODEL_ALIAS = "Alias":
            "No version plays the role, or somebody else has changed it at the same time.";
        MODEL_BARS = "Bars": "The files do not hold the bars that the model needs.";
        MODEL_DIFFERS = "Differs": "A version that was trained again has other weights.";
        MODEL_EXPORT = "Export": "The file of an export exists already, or cannot be written.";
        MODEL_FEATURES = "Features":
            "The features of the model cannot be computed from its strategy.";
        MODEL_FIGURE = "Figure": "No model has the figure or column that was named.";
        MODEL_HELD = "Held": "The version plays a role, or somebody else changes it now.";
        MODEL_INCOMPLETE = "Incomplete": "The artifact of the model lacks a file.";
        MODEL_INVALID_NAME = "InvalidName": "A text cannot be the name of a model.";
        MODEL_NAME = "Name": "Another model has or had the name, or takes it at the same time.";
        MODEL_NO_RULES = "NoRules": "The model is not neuro-fuzzy: it has no rules.";
        MODEL_NO_SYMBOL = "NoSymbol": "Neither the command nor the model names a symbol.";
        MODEL_NOT_FOUND = "NotFound": "There is no such model or version.";
        MODEL_NOT_SEALED = "NotSealed": "The data set of the model has no sealed rows.";
        MODEL_OUTPUT = "Output": "Standard output cannot take two formats at once.";
        MODEL_PREDICTION = "Prediction":
            "The weights cannot be loaded, or the model does not predict.";
        MODEL_SEALED = "Sealed": "Sealed rows are read by no other way than a confirmation.";
        MODEL_SHOWN = "Shown":
            "Another candidate was measured on the sealed period, or on a part of it.";
        MODEL_TAG = "Tag": "The version has no such tag, or would have too many.";
        MODEL_UNFIT = "Unfit": "The artifact failed the trial before its registration.";
    }
    Ops "OPS" "Operations, steps and the commands for them." {
        OPS_AMBIGUOUS = "Ambiguous": "Several operations end with what was written.";
        OPS_ATTEMPTS_EXHAUSTED = "AttemptsExhausted":
            "Too many attempts ended without a checkpoint between them.";
        OPS_CANCEL_FAILED = "CancelFailed": "The operation had ended before it could be cancelled.";
        OPS_CHECKPOINT_CORRUPT = "CheckpointCorrupt":
            "A checkpoint is damaged; the step goes on from an older one, or starts again.";
        OPS_CHECKPOINT_MISSING = "CheckpointMissing":
            "The checkpoint that a step was to go on from, or was asked for, is not stored.";
        OPS_CHILD_ID_TAKEN = "ChildIdTaken":
            "Another operation has the id that a child would get.";
        OPS_CHILDREN_FAILED = "ChildrenFailed": "Children of the operation failed.";
        OPS_FAILED = "Failed": "The operation failed, and its record does not say why.";
        OPS_FORCE_CANCELLED = "ForceCancelled":
            "A step did not stop within the grace period of a cancel, and was ended by force.";
        OPS_INVALID = "Invalid": "The request cannot be submitted as an operation.";
        OPS_INVALID_COMMAND = "InvalidCommand": "The service cannot read the step's command.";
        OPS_INVALID_OUTCOME = "InvalidOutcome": "The outcome of an earlier step cannot be read.";
        OPS_INVALID_PLAN = "InvalidPlan": "The plan lacks a step whose outcome this one needs.";
        OPS_INVALID_REQUEST = "InvalidRequest":
            "The request in the operation's record cannot be read.";
        OPS_NO_WORKER = "NoWorker": "No worker of that name is alive.";
        OPS_NOT_ENDED = "NotEnded":
            "The operation has not ended, and needs what was to be deleted.";
        OPS_NOT_FOUND = "NotFound": "There is no operation or dead letter of that name.";
        OPS_NOT_RESUMABLE = "NotResumable": "The state of the operation does not allow a resume.";
        OPS_RECORD_UNREADABLE = "RecordUnreadable":
            "The record of an operation cannot be read by this program.";
        OPS_RETRY_NOT_FAILED = "RetryNotFailed":
            "The operation neither failed nor was cancelled, so it cannot be retried.";
        OPS_SCHEDULE_EXISTS = "ScheduleExists": "Another schedule has the name.";
        OPS_SCHEDULE_INVALID = "ScheduleInvalid":
            "The command, its times or its calendar cannot be scheduled.";
        OPS_SCHEDULE_NOT_FOUND = "ScheduleNotFound": "There is no schedule of that name.";
        OPS_STEP_FAILED = "StepFailed":
            "A step failed after another one of its operation; the message is a short note.";
        OPS_UNANSWERABLE = "Unanswerable": "A command does not belong to any recorded operation.";
        OPS_UNKNOWN_VERB = "UnknownVerb": "The service has no command of that name.";
        OPS_WAIT_TIMEOUT = "WaitTimeout":
            "The operation did not end within the time that --wait-timeout allows.";
        OPS_WORKER_LOST = "WorkerLost":
            "The worker of a step fell silent, and another one takes over.";
    }
    Proc "PROC" "Building data sets." {
        PROC_FEATURES = "Features": "The features of a symbol cannot be computed.";
        PROC_FEW_ROWS = "FewRows": "Too few complete rows are left for the three parts.";
        PROC_LABELS = "Labels": "The labels of a symbol cannot be computed.";
        PROC_LEAK = "Leak": "The leak test found a value that depends on later bars.";
        PROC_NO_CLASS = "NoClass": "No training row has one of the classes.";
        PROC_SPLIT = "Split": "The rows cannot be divided into training, validation and test.";
        PROC_STOPPED = "Stopped": "The work was stopped on request.";
        PROC_UNDEFINED = "Undefined": "A feature is undefined in every row.";
    }
    Provider "PROVIDER" "Where bars come from." {
        PROVIDER_NO_PERMISSION = "NoPermission":
            "The provider does not answer this user or this address.";
        PROVIDER_PACING = "Pacing": "The provider wants fewer requests for a longer time.";
        PROVIDER_PROTOCOL = "Protocol": "An answer of the provider cannot be read.";
        PROVIDER_TIMEOUT = "Timeout": "The provider was reached and did not answer in time.";
        PROVIDER_UNCONFIGURED = "Unconfigured": "There is no provider of that name.";
        PROVIDER_UNKNOWN_INSTRUMENT = "UnknownInstrument":
            "The provider does not have the instrument in that timeframe.";
        PROVIDER_UNREACHABLE = "Unreachable":
            "The provider does not answer, or its folder cannot be read.";
        PROVIDER_UNSUPPORTED = "Unsupported":
            "The provider has no bars of that length, or of that class of instruments.";
    }
    Store "STORE" "The object store." {
        STORE_FAILED = "Failed": "An object cannot be read, written or trusted.";
        STORE_FULL = "Full": "The store has no room: disk, quota or file-size limit.";
        STORE_MANIFEST_LOST = "ManifestLost":
            "The newest manifest of a series is gone, and its copy is read.";
        STORE_MISSING = "Missing": "The store does not hold the object.";
        STORE_NAME = "Name": "A text cannot be part of an object's key.";
        STORE_OTHER_TENANT = "OtherTenant":
            "The store belongs to another tenant than the key of this program.";
        STORE_UNREACHABLE = "Unreachable":
            "The store cannot be opened, or its server gives no usable answer.";
        STORE_URL = "Url": "The address is not that of a store which this program can open.";
    }
    Strategy "STRATEGY" "Strategy files." {
        STRATEGY_FOLDS = "Folds":
            "The strategy cannot be cut into the folds that the command asks for.";
        STRATEGY_FUZZY_SET = "FuzzySet": "The parameters of a membership function are not legal.";
        STRATEGY_INVALID = "Invalid": "The strategy has findings of severity error.";
        STRATEGY_NOT_FOUND = "NotFound": "There is no strategy file of that name.";
        STRATEGY_NOT_WRITTEN = "NotWritten": "A strategy file cannot be written.";
        STRATEGY_OVERRIDES = "Overrides":
            "The changes that a request makes to its strategy cannot be read.";
        STRATEGY_UNREADABLE = "Unreadable": "A strategy file cannot be read.";
    }
    Sys "SYS" "The process, its host, and defects of these programs." {
        SYS_CHECKPOINT_TOO_LARGE = "CheckpointTooLarge":
            "A step tried to record a checkpoint that has no room in the record.";
        SYS_DRAIN_TIMEOUT = "DrainTimeout":
            "Running steps did not stop in time when the worker was drained.";
        SYS_FOLDER = "Folder": "The working folder cannot be read.";
        SYS_INPUT = "Input": "Standard input cannot be read.";
        SYS_KILLED = "Killed": "A test killed the worker.";
        SYS_OUTPUT = "Output": "Standard output cannot be written, as on a full disk.";
        SYS_PANIC = "Panic": "The program panicked, which is a defect.";
        SYS_RUNTIME = "Runtime": "The asynchronous runtime cannot be started.";
        SYS_SERIALISATION = "Serialisation":
            "A value cannot be written as JSON, which is a defect.";
        SYS_SIGNALS = "Signals": "The process cannot listen for signals.";
        SYS_STEP = "Step": "The runtime ended the attempt.";
        SYS_STOPPED = "Stopped": "The work was stopped with its process.";
        SYS_THREADS = "Threads": "A thread cannot be started.";
    }
    Train "TRAIN" "Training." {
        TRAIN_CANCELLED = "Cancelled": "The training was cancelled.";
        TRAIN_CLASS_ABSENT = "ClassAbsent": "No training row has one of the classes.";
        TRAIN_DIVERGED = "Diverged":
            "The loss became infinite or undefined, or stayed far above the simplest rival's.";
        TRAIN_EMPTY_PART = "EmptyPart":
            "The training, validation or test part has no rows, or no window of them.";
        TRAIN_INVALID_DATASET = "InvalidDataset": "The data set does not fit the network.";
        TRAIN_INVALID_FILE = "InvalidFile":
            "A file of a checkpoint or an artifact cannot be read or written.";
        TRAIN_INVALID_SETTINGS = "InvalidSettings": "The settings of the training break a rule.";
        TRAIN_LIBTORCH = "Libtorch": "libtorch refused a calculation, usually for lack of memory.";
        TRAIN_NO_GPU = "NoGpu": "The trainer was configured for a GPU that the host does not have.";
        TRAIN_NO_LIBTORCH = "NoLibtorch":
            "The training needs libtorch, and the trainer was built without it.";
        TRAIN_OUT_OF_MEMORY = "OutOfMemory":
            "The training does not fit the memory of its device, even with smaller batches.";
    }
    Up "UP" "The local system that `ktrdr up` runs." {
        UP_ABOVE = "Above": "A local system runs in a folder above.";
        UP_ALREADY_RUNNING = "AlreadyRunning": "Another `ktrdr up` runs in the same folder.";
        UP_BUS = "Bus": "The NATS server of the local system cannot be used.";
        UP_FOLDER = "Folder": "The folder of the local system cannot be used.";
        UP_NO_COMMAND = "NoCommand": "The command after `--` does not exist.";
        UP_NO_LOGS = "NoLogs": "There is no such log of a local system.";
        UP_NO_SERVER = "NoServer": "No program nats-server was found.";
        UP_NOT_READY = "NotReady": "A service of the local system did not become ready.";
        UP_PORT_TAKEN = "PortTaken": "Another program listens on the port of the NATS server.";
        UP_SERVER_NOT_READY = "ServerNotReady": "The NATS server did not become ready in time.";
        UP_SPAWN = "Spawn": "A program of the local system cannot be started.";
        UP_STOP = "Stop": "The local system did not end in time.";
    }
}
