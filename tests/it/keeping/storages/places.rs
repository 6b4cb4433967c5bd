//! Addresses: what is read is what is written, and nothing secret gets in.

use testkeep::keeping::backup::storage::{Access, KeyPair, Limits, Place};
use testkeep::kernel::secret::Secret;

fn read(text: &str) -> Place {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

fn refusal(text: &str) -> String {
    let error = text.parse::<Place>().err().unwrap_or_else(|| panic!("{text} was taken"));
    assert!(error.hint_text().is_some() || error.sentence().len() > 20, "{error:?}");
    error.sentence().to_owned()
}

#[test]
fn addresses_are_read_and_written_in_one_form() {
    for (given, written) in [
        ("/mnt/keep", "/mnt/keep"),
        (" /mnt/keep// ", "/mnt/keep"),
        ("/mnt/a b%20c", "/mnt/a b%20c"),
        ("file:///mnt/a%20b", "/mnt/a b"),
        ("sftp://backup@Keep.Example/srv/testkeep/", "sftp://backup@keep.example/srv/testkeep"),
        ("sftp://backup@keep.example:22/srv", "sftp://backup@keep.example/srv"),
        ("sftp://b%40corp@[::1]:2222/~/keep", "sftp://b%40corp@[::1]:2222/~/keep"),
        ("sftp://b@h/~", "sftp://b@h/~"),
        ("sftp://b@h/%7E/x", "sftp://b@h/%7E/x"),
        ("sftp://b@h", "sftp://b@h/"),
        ("s3://keep?region=eu-central-1", "s3://keep?region=eu-central-1"),
        ("s3://keep/a/b/?region=eu-central-1&style=path", "s3://keep/a/b?region=eu-central-1&style=path"),
        (
            "s3://keep/a?endpoint=https://S3.Keep.Example",
            "s3://keep/a?endpoint=https://s3.keep.example&region=us-east-1",
        ),
        (
            "s3://keep?retain=compliance-30&style=host&endpoint=http%3A%2F%2F127.0.0.1:9000/&region=x",
            "s3://keep?endpoint=http://127.0.0.1:9000&region=x&style=host&retain=compliance-30",
        ),
        ("webdav+https://Keep.Example:443/a%20b/", "webdav+https://keep.example/a%20b"),
        ("webdav+http://localhost:8080", "webdav+http://localhost:8080/"),
        ("rest+https://keep.example:8000/mara/", "rest+https://keep.example:8000/mara"),
        ("rest+http://[::1]:8000/", "rest+http://[::1]:8000/"),
    ] {
        let place = read(given);
        assert_eq!(place.to_string(), written, "{given}");
        assert_eq!(read(written), place, "{given}");
        let json = serde_json::to_string(&place).unwrap();
        assert_eq!(serde_json::from_str::<Place>(&json).unwrap(), place);
    }
}

/// Any text of these letters is read or refused, and what is read is written so that it reads the same.
#[test]
fn whatever_is_read_can_be_written_and_read_again() {
    const PARTS: [&str; 36] = [
        "sftp",
        "s3",
        "webdav+https",
        "rest+http",
        "file",
        "://",
        "/",
        "/",
        "//",
        "@",
        ":",
        "22",
        "0",
        "~",
        "?",
        "&",
        "=",
        "endpoint",
        "region",
        "style",
        "path",
        "host",
        "retain",
        "governance-7",
        "https://h.example",
        "localhost",
        "[::1]",
        "keep",
        "a.b",
        "%20",
        "%7E",
        "%2F",
        "%",
        "é",
        " ",
        "..",
    ];
    let (mut state, mut taken) = (0x9E37_79B9_7F4A_7C15_u64, 0);
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let starts = [
        "/",
        "sftp://",
        "sftp://u@h/",
        "s3://keep/",
        "s3://keep?region=r&",
        "webdav+https://h/",
        "rest+https://h",
        "",
    ];
    for _ in 0..40_000 {
        let mut text = starts[random(starts.len())].to_owned();
        (0..random(9)).for_each(|_| text += PARTS[random(PARTS.len())]);
        let Ok(place) = text.parse::<Place>() else { continue };
        taken += 1;
        let written = place.to_string();
        assert_eq!(written.parse::<Place>().ok().as_ref(), Some(&place), "{text} became {written}");
        assert_eq!(read(&written).to_string(), written, "{text}");
    }
    assert!(taken > 4_000, "only {taken} were addresses at all");
}

#[test]
fn t_de_2_secrets_and_clear_text_are_refused_and_never_repeated() {
    for text in [
        "sftp://mara:hunter2@keep.example/srv",
        "webdav+https://mara:hunter2@keep.example/",
        "rest+https://mara:hunter2@keep.example/",
        "s3://id:hunter2@keep/prefix?region=x",
        "s3://keep?region=x&secret_key=hunter2",
        "https://mara:hunter2@keep.example",
        "hunter2",
        "ftp://hunter2",
    ] {
        let error = text.parse::<Place>().unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    let clear = "Without TLS a target may only be on this machine itself.";
    assert_eq!(refusal("webdav+http://keep.example/"), clear);
    assert_eq!(refusal("rest+http://10.0.0.7:8000/"), clear);
    assert_eq!(refusal("s3://keep?endpoint=http://keep.example"), clear);
}

#[test]
fn wrong_addresses_are_told_what_is_wrong() {
    for (text, sentence) in [
        ("keep", "This is no address of a backup target."),
        ("gopher://keep", "This is no address of a backup target."),
        ("https://keep.example", "The address does not say which protocol the server speaks."),
        ("/mnt/../etc", "/mnt/../etc is not the whole path of a folder."),
        ("sftp://keep.example/srv", "The address names no user."),
        ("sftp://b@keep:0/srv", "The address has no port between 1 and 65535 after its colon."),
        ("sftp://b@ke!ep/srv", "The address has no host name of plain letters, digits, dots and hyphens."),
        ("sftp://b@keep/a/../b", "The path of the address has an empty part, `.` or `..` in it."),
        ("s3://keep", "The address names neither an endpoint nor a region."),
        ("s3://k?region=x", "The address names no bucket of 3 to 63 letters, digits, dots and hyphens."),
        ("s3://keep?endpoint=keep.example", "The endpoint in the address has no scheme."),
        ("s3://keep?region=x&retain=forever", "The retention in the address cannot be read."),
        ("webdav+https://h/x%zz", "The path of the address holds a `%` without two hexadecimal digits."),
        ("webdav+https://keep.example/?a=b", "The address has a `?` or a `#` in it."),
    ] {
        assert_eq!(refusal(text), sentence, "{text}");
    }
    assert_eq!(refusal(&format!("/{}", "x".repeat(3_000))), "The address is longer than 2000 characters.");
}

#[test]
fn credentials_fit_their_place_and_come_back_from_sealing() {
    let keys = KeyPair { id: "id".into(), secret: Secret::new("hunter2".into()), ca: String::new() };
    let access = Access::S3(keys);
    assert_eq!(Access::from_bytes(access.to_bytes().unwrap().expose()).unwrap(), access);
    assert!(!format!("{access:?}").contains("hunter2"));
    let error = Access::from_bytes(b"{\"kind\":\"s3\",\"secret\":\"hunter2\"}").unwrap_err();
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");

    let refused = read("/mnt/keep").open(&access, Limits::default()).err().unwrap();
    assert_eq!(refused.sentence(), "The credentials are an access key of S3; /mnt/keep is a folder.");
    let refused = read("s3://keep?region=x").open(&Access::Open, Limits::default()).err().unwrap();
    assert!(refused.sentence().starts_with("The credentials are missing; s3://keep"), "{refused:?}");
    let slow = Limits::capped(Some(1_000));
    let refused = read("/mnt/keep").open(&Access::Open, slow).err().unwrap();
    assert_eq!(refused.sentence(), "A bandwidth cap is at least 16 KiB a second.");
}
