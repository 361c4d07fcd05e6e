//! The rows of the page of limits: what is limited, by which constant, what happens above it, and
//! the tests at the limit and above it.

/// Limits of one subject.
pub struct Group {
    /// Heading of its table.
    pub title: &'static str,
    /// One row each.
    pub rows: &'static [Row],
}

/// One limit and its tests.
pub struct Row {
    /// What is limited.
    pub what: &'static str,
    /// Path of the file with the constant.
    pub file: &'static str,
    /// Name of the constant.
    pub constant: &'static str,
    /// What happens above the limit.
    pub above: &'static str,
    /// The tests, as `file::function`.
    pub tests: &'static [&'static str],
}

const fn row(
    what: &'static str,
    file: &'static str,
    constant: &'static str,
    above: &'static str,
    tests: &'static [&'static str],
) -> Row {
    Row {
        what,
        file,
        constant,
        above,
        tests,
    }
}

/// All limits, in the order of the page.
pub const GROUPS: &[Group] = &[
    Group {
        title: "Messages and records",
        rows: MESSAGES,
    },
    Group {
        title: "Operations and fleets",
        rows: OPERATIONS,
    },
    Group {
        title: "Strategies",
        rows: STRATEGIES,
    },
    Group {
        title: "Files and data",
        rows: DATA,
    },
    Group {
        title: "Models and answers",
        rows: MODELS,
    },
];

const MESSAGES: &[Row] = &[
    row(
        "Payload of a message, and value of a record",
        "schemas/src/codec.rs",
        "PAYLOAD_BYTES_MAX",
        "refused by whoever would write it; read from elsewhere it is a dead letter, and \
         what is larger is an object of the store",
        &[
            "schemas/tests/it/limits.rs::a_payload_may_have_64_kibibytes_and_no_more",
            "schemas/tests/it/versions.rs::a_payload_over_the_limit_is_refused",
            "schemas/tests/it/largest_record.rs::the_largest_legal_record_fits_a_message",
        ],
    ),
    row(
        "Request of an operation: kind, labels, parameters and plan",
        "schemas/src/operation/mod.rs",
        "REQUEST_BYTES_MAX",
        "refused: shorten the strategy or the lists",
        &["schemas/tests/it/limits.rs::a_request_may_have_36_kibibytes_and_no_more"],
    ),
    row(
        "Results of an operation that stand in its record",
        "schemas/src/operation/mod.rs",
        "RESULTS_BYTES_MAX",
        "the result becomes an object, and the record names it",
        &["tests/tests/promises/data.rs::results_too_long_for_the_record_are_objects"],
    ),
    row(
        "Checkpoint in a record",
        "schemas/src/operation/mod.rs",
        "CHECKPOINT_BYTES_MAX",
        "refused; a service stores an object and names it",
        &["schemas/tests/it/limits.rs::a_checkpoint_may_have_160_bytes_and_no_more"],
    ),
    row(
        "Who asked",
        "schemas/src/operation/mod.rs",
        "BY_BYTES_MAX",
        "cut, with an ellipsis",
        &["schemas/tests/it/limits.rs::who_and_why_are_cut_at_their_limits"],
    ),
    row(
        "Reason of a cancel or a resume",
        "schemas/src/operation/mod.rs",
        "REASON_BYTES_MAX",
        "cut, with an ellipsis",
        &["schemas/tests/it/limits.rs::who_and_why_are_cut_at_their_limits"],
    ),
    row(
        "Code of an error",
        "schemas/src/errors.rs",
        "CODE_BYTES_MAX",
        "cut, with an ellipsis",
        &["schemas/tests/it/limits.rs::an_error_is_cut_at_its_limits"],
    ),
    row(
        "Message of an error",
        "schemas/src/errors.rs",
        "MESSAGE_BYTES_MAX",
        "cut, with an ellipsis",
        &["schemas/tests/it/limits.rs::an_error_is_cut_at_its_limits"],
    ),
    row(
        "Hint of an error",
        "schemas/src/errors.rs",
        "HINT_BYTES_MAX",
        "cut, with an ellipsis",
        &["schemas/tests/it/limits.rs::an_error_is_cut_at_its_limits"],
    ),
    row(
        "Facts of an error, for programs",
        "schemas/src/errors.rs",
        "DETAILS_BYTES_MAX",
        "left out",
        &["schemas/tests/it/limits.rs::facts_of_an_error_are_left_out_above_their_limit"],
    ),
];

