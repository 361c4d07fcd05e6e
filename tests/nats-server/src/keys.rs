//! The keys of a guarded server: one for every user that its permissions name.

use std::path::{Path, PathBuf};

use nkeys::KeyPair;

/// How the shipped file names the public key of a user.
const VARIABLE: &str = "$KTRDR_KEY_";

/// Keys of one server, with their files.
pub struct Keys {
    folder: PathBuf,
    variables: Vec<(String, String)>,
}

/// What a key file says.
pub struct Key {
    /// The secret to sign with.
    pub seed: String,
    /// Where answers go.
    pub inbox: String,
}

impl Keys {
    /// Makes a key file for each user of the shipped permissions.
    pub fn make(server_folder: &Path) -> Self {
        let folder = server_folder.join("keys");
        std::fs::create_dir_all(&folder).unwrap();
        let shipped =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/nats/permissions.conf");
        let text = std::fs::read_to_string(shipped).unwrap();

        let mut variables = Vec::new();
        for part in text.split(VARIABLE).skip(1) {
            let name: String = part.chars().take_while(char::is_ascii_uppercase).collect();
            let pair = KeyPair::new_user();
            let user = name.to_lowercase();
            let lines = format!("# inbox: _INBOX_{user}\n{}\n", pair.seed().unwrap());
            std::fs::write(folder.join(format!("{user}.nk")), lines).unwrap();
            variables.push((format!("KTRDR_KEY_{name}"), pair.public_key()));
        }
        Self { folder, variables }
    }

    /// The file of a user.
    pub fn file(&self, name: &str) -> PathBuf {
        let file = self.folder.join(format!("{name}.nk"));
        assert!(file.is_file(), "the permissions name no user {name}");
        file
    }

    /// The public keys, as the server takes them from its environment.
    pub fn variables(&self) -> Vec<(String, String)> {
        self.variables.clone()
    }
}

/// Reads a key file.
pub fn read(file: &Path) -> Key {
    let text = std::fs::read_to_string(file).unwrap();
    let line = |beginning: &str| {
        let mut lines = text.lines().filter(|line| line.starts_with(beginning));
        lines.next().unwrap().replace("# inbox: ", "")
    };

    Key {
        seed: line("SU"),
        inbox: line("# inbox: "),
    }
}
