//! The keys of the section `training`: what each may be, its default and its formula. Editors show
//! this text, and the page of strategies lists it.

/// One key of `training`, or of a section in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrainingKey {
    /// The section of `training` that it is a key of; empty for a key of `training` itself.
    pub section: &'static str,
    /// Its name in the file.
    pub name: &'static str,
    /// The value of another key without which it is refused, as in `optimizer: sgd`; empty for a
    /// key that stands alone.
    pub needs: &'static str,
    /// What it may be: words, or the bounds of a number.
    pub values: &'static str,
    /// Its default as a file would say it; empty where there is none.
    pub default: &'static str,
    /// What it does: formula and source.
    pub meaning: &'static str,
}

impl TrainingKey {
    /// The path from `training`, as in `early_stopping.patience`.
    pub fn path(&self) -> String {
        if self.section.is_empty() {
            self.name.to_owned()
        } else {
            format!("{}.{}", self.section, self.name)
        }
    }
}

/// Every key that sets the trainer, in the order in which a reader wants to know them.
pub fn training_keys() -> &'static [TrainingKey] {
    KEYS
}

const fn new_key(
    name: &'static str,
    needs: &'static str,
    values: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> TrainingKey {
    section_key("", name, needs, values, default, meaning)
}

const fn section_key(
    section: &'static str,
    name: &'static str,
    needs: &'static str,
    values: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> TrainingKey {
    TrainingKey {
        section,
        name,
        needs,
        values,
        default,
        meaning,
    }
}

static KEYS: &[TrainingKey] = &[
    new_key(
        "epochs",
        "",
        "a whole number from 1 to 100000",
        "100",
        "passes over the training part",
    ),
    new_key(
        "batch_size",
        "",
        "a whole number from 1 to 1000000",
        "32",
        "rows of a step; the last batch of an epoch may be smaller",
    ),
    new_key(
        "learning_rate",
        "",
        "a number above 0 and at most 1; with sgd at most 10",
        "0.001",
        "the step size r of the optimiser before its schedule",
    ),
    new_key(
        "optimizer",
        "",
        "adam, adamw, sgd or rmsprop",
        "adam",
        "how weights w follow the gradient g, defined as in torch.optim; d is weight_decay. \
         adam (Kingma and Ba, 2015): betas 0.9 and 0.999, eps 1e-8, g ← g + d·w first. adamw \
         (Loshchilov and Hutter, 2019): w ← w − r·d·w, then the step of adam without decay. sgd: b \
         ← momentum·b + g + d·w, w ← w − r·b. rmsprop (Hinton, 2012): g ← g + d·w, v ← 0.99·v + \
         0.01·g², w ← w − r·g/(√v + 1e-8)",
    ),
    new_key(
        "momentum",
        "optimizer: sgd",
        "a number of at least 0 and below 1",
        "0.9",
        "share of the last step that goes on",
    ),
    new_key(
        "weight_decay",
        "",
        "a number from 0 to 1",
        "0.0001; 0 for a regression",
        "L2 penalty of the weights, never of biases",
    ),
    new_key(
        "gradient_clip",
        "",
        "a number above 0, or 0 for none",
        "1.0",
        "largest L2 norm of the whole gradient; a longer one is scaled down to it",
    ),
    new_key(
        "lr_scheduler",
        "",
        "none, step, exponential, cosine or reduce_on_plateau, or a section with such a word as \
         its type",
        "none",
        "the learning rate of each epoch, by the definitions of torch.optim.lr_scheduler; n counts \
         the epochs after the warm-up from 0, N is their number. none: r. step: r · \
         gamma^⌊n / step_size⌋. exponential: r · gamma^n. cosine (Loshchilov and Hutter, 2017, \
         without restarts): min_lr + (r − min_lr)·(1 + cos(π·n/N))/2. reduce_on_plateau: the rate \
         times factor, but not below min_lr, after more than patience epochs in which the \
         validation loss was never 0.01 % below the lowest before",
    ),
    section_key(
        "lr_scheduler",
        "step_size",
        "type: step",
        "a whole number from 1 to 100000",
        "30",
        "epochs between two falls",
    ),
    section_key(
        "lr_scheduler",
        "gamma",
        "type: step or exponential",
        "a number above 0 and at most 1",
        "0.1; 0.95 of exponential",
        "factor of a fall",
    ),
    section_key(
        "lr_scheduler",
        "factor",
        "type: reduce_on_plateau",
        "a number above 0 and below 1",
        "0.5",
        "factor of a fall",
    ),
    section_key(
        "lr_scheduler",
        "patience",
        "type: reduce_on_plateau",
        "a whole number from 0 to 100000",
        "5",
        "epochs without a lower loss that are borne",
    ),
    section_key(
        "lr_scheduler",
        "min_lr",
        "type: cosine or reduce_on_plateau",
        "a number from 0 to learning_rate",
        "0",
        "the lowest rate",
    ),
    new_key(
        "warmup_epochs",
        "",
        "a whole number from 0 to below epochs",
        "0",
        "epochs in which the rate rises in a straight line: epoch e of W has e/(W + 1) of it",
    ),
    new_key(
        "loss",
        "",
        "cross_entropy or focal; for a regression huber or mse",
        "cross_entropy; huber for a regression",
        "what training minimises. cross_entropy: Σ w·l / Σ w with l = −log softmax of the true \
         class and w its class weight. focal (Lin and others, 2017): mean of w·(1 − p)^focal_gamma \
         · (−log p), p being the probability of the true class. huber (Huber, 1964): mean of \
         0.5·d² where |d| ≤ huber_delta, else of huber_delta·(|d| − huber_delta/2). mse: mean of \
         d²",
    ),
    new_key(
        "focal_gamma",
        "loss: focal",
        "a number from 0 to 10",
        "2.0",
        "how little rows count that are answered well; 0 = not less than others",
    ),
    new_key(
        "huber_delta",
        "loss: huber",
        "a number above 0",
        "0.01",
        "width of the quadratic part in units of the label: 0.01 is a return of 1 %",
    ),
    new_key(
        "label_smoothing",
        "loss: cross_entropy",
        "a share of at least 0 and below 1",
        "0",
        "share of each label that is spread evenly over all classes (Szegedy and others, 2016)",
    ),
    new_key(
        "class_weights",
        "loss: cross_entropy or focal",
        "balanced, none, or a weight from 0.000001 to 1000000 for each class, as in {BUY: 2.0, \
         HOLD: 1.0, SELL: 2.0}",
        "balanced",
        "how much a row of each class counts. balanced: w = (1/n) / Σ(1/n) · classes, n being the \
         rows of the class in the training part, and 0 for a class without rows. none: 1",
    ),
    new_key(
        "target_scale",
        "loss: huber or mse",
        "none or std",
        "none",
        "by what labels are divided while they are learnt from: std is their standard deviation \
         over the training part. Predictions are returns in any case",
    ),
    new_key(
        "calibration",
        "loss: cross_entropy or focal",
        "none or temperature",
        "none",
        "how probabilities are mended. temperature (Guo and others, 2017): p = softmax(scores / \
         T), T from 1/20 to 20 with the lowest mean −log p of the true class over the validation \
         part. It is stored with the model, decides with it wherever it is used, and changes no \
         answer",
    ),
    new_key(
        "early_stopping",
        "",
        "none, or a section",
        "none",
        "ends the training when the monitored figure no longer improves. The weights of the epoch \
         with the lowest validation loss are stored in any case",
    ),
    section_key(
        "early_stopping",
        "patience",
        "",
        "a whole number from 1 to 100000",
        "10",
        "epochs without an improvement after which it ends",
    ),
    section_key(
        "early_stopping",
        "min_delta",
        "",
        "a share of at least 0 and below 1",
        "0.001",
        "what counts as an improvement, as a share of the best figure so far: 0.001 is 0.1 % of it",
    ),
    section_key(
        "early_stopping",
        "monitor",
        "",
        "val_loss or val_accuracy",
        "val_loss",
        "the figure of the validation part that has to fall (loss) or to rise (share of right \
         answers, of a regression of right signs)",
    ),
    new_key(
        "engine",
        "",
        "auto, native or libtorch",
        "auto",
        "the program that computes it. native: plain Rust on the CPU, the same bits on every \
         machine. libtorch: any device, in trainers that are built with it, and every model but \
         tsk. auto: native on a CPU and for tsk, else libtorch",
    ),
    new_key(
        "threads",
        "",
        "a whole number from 1 to 64",
        "1",
        "CPU threads of a training in libtorch; the native engine has one",
    ),
    new_key(
        "detailed_analytics",
        "",
        "true or false",
        "false",
        "whether figures of every epoch are stored with the model: norms of gradients and weights, \
         rates of the classes, decisions; `ktrdr models show NAME --analytics` shows them. The \
         weights are the same either way",
    ),
    new_key(
        "seed",
        "",
        "a whole number from 0 to 4294967295",
        "42",
        "decides the first weights, the order of rows and what dropout leaves out",
    ),
];