const OPERATIONS: &[Row] = &[
    row(
        "Steps of a plan",
        "schemas/src/ids.rs",
        "STEPS_MAX",
        "refused: put more work into one step over a list",
        &["schemas/tests/it/limits.rs::a_plan_may_have_32_steps_and_no_more"],
    ),
    row(
        "Verb of a step",
        "schemas/src/plan.rs",
        "VERB_BYTES_MAX",
        "refused",
        &["schemas/tests/it/limits.rs::a_verb_may_have_32_bytes_and_no_more"],
    ),
    row(
        "Children of a family",
        "schemas/src/operation/parent.rs",
        "CHILDREN_MAX",
        "refused before any of them is submitted",
        &[
            "schemas/tests/it/forged_records.rs::a_forged_list_has_no_children_beyond_the_most",
            "tests/tests/promises/families.rs::a_forged_list_of_too_many_children_is_refused",
        ],
    ),
    row(
        "Trainings of a sweep: combinations, seeds and folds multiplied",
        "cli/src/commands/models/sweep/trainings.rs",
        "TRAININGS_MAX",
        "refused: sweep fewer values, seeds or folds",
        &["cli/src/commands/models/sweep/trainings.rs::a_sweep_has_at_most_10_000_trainings"],
    ),
    row(
        "Trainings of one bundle",
        "schemas/src/commands/bundle.rs",
        "BUNDLE_TRAININGS_MAX",
        "a sweep makes several bundles; a larger one is refused",
        &["services/trainer/tests/it/bundles.rs::a_bundle_that_cannot_be_one_is_refused"],
    ),
    row(
        "Fill of the command queue at which nothing more is submitted",
        "services/bus/src/submit.rs",
        "SUBMIT_FILL_PERCENT_MAX",
        "refused: wait until workers have caught up; its size is `infra apply`'s",
        &["tests/tests/promises/commands.rs::a_full_queue_refuses_submissions_and_loses_nothing"],
    ),
    row(
        "Attempts of a step without durable progress",
        "schemas/src/operation/mod.rs",
        "BARREN_ATTEMPTS_MAX",
        "the step fails and says so; `ktrdr resume` begins again",
        &["tests/tests/promises/retries.rs::retries_without_a_checkpoint_end_after_three"],
    ),
    row(
        "Name of a schedule",
        "schemas/src/schedules/mod.rs",
        "NAME_BYTES_MAX",
        "refused",
        &["schemas/tests/it/limits.rs::a_schedule_may_have_a_name_of_48_bytes_and_no_more"],
    ),
    row(
        "Shortest interval of a schedule",
        "cli/src/commands/schedule/add.rs",
        "INTERVAL_MIN",
        "a shorter one is refused",
        &["cli/src/commands/schedule/add.rs::an_interval_has_at_least_a_minute"],
    ),
    row(
        "Durations from which a step is estimated",
        "schemas/src/timings.rs",
        "DURATIONS_MAX",
        "the oldest one goes",
        &["schemas/tests/it/limits.rs::the_last_ten_durations_of_a_kind_of_step_stay"],
    ),
    row(
        "Name of a person's credentials",
        "services/bus/src/identity/role.rs",
        "NAME_BYTES_MAX",
        "refused",
        &["services/bus/src/identity/role.rs::a_person_has_a_name_that_is_no_role"],
    ),
    row(
        "Clock of a host against that of the server",
        "services/runtime/src/conditions.rs",
        "CLOCK_SKEW_MAX",
        "health is degraded, and says by how much",
        &["services/runtime/src/conditions.rs::\
             a_clock_five_seconds_off_is_harmless_and_one_beyond_is_not"],
    ),
    row(
        "Log file of a service under `ktrdr up`",
        "cli/src/up/log_bound.rs",
        "LENGTH_MAX",
        "it becomes `<name>.log.1`, in place of the one before",
        &["cli/src/up/log_bound.rs::a_log_that_is_too_long_is_kept_once_and_begins_again"],
    ),
    row(
        "Claims that a housekeeper remembers",
        "services/runtime/src/housekeeping/watched_workers.rs",
        "CLAIMS_MAX",
        "what is beyond is read from the records",
        &["services/runtime/src/housekeeping/watched_workers.rs::\
             made_up_claims_are_limited_and_forgotten_by_a_sweep"],
    ),
];

