//! The rules of the deep check: what must hold, why it matters, and what to do where it does not.

use serde::{Serialize, Serializer};

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Weight {
    /// A promise is broken: the exit code is not 0.
    Fault,
    /// A person may want to know of it.
    Note,
}

/// One rule, with the words that go with it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RuleText {
    /// Its name, for programs and pages.
    pub(super) name: &'static str,
    /// What a finding of it weighs.
    pub(super) weight: Weight,
    /// What must hold.
    pub(super) holds: &'static str,
    /// What comes of it where it does not hold.
    pub(super) why: &'static str,
    /// What to do then; `{}` is the subject of the finding.
    pub(super) next: &'static str,
}

macro_rules! rules {
    ($(
        $rule:ident: $name:literal $weight:ident, $holds:literal, $why:literal, $next:literal;
    )*) => {
        /// The rules, in the order in which they are listed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs, clippy::missing_docs_in_private_items)]
        pub(super) enum Rule { $($rule),* }

        impl Rule {
            /// Every rule.
            pub(super) const ALL: &'static [Self] = &[$(Self::$rule),*];

            /// The words of the rule.
            pub(super) const fn text(self) -> &'static RuleText {
                match self {
                    $(Self::$rule => &RuleText {
                        name: $name,
                        weight: Weight::$weight,
                        holds: $holds,
                        why: $why,
                        next: $next,
                    },)*
                }
            }
        }
    };
}

