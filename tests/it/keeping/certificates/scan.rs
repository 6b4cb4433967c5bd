//! What an outsider finds who tries every protocol and cipher that OpenSSL knows.

use crate::support::App;
use std::process::{Command, Stdio};

fn shakes_hands(at: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", at]).args(arguments);
    let answer = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&answer.stdout);
    text.contains("Cipher is ") && !text.contains("Cipher is (NONE)")
}

#[actix_web::test]
async fn t_de_2_no_old_protocol_and_no_weak_cipher_is_spoken() {
    let app = App::start().await;
    let at = app.address().to_string();
    let scan = move || {
        assert!(shakes_hands(&at, &["-tls1_3"]) && shakes_hands(&at, &["-tls1_2"]));
        for old in ["-tls1", "-tls1_1"] {
            assert!(!shakes_hands(&at, &[old, "-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]), "{old}");
        }
        let arguments = ["ciphers", "-tls1_2", "-s", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"];
        let all = Command::new("openssl").args(arguments).output().unwrap();
        let all = String::from_utf8(all.stdout).unwrap();
        let names: Vec<&str> = all.trim().split(':').filter(|name| !name.starts_with("TLS_")).collect();
        assert!(names.len() > 50, "{all}");
        let spoken = names
            .iter()
            .filter(|name| shakes_hands(&at, &["-tls1_2", "-cipher", &format!("{name}:@SECLEVEL=0")]));
        let mut spoken: Vec<&str> = spoken.copied().collect();
        spoken.sort_unstable();
        assert_eq!(
            spoken,
            [
                "ECDHE-ECDSA-AES128-GCM-SHA256",
                "ECDHE-ECDSA-AES256-GCM-SHA384",
                "ECDHE-ECDSA-CHACHA20-POLY1305"
            ]
        );
    };
    actix_web::rt::task::spawn_blocking(scan).await.unwrap();
}