const STRATEGIES: &[Row] = &[
    row(
        "Text of a strategy",
        "strategies/engine/src/yaml.rs",
        "TEXT_BYTES_MAX",
        "refused: it travels inside of the request",
        &["strategies/engine/tests/it/limits.rs::a_text_has_at_most_32_kibibytes"],
    ),
    row(
        "Nesting of its lists and mappings",
        "strategies/engine/src/yaml.rs",
        "DEPTH_MAX",
        "refused",
        &["strategies/engine/tests/it/limits.rs::a_text_is_nested_at_most_16_levels_deep"],
    ),
    row(
        "Name of a strategy or a model",
        "strategies/engine/src/strategy/mod.rs",
        "NAME_LENGTH_MAX",
        "refused",
        &["strategies/engine/tests/it/limits.rs::a_name_has_at_most_64_characters"],
    ),
    row(
        "Indicators, fuzzy sets, inputs: entries of each",
        "strategies/engine/src/grammar/entries.rs",
        "ENTRIES_MAX",
        "refused",
        &["strategies/engine/tests/it/limits.rs::a_section_has_at_most_256_entries"],
    ),
    row(
        "Id of an entry",
        "strategies/engine/src/grammar/entries.rs",
        "ID_LENGTH_MAX",
        "refused",
        &["strategies/engine/tests/it/limits.rs::an_id_has_at_most_64_characters"],
    ),
    row(
        "Feature columns",
        "strategies/engine/src/grammar/cross_checks.rs",
        "FEATURES_MAX",
        "refused",
        &["strategies/engine/tests/it/limits.rs::a_strategy_has_at_most_1024_feature_columns"],
    ),
    row(
        "Lag of an input, in bars",
        "strategies/engine/src/grammar/inputs.rs",
        "LAG_MAX",
        "refused",
        &["strategies/engine/tests/it/limits.rs::a_lag_is_at_most_1000_bars"],
    ),
    row(
        "Symbols",
        "strategies/engine/src/strategy/mod.rs",
        "SYMBOLS_MAX",
        "refused",
        &[
            "strategies/engine/tests/it/requests.rs::a_strategy_has_at_most_256_symbols",
            "strategies/engine/tests/it/requests.rs::a_request_has_at_most_256_symbols",
        ],
    ),
    row(
        "Timeframes",
        "strategies/engine/src/strategy/mod.rs",
        "TIMEFRAMES_MAX",
        "refused",
        &["strategies/engine/tests/it/limits.rs::a_strategy_has_at_most_eight_timeframes"],
    ),
    row(
        "Hidden layers of an mlp",
        "strategies/engine/src/grammar/model.rs",
        "LAYERS_MAX",
        "refused",
        &["strategies/engine/tests/it/limits.rs::an_mlp_has_at_most_16_layers"],
    ),
    row(
        "Units of a layer",
        "strategies/engine/src/grammar/model.rs",
        "LAYER_WIDTH_MAX",
        "refused",
        &["strategies/engine/tests/it/limits.rs::a_layer_has_at_most_4096_units"],
    ),
    row(
        "Sequence of a recurrent network, in bars",
        "strategies/engine/src/grammar/recurrent.rs",
        "SEQUENCE_LENGTH_MAX",
        "refused",
        &["strategies/engine/tests/it/limits.rs::a_recurrent_network_has_bounds_of_its_own"],
    ),
    row(
        "Hidden size of a recurrent network",
        "strategies/engine/src/grammar/recurrent.rs",
        "HIDDEN_SIZE_MAX",
        "refused",
        &["strategies/engine/tests/it/limits.rs::a_recurrent_network_has_bounds_of_its_own"],
    ),
    row(
        "Layers of a recurrent network",
        "strategies/engine/src/grammar/recurrent.rs",
        "LAYERS_MAX",
        "refused",
        &["strategies/engine/tests/it/limits.rs::a_recurrent_network_has_bounds_of_its_own"],
    ),
    row(
        "Rules of a rule base",
        "strategies/engine/src/grammar/tsk.rs",
        "RULES_MAX",
        "refused",
        &["strategies/engine/tests/it/limits.rs::a_rule_base_has_at_most_256_rules"],
    ),
    row(
        "Epochs of a training",
        "schemas/src/training/mod.rs",
        "EPOCHS_MAX",
        "refused",
        &["strategies/engine/tests/it/training_settings.rs::\
             every_key_has_the_bounds_that_its_text_names"],
    ),
    row(
        "CPU threads of a training",
        "schemas/src/training/mod.rs",
        "THREADS_MAX",
        "refused",
        &["strategies/engine/tests/it/training_settings.rs::\
             every_key_has_the_bounds_that_its_text_names"],
    ),
    row(
        "Expression of an indicator, in characters",
        "strategies/engine/src/expression/mod.rs",
        "LENGTH_MAX",
        "refused",
        &["strategies/engine/tests/it/limits.rs::an_expression_has_at_most_1000_characters"],
    ),
];