rules! {
    RecordUnreadable: "record-unreadable" Fault,
        "every record of an operation can be read",
        "nobody can go on with the operation, or say how it ended",
        "upgrade the program if a newer one wrote it; `ktrdr decode` shows the payload";
    RecordMissing: "record-missing" Fault,
        "an operation of which there are events without an end has a record",
        "it was accepted, and nothing will end it",
        "`ktrdr ops list` shows that it is gone: start its request again";
    RecordContradictsItself: "record-contradicts-itself" Fault,
        "the state of an operation follows from those of its steps",
        "whoever waits for its end may wait in vain, or believe a wrong one",
        "report this as a bug, with what `ktrdr status {} --json` prints";
    OperationStuck: "operation-stuck" Fault,
        "a step that waits has its command on a queue, or a sweep will put it there",
        "nothing brings the step to a worker",
        "`ktrdr cancel {}`, then `ktrdr resume {}`; a fetcher, a registry or a family service \
         does the sweeps";
    ClaimWithoutWorker: "claim-without-worker" Fault,
        "a step that is held is held by a worker that shows life",
        "the step does not move, and nobody else takes it",
        "start a fetcher, a registry or a family service, which take steps from lost workers; \
         `ktrdr workers list`";
    MarkMissing: "mark-missing" Fault,
        "an operation that has not ended has an active mark",
        "no sweep looks at it, and no list of active operations has it",
        "`ktrdr cancel {}`, then `ktrdr resume {}`";
    MarkWithoutReason: "mark-without-reason" Fault,
        "an active mark belongs to an operation that has not ended",
        "a sweep should have removed it, so nothing sweeps",
        "start a fetcher, a registry or a family service; `ktrdr workers list` shows who is \
         there";
    CommandOfEndedStep: "command-of-ended-step" Fault,
        "no command is left on a queue for a step that has ended",
        "it takes room, and a worker looks at it in vain",
        "start a worker of the service, which removes it; `ktrdr workers list` shows who is \
         there";
    CommandWithoutRecord: "command-without-record" Fault,
        "a command on a queue belongs to a record, or can create it",
        "it can only become a dead letter",
        "`ktrdr ops dead` lists it once a worker has taken it; start the request again";
    CommandUnreadable: "command-unreadable" Fault,
        "every command on a queue can be read",
        "it can only become a dead letter",
        "a newer version may have written it: `ktrdr --version`; otherwise `nats stream purge \
         KTRDR_COMMANDS --subject='{}'` removes it";
    CancelIgnored: "cancel-ignored" Fault,
        "a cancel request of an operation that has not ended is in its record",
        "the operation goes on although somebody wants it to stop",
        "start a fetcher, a registry or a family service, which cancel what nobody holds; or \
         `ktrdr cancel {} --force`";
    NumberWentBack: "number-went-back" Fault,
        "submissions and attempts never go back: the record has at least those that events and \
         commands show",
        "an older state was written over a newer one, and work may be done twice",
        "look at the disk and the backups of the NATS server; report it as a bug, with what \
         `ktrdr status {} --json` prints";
    CheckpointLost: "checkpoint-lost" Fault,
        "a step that has recorded a checkpoint keeps one",
        "the next attempt starts from the beginning",
        "look at the disk and the backups of the NATS server; `ktrdr checkpoints list` shows \
         what is stored";
    EndWithoutEvent: "end-without-event" Fault,
        "a step that has ended has a terminal event of its submission",
        "whoever follows events never learns of the end",
        "start a fetcher, a registry or a family service, which announce it; `ktrdr status {}` \
         shows the end";
    EventWithoutEnd: "event-without-end" Fault,
        "a terminal event is that of a step which has ended so",
        "whoever follows events believes an end that did not come",
        "`ktrdr status {}` shows the state; report it as a bug";
    EventTwice: "event-twice" Fault,
        "a submission of a step has one terminal event",
        "whoever counts ends counts one too many",
        "report this as a bug, with what `ktrdr status {} --json` prints";
    EventUnreadable: "event-unreadable" Fault,
        "every event can be read",
        "nobody can say what happened to the step",
        "upgrade the program if a newer one wrote it; `ktrdr decode` shows the payload";
    WorkAfterEnd: "work-after-end" Fault,
        "nothing begins or moves after the end of its operation",
        "work that was cancelled goes on, and may write",
        "`ktrdr workers list` shows who works; end that worker, and report it as a bug";
    ParentCompletedEarly: "parent-completed-early" Fault,
        "an operation is completed only when all its children are",
        "its result counts what is not there",
        "`ktrdr status {}` lists the children; start the request again";
    ChildWithoutParent: "child-without-parent" Fault,
        "a child that has not ended has a parent of which it is a child",
        "nobody waits for it, and no cancel of a family reaches it",
        "`ktrdr cancel {}`";
    ChildOutlivesCancel: "child-outlives-cancel" Fault,
        "a cancelled operation has no child that goes on",
        "work goes on that somebody wanted to stop",
        "`ktrdr cancel {}`";
    ValueUnreadable: "value-unreadable" Fault,
        "every schedule, worker, duration and provider limit in its bucket can be read",
        "a program that needs it does without it, or stops",
        "upgrade the program if a newer one wrote it; otherwise `nats kv del {}` removes it";
    TopologyDiffers: "topology-differs" Fault,
        "streams, buckets and consumers are as declared",
        "services refuse to start, or messages are kept for too short a time",
        "`ktrdr infra check` shows all, `ktrdr infra apply` removes them";
    ScheduleOverdue: "schedule-overdue" Fault,
        "a schedule that is due is started",
        "its operation does not run",
        "start a fetcher, a registry or a family service; `ktrdr schedule show {}`";
    DocumentUnreadable: "document-unreadable" Fault,
        "every manifest and every other document of the store is intact, and lies where it says",
        "what it names cannot be used",
        "bring `{}` back from a backup of the store; `ktrdr store gc` must not run before";
    ManifestLost: "manifest-lost" Fault,
        "the newest revision of a series has its manifest, not only a copy of it",
        "somebody has deleted it; the copy is read in its place",
        "bring `{}` back from its copy beside it; look for who deletes objects";
    ObjectMissing: "object-missing" Fault,
        "every object that a document names is there",
        "what it is part of cannot be read",
        "bring `{}` back from a backup of the store; bars are loaded again by \
         `ktrdr data load SYMBOL --mode full`";
    ObjectDamaged: "object-damaged" Fault,
        "an object has the size and the SHA-256 that a document says, to its last byte",
        "what it is part of cannot be read",
        "look at the disk of the store; bring `{}` back from a backup of it";
    NumberMissing: "number-missing" Fault,
        "versions of a model, changes of an alias, a name, a tag or a note, deletions and \
         confirmations are numbered from 1 without a gap",
        "something that was recorded is gone, and nobody can undo or count it",
        "bring `{}` back from a backup of the store";
    EffectTwice: "effect-twice" Fault,
        "an operation, or each training of a sweep, has registered one version",
        "work that was done twice counts twice",
        "`ktrdr models delete` hides the later one; report it as a bug";
    AliasBroken: "alias-broken" Fault,
        "an alias stands for a version that is there",
        "whoever asks for it gets nothing",
        "`ktrdr models promote` gives the alias to another version; `ktrdr models aliases` lists \
         all";
    CheckpointMissing: "checkpoint-missing" Fault,
        "the checkpoint that a step would go on from is in the store",
        "the step starts from an earlier one, or from the beginning",
        "nothing, if that is acceptable; otherwise bring `{}` back from a backup of the store";
    ObjectUnnamed: "object-unnamed" Note,
        "a part that is older than an hour is named by a document",
        "it takes room: a program was interrupted while it wrote",
        "`ktrdr store gc` finds what nothing needs";
    CheckpointLeft: "checkpoint-left" Note,
        "checkpoints belong to an operation that may go on from them",
        "they take room",
        "`ktrdr checkpoints prune` removes them";
    ScheduleWithoutTimer: "schedule-without-timer" Note,
        "a schedule has a timer for its next instant",
        "it will start late, once a sweep finds that it is overdue",
        "nothing; `ktrdr schedule show {}` says when it is due";
    DeadLetterUnreadable: "dead-letter-unreadable" Note,
        "every dead letter can be read",
        "nobody can say which command it was",
        "`ktrdr ops dead drop {}` removes it";
    DeadLetter: "dead-letter" Note,
        "dead letters are listed: commands that were given up",
        "what they asked for was not done",
        "`ktrdr ops dead show {}` says why; `ktrdr ops dead requeue {}` tries again";
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text().name)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::error::ErrorKind;

    use super::*;

    const HEADER: &str = "| Rule | What holds | Where it does not | Then |\n|---|---|---|---|\n";

    fn row(rule: Rule) -> String {
        let text = rule.text();
        let name = match text.weight {
            Weight::Fault => format!("`{}`", text.name),
            Weight::Note => format!("`{}` (note)", text.name),
        };
        // What stands for a subject is a word there.
        let next = text.next.replace("{}", "NAME");
        format!("| {name} | {} | {} | {next} |\n", text.holds, text.why)
    }

    /// The commands in what to do, with an operation in the place of the subject.
    fn commands_of(rule: Rule) -> Vec<String> {
        let op = "op_dummy_20260301_142233_00000001";
        let next = rule.text().next.replace("{}", op);
        let quoted = next.split('`').skip(1).step_by(2);
        let commands = quoted.filter(|text| text.starts_with("ktrdr "));
        commands.map(str::to_owned).collect()
    }

    #[test]
    fn every_command_to_do_next_is_understood() {
        let commands = Rule::ALL.iter().flat_map(|rule| commands_of(*rule));
        let commands: Vec<String> = commands.collect();
        assert!(commands.len() > 20, "{commands:?}");

        for command in commands {
            let words: Vec<&str> = command.split(' ').collect();
            let Err(error) = crate::parse_from(words) else {
                continue;
            };
            // Some leave out what only the reader knows; a letter has a number, no id.
            let is_left_out = matches!(
                error.kind(),
                ErrorKind::MissingRequiredArgument
                    | ErrorKind::DisplayVersion
                    | ErrorKind::ValueValidation
            );
            assert!(is_left_out, "{command}: {error}");
        }
    }

    #[test]
    fn the_page_for_operators_lists_the_rules() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let path = root.join("docs/operating.md");
        let page = std::fs::read_to_string(&path).unwrap();
        let (before, after) = page.split_once(HEADER).unwrap();
        let after = after.split_once("\n\n").unwrap().1;
        let rows: String = Rule::ALL.iter().map(|rule| row(*rule)).collect();

        let expected = format!("{before}{HEADER}{rows}\n{after}");
        if std::env::var_os("KTRDR_WRITE_DOCS").is_some() {
            std::fs::write(&path, &expected).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap();
        assert!(
            written == expected,
            "docs/operating.md is out of date: `KTRDR_WRITE_DOCS=1 cargo test -p cli --lib rules`"
        );
    }
}
