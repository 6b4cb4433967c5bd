//! The table of boot options: the one place where their names, defaults and texts stand.

/// One option: the help, the reference page and `doctor` are printed from this.
#[derive(Debug)]
pub struct Row {
    /// Its name in the file; a flag has hyphens instead of underscores.
    pub name: &'static str,
    /// What it takes, in a word or two.
    pub takes: &'static str,
    /// What holds when nobody says anything; empty means unset.
    pub default: &'static str,
    /// Its name in the environment.
    pub env: &'static str,
    /// What it is for, in one sentence.
    pub text: &'static str,
}

macro_rules! rows {
    ($($name:literal $env:literal, $takes:literal, $default:literal, $text:literal;)*) => {
        &[$(Row { name: $name, takes: $takes, default: $default, env: $env, text: $text }),*]
    };
}

/// Every boot option there is.
pub const ROWS: &[Row] = rows! {
    "config" "TESTKEEP_CONFIG", "path", "", "File with options; otherwise `testkeep.toml` in the data folder, if it exists.";
    "data" "TESTKEEP_DATA", "path", "data", "Folder that holds everything the instance keeps.";
    "listen" "TESTKEEP_LISTEN", "addresses", "127.0.0.1:8443", "Addresses with ports to answer at.";
    "public_url" "TESTKEEP_PUBLIC_URL", "address", "", "Where people find this instance, such as https://tests.example.org; other host names are then refused.";
    "key_file" "TESTKEEP_KEY_FILE", "path", "", "File with the key that opens the instance.";
    "passphrase_fd" "TESTKEEP_PASSPHRASE_FD", "number", "", "Open file descriptor from which the passphrase is read.";
    "kms_address" "TESTKEEP_KMS_ADDRESS", "address", "", "Key service that opens the instance, such as https://vault.example:8200: Vault, OpenBao, or what speaks as they do.";
    "kms_key" "TESTKEEP_KMS_KEY", "name", "testkeep", "Name of the key there.";
    "kms_mount" "TESTKEEP_KMS_MOUNT", "path", "transit", "Where its transit engine is mounted.";
    "kms_namespace" "TESTKEEP_KMS_NAMESPACE", "path", "", "Namespace there, if the service has any.";
    "kms_token_file" "TESTKEEP_KMS_TOKEN_FILE", "path", "", "File with the token that may encrypt and decrypt with that key.";
    "kms_role_id" "TESTKEEP_KMS_ROLE_ID", "text", "", "Id of a role (AppRole) to sign in with, in place of a token.";
    "kms_secret_id_file" "TESTKEEP_KMS_SECRET_ID_FILE", "path", "", "File with the secret id of that role.";
    "kms_role_mount" "TESTKEEP_KMS_ROLE_MOUNT", "path", "approle", "Where roles sign in.";
    "kms_ca" "TESTKEEP_KMS_CA", "path", "", "PEM file with the authority that signed the certificate of the key service; otherwise those of the system.";
    "log" "TESTKEEP_LOG", "filter", "info", "What is logged: error, warn, info, debug, or a filter by module.";
    "tls_certificate" "TESTKEEP_TLS_CERTIFICATE", "path", "", "PEM file with the certificate chain; looked at again while running.";
    "tls_key" "TESTKEEP_TLS_KEY", "path", "", "PEM file with the private key of the certificate.";
    "tls_names" "TESTKEEP_TLS_NAMES", "list", "", "More names and addresses for the certificate that the instance makes itself.";
    "acme_directory" "TESTKEEP_ACME_DIRECTORY", "address", "", "Directory (ACME, RFC 8555) that issues the certificate; nothing is called while it is unset.";
    "acme_terms_agreed" "TESTKEEP_ACME_TERMS_AGREED", "yes or no", "no", "Whether you agree to the terms of service of that directory.";
    "acme_names" "TESTKEEP_ACME_NAMES", "list", "", "Names to ask the directory for; otherwise the host of `public_url` and those of `tls_names`.";
    "acme_contact" "TESTKEEP_ACME_CONTACT", "list", "", "E-mail addresses at which the directory may reach you.";
    "acme_challenge" "TESTKEEP_ACME_CHALLENGE", "http-01 or tls-alpn-01", "tls-alpn-01", "How the directory convinces itself: over plain HTTP at port 80, or by TLS at port 443.";
    "acme_http_listen" "TESTKEEP_ACME_HTTP_LISTEN", "address", "", "Address for plain HTTP, such as 0.0.0.0:80; serves challenges, and sends everybody else to https.";
    "acme_ca" "TESTKEEP_ACME_CA", "path", "", "PEM file with the authority that signed the certificate of a private directory.";
    "acme_eab_id" "TESTKEEP_ACME_EAB_ID", "text", "", "Id of the key with which the directory knows you already (external account binding).";
    "acme_eab_key_file" "TESTKEEP_ACME_EAB_KEY_FILE", "path", "", "File with that key, in base64url.";
    "admin_listen" "TESTKEEP_ADMIN_LISTEN", "address", "", "Second address, for those who show a certificate; the pages of the instance are then nowhere else.";
    "admin_ca" "TESTKEEP_ADMIN_CA", "path", "", "PEM file with the authority that signs those certificates; otherwise the authority of the instance.";
    "cleartext_behind_proxy" "TESTKEEP_CLEARTEXT_BEHIND_PROXY", "yes or no", "no", "Speak plain HTTP to a proxy on this machine that does the TLS.";
    "trusted_proxies" "TESTKEEP_TRUSTED_PROXIES", "networks", "", "Proxies whose word on the client's address is taken.";
    "metrics_token_file" "TESTKEEP_METRICS_TOKEN_FILE", "path", "", "File with the token that opens /metrics to other machines.";
    "requests_per_second" "TESTKEEP_REQUESTS_PER_SECOND", "number", "", "Requests a second that one address may make; the machine itself may make more.";
    "sign_ins_per_minute" "TESTKEEP_SIGN_INS_PER_MINUTE", "number", "", "Attempts to sign in a minute that one address may make.";
    "upgrade_key" "TESTKEEP_UPGRADE_KEY", "path", "", "File with the public key of minisign that releases must be signed with; otherwise the one that the program was built with.";
    "sandbox" "TESTKEEP_SANDBOX", "on/off/require", "on", "Close files and system calls that the server does not need: on, off, or require, which refuses to start without.";
    "backup_roots" "TESTKEEP_BACKUP_ROOTS", "paths", "/mnt,/media,/srv,/backup,/var/backups", "Folders below which backups can go while the sandbox is on.";
};