const DATA: &[Row] = &[
    row(
        "Series of one load",
        "schemas/src/commands/fetch.rs",
        "SERIES_MAX",
        "refused",
        &["services/fetcher/tests/it/fetching.rs::\
             a_fetch_takes_at_most_the_series_of_the_largest_strategy"],
    ),
    row(
        "Series that one command follows",
        "schemas/src/commands/follow.rs",
        "FOLLOWED_MAX",
        "refused: follow the others by a command of their own",
        &["services/fetcher/tests/it/following.rs::a_command_follows_at_most_64_series"],
    ),
    row(
        "Symbol, in characters",
        "strategies/market/src/instrument/mod.rs",
        "SYMBOL_LENGTH_MAX",
        "refused",
        &["strategies/market/tests/it/identity.rs::\
             what_names_no_instrument_is_refused_with_its_reason"],
    ),
    row(
        "File of bars, packed and unpacked",
        "services/store/src/files/mod.rs",
        "FILE_BYTES_MAX",
        "refused unread: make several files of it, such as one a year",
        &["services/store/tests/it/files.rs::\
             a_file_of_more_than_four_gibibytes_is_refused_unread"],
    ),
    row(
        "File of symbols, operations, rules, a calendar or a strategy, and standard input",
        "cli/src/inputs/text_files.rs",
        "TEXT_FILE_BYTES_MAX",
        "refused; a source without an end is not waited for",
        &[
            "cli/src/inputs/text_files.rs::a_text_of_the_most_bytes_is_read",
            "cli/src/inputs/text_files.rs::a_text_that_is_one_byte_too_long_is_refused",
            "cli/src/inputs/text_files.rs::a_text_without_an_end_is_refused_with_the_limit",
        ],
    ),
];

const MODELS: &[Row] = &[
    row(
        "Models, or changes, in one answer",
        "schemas/src/queries.rs",
        "LIST_MAX",
        "the answer says that there are more",
        &[
            "services/registry/src/queries.rs::a_list_has_at_most_the_models_that_it_may",
            "services/registry/tests/it/endpoints.rs::\
             a_history_that_is_too_long_ends_with_the_newest_change",
        ],
    ),
    row(
        "Bytes of one answer",
        "schemas/src/queries.rs",
        "LIST_BYTES_MAX",
        "figures that are larger are refused with their key in the store",
        &["services/registry/tests/it/endpoints.rs::\
             metrics_come_as_they_are_unless_they_are_too_large"],
    ),
    row(
        "Models compared at once",
        "schemas/src/queries.rs",
        "COMPARED_MAX",
        "refused",
        &["services/registry/tests/it/endpoints.rs::\
             queries_that_cannot_be_answered_are_refused_with_a_reason"],
    ),
    row(
        "Predictions in one answer",
        "schemas/src/queries.rs",
        "PREDICTIONS_MAX",
        "refused: ask for those before with `before`",
        &["services/registry/tests/it/endpoints.rs::\
             queries_that_cannot_be_answered_are_refused_with_a_reason"],
    ),
    row(
        "Note on a version, in characters",
        "schemas/src/manifests/remark.rs",
        "NOTE_CHARS_MAX",
        "refused",
        &["cli/src/commands/models/remarks.rs::a_note_has_at_most_1000_characters"],
    ),
    row(
        "Key of a tag",
        "cli/src/commands/models/remarks.rs",
        "KEY_CHARS_MAX",
        "refused",
        &["cli/src/commands/models/remarks.rs::\
             a_tag_has_a_key_of_64_and_a_value_of_128_characters"],
    ),
    row(
        "Value of a tag",
        "schemas/src/manifests/remark.rs",
        "TAG_VALUE_CHARS_MAX",
        "refused",
        &["cli/src/commands/models/remarks.rs::\
             a_tag_has_a_key_of_64_and_a_value_of_128_characters"],
    ),
    row(
        "Checkpoints of a training that stay",
        "services/trainer/src/checkpoints.rs",
        "CHECKPOINTS_MAX",
        "the oldest one goes",
        &["services/trainer/tests/it/service.rs::\
             two_checkpoints_stay_however_often_a_training_is_resumed"],
    ),
];
