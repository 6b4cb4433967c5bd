//! Command: a target as a command on another machine names it.

use super::Target;
use crate::keeping::backup::storage::Place;
use std::path::Path;

/// A path, an address or a name as a shell reads it.
pub fn shell_word(text: &str) -> String {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-:@+".contains(&byte));
    if is_plain && !text.is_empty() { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

impl Target {
    /// What opens it, for a command that is told its address: the host key, the file of secrets, the kit.
    pub fn opening(&self) -> String {
        let mut how = String::new();
        if let Some(key) = &self.host_key {
            how.push_str(&format!(" --host-key {}", shell_word(key)));
        }
        let place = self.address.parse::<Place>();
        if place.is_ok_and(|place| place.as_folder().is_none()) {
            how.push_str(" --access-file secrets.json");
        }
        how.push_str(" --kit-file kit.txt");
        how
    }

    /// The command that has another machine follow this instance from here, into a folder of the same name.
    pub fn following(&self, data: &Path) -> String {
        let data = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
        let (from, into) = (shell_word(&self.address), shell_word(&data.display().to_string()));
        format!("testkeep standby follow --from {from} --into {into}{}", self.opening())
    }
}
