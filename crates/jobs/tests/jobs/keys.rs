//! `jobs keys`, one command after the other.

use std::{fs, time::SystemTime};

use job_status::Keyring;
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::{
    fault_s3::{Act, FaultS3, error_document, object_with},
    keyring::sha256,
};

use crate::harness::{jobs, offline, run, run_with};

/// A directory with a keyring in somebody's own layout.
struct KeyringFile(TempDir);

const KEYRING: &str = r#"{ "keys" : [
	{"name":"zeta",   "sha256":"0000000000000000000000000000000000000000000000000000000000000001"},
	{"sha256":"0000000000000000000000000000000000000000000000000000000000000002",
	 "name":"acme-2026", "prefix":"acme/"}
] }"#;

impl KeyringFile {
    fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("keyring.json"), text).unwrap();
        Self(directory)
    }

    fn text(&self) -> String {
        fs::read_to_string(self.0.path().join("keyring.json")).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text()).unwrap()
    }

    async fn keys(&self, arguments: &[&str]) -> (i32, String, String) {
        run(self.command(arguments)).await
    }

    fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = offline(&["keys"]);
        command.args(arguments).env("JOBS_RING", self.0.path().join("keyring.json"));
        command
    }
}

fn accepts(keyring: &str, key: &str) -> Option<(String, String)> {
    let keyring = Keyring::parse(keyring.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    keyring.find(key.as_bytes(), SystemTime::now()).map(|key| (key.name.to_string(), key.prefix.to_string()))
}

#[tokio::test]
async fn a_new_key_is_printed_once_and_the_function_accepts_it() {
    let keyring = KeyringFile::new(KEYRING);
    let (code, key, remarks) = keyring.keys(&["add", "beta", "--prefix", "beta/", "--expires", "90d"]).await;
    let key = key.trim();
    assert_eq!((code, key.len()), (0, 54), "{remarks}");
    assert!(key.strip_prefix("jobs_").unwrap().bytes().all(|byte| byte.is_ascii_alphanumeric()), "{key}");
    assert_eq!(accepts(&keyring.text(), key), Some(("beta".into(), "beta/".into())));
    assert!(!keyring.text().contains(key) && !remarks.contains(key));
}

#[tokio::test]
async fn what_a_change_is_not_about_keeps_its_value_and_its_place() {
    let file = KeyringFile::new(&KEYRING.replace("01\"}", "01\",\"expires\":\"2099-01-01T01:00:00.5+01:00\"}"));
    let zeta = json!({
        "name": "zeta", "sha256": format!("{:064}", 1), "expires": "2099-01-01T01:00:00.5+01:00",
    });
    let acme = json!({ "name": "acme-2026", "sha256": format!("{:064}", 2), "prefix": "acme/" });
    let (_, key, _) = file.keys(&["add", "beta", "--expires", "2099-06-30"]).await;
    let beta = json!({ "name": "beta", "sha256": sha256(key.trim()), "expires": "2099-06-30T00:00:00Z" });
    assert_eq!(file.json(), json!({ "keys": [zeta, acme, beta] }));
    file.keys(&["revoke", "zeta"]).await;
    assert_eq!(file.json(), json!({ "keys": [acme, beta] }));
    file.keys(&["revoke", "beta"]).await;
    let written = [
        "{",
        "  \"keys\": [",
        "    {",
        "      \"name\": \"acme-2026\",",
        &format!("      \"sha256\": \"{:064}\",", 2),
        "      \"prefix\": \"acme/\"",
        "    }",
        "  ]",
        "}",
        "",
    ];
    assert_eq!(file.text(), written.join("\n"));
    file.keys(&["revoke", "acme-2026"]).await;
    assert_eq!(file.text(), "{\n  \"keys\": []\n}\n");
}

#[tokio::test]
async fn a_rotated_key_has_the_prefix_of_the_old_one_which_expires() {
    let keyring = KeyringFile::new(KEYRING);
    let (code, answer, _) = keyring.keys(&["rotate", "acme-2026", "--overlap", "7d", "--json"]).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((code, &answer["name"], &answer["prefix"]), (0, &json!("acme-2027"), &json!("acme/")));
    assert_eq!(answer["replaces"]["name"], "acme-2026");
    let key = answer["key"].as_str().unwrap();
    assert_eq!(accepts(&keyring.text(), key), Some(("acme-2027".into(), "acme/".into())));

    let expires = answer["replaces"]["expires"].as_str().unwrap();
    let old = format!("\"prefix\": \"acme/\",\n      \"expires\": \"{expires}\"\n");
    assert!(keyring.text().contains(&old), "{}", keyring.text());
    // Rotated again with a longer overlap, it does not live longer.
    keyring.keys(&["rotate", "acme-2026", "--overlap", "70d"]).await;
    assert!(keyring.text().contains(&old) && keyring.text().contains("acme-2028"), "{}", keyring.text());
    // With a shorter one it does not live as long. The names are free to choose.
    keyring.keys(&["rotate", "acme-2026", "--overlap", "0s", "--as", "acme"]).await;
    assert!(!keyring.text().contains(expires) && keyring.text().contains("\"acme\""), "{}", keyring.text());
}

#[tokio::test]
async fn a_list_is_a_table_for_people_and_an_array_for_programs() {
    let keyring = KeyringFile::new(
        &KEYRING
            .replace("01\"}", "01\",\"expires\":\"2026-01-01T01:00:00+01:00\"}")
            .replace("\"acme/\"", "\"acme/\",\"expires\":\"2999-01-01T00:00:00Z\""),
    );
    let (code, list, _) = keyring.keys(&["list", "--json"]).await;
    let list: Value = serde_json::from_str(&list).unwrap();
    let expected = json!([
        { "name": "zeta", "prefix": null, "expires": "2026-01-01T00:00:00Z", "state": "expired" },
        { "name": "acme-2026", "prefix": "acme/", "expires": "2999-01-01T00:00:00Z", "state": "active" },
    ]);
    assert_eq!((code, list), (0, expected));

    keyring.keys(&["add", "soon", "--expires", "10d"]).await;
    let (_, table, _) = keyring.keys(&["list"]).await;
    let lines: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NAME", "PREFIX", "EXPIRES", "STATE"]);
    assert_eq!((lines[1][0], lines[1][1], *lines[1].last().unwrap()), ("zeta", "-", "expired"));
    assert_eq!((lines[3][0], *lines[3].last().unwrap()), ("soon", "expiring"), "{table}");
}

#[tokio::test]
async fn a_check_fails_for_a_fault_and_for_a_key_that_has_expired_or_is_about_to() {
    let keyring = KeyringFile::new(KEYRING);
    keyring.keys(&["add", "soon", "--expires", "10d"]).await;
    for (arguments, expected) in
        [(&["check"][..], 0), (&["check", "--expiring", "5d"], 0), (&["check", "--expiring", "30d"], 1)]
    {
        let (code, _, stderr) = keyring.keys(arguments).await;
        assert_eq!(code, expected, "{arguments:?}: {stderr}");
    }
    keyring.keys(&["rotate", "zeta", "--overlap", "0s"]).await;
    assert_eq!(keyring.keys(&["check"]).await.0, 0);
    let (code, json, stderr) = keyring.keys(&["check", "--expiring", "5d", "--json"]).await;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (code, &json["expiring"][0]["name"], &json["expiring"][0]["state"]),
        (1, &json!("zeta"), &json!("expired"))
    );
    assert!(stderr.starts_with("jobs: zeta expired "), "{stderr}");

    let (code, _, stderr) = KeyringFile::new(&KEYRING.replace("acme/", "acme")).keys(&["check"]).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("keys[1]: prefix is not of the form"), "{stderr}");
}

#[tokio::test]
async fn the_last_moment_of_the_calendar_is_shown_as_it_is_written() {
    let keyring = KeyringFile::new(&KEYRING.replace("01\"}", "01\",\"expires\":\"9999-12-31T23:59:59-05:00\"}"));
    let (code, list, stderr) = keyring.keys(&["list", "--json"]).await;
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(serde_json::from_str::<Value>(&list).unwrap()[0]["expires"], "9999-12-31T23:59:59-05:00");
    for arguments in [&["list"][..], &["check", "--expiring", "30d"], &["revoke", "acme-2026"], &["rotate", "zeta"]] {
        assert_eq!(keyring.keys(arguments).await.0, 0, "{arguments:?}");
    }
}

#[tokio::test]
async fn a_keyring_that_is_too_large_for_the_function_is_not_valid_and_can_shrink() {
    let entry = |number: u32| json!({ "name": format!("{number:064}"), "sha256": format!("{number:064x}") });
    let entries: Vec<_> = (0..56_000).map(entry).collect();
    let keyring = KeyringFile::new(&json!({ "keys": entries }).to_string());
    let size = keyring.text().len();
    assert!(size > 8 * 1024 * 1024, "{size}");
    let (code, _, stderr) = keyring.keys(&["check"]).await;
    assert!(code == 1 && stderr.contains(&format!("is too large: it has {size} bytes")), "{stderr}");
    let (code, _, stderr) = keyring.keys(&["add", "beta"]).await;
    assert!(code == 1 && stderr.contains("nothing was written") && keyring.text().len() == size, "{stderr}");
    let (code, _, stderr) = keyring.keys(&["revoke", &format!("{:064}", 7)]).await;
    assert_eq!(code, 0, "{stderr}");
    assert!((size - 200..size).contains(&keyring.text().len()), "it is not indented, which would make it larger");
}

#[tokio::test]
async fn a_key_is_rotated_among_thousands_of_its_name() {
    let entry = |number: u32| json!({ "name": format!("acme-{number}"), "sha256": format!("{number:064x}") });
    let keyring = KeyringFile::new(&json!({ "keys": (1..=40_000).map(entry).collect::<Vec<_>>() }).to_string());
    let (code, answer, stderr) = keyring.keys(&["rotate", "acme-1", "--json"]).await;
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(serde_json::from_str::<Value>(&answer).unwrap()["name"], "acme-40001");
}

#[tokio::test]
async fn a_key_from_stdin_is_told_by_its_name_even_if_it_has_expired() {
    let keyring = KeyringFile::new(KEYRING);
    let (_, key, _) = keyring.keys(&["add", "beta", "--prefix", "beta/"]).await;
    let (code, told, _) = run_with(keyring.command(&["whose"]), &key).await;
    assert!(code == 0 && told.contains("beta/") && told.contains("active"), "{told}");
    keyring.keys(&["rotate", "beta", "--overlap", "0s"]).await;
    let (code, told, _) = run_with(keyring.command(&["whose", "--json"]), &key).await;
    assert_eq!((code, serde_json::from_str::<Value>(&told).unwrap()["state"].clone()), (0, json!("expired")));

    let mistyped = key.replacen("jobs_", "jobs_0", 1);
    for (presented, expected) in
        [(mistyped.as_str(), "mistyped"), ("somebody-elses", "revoked"), ("", "no key on stdin")]
    {
        let (code, stdout, stderr) = run_with(keyring.command(&["whose"]), presented).await;
        assert!(code != 0 && stdout.is_empty() && stderr.contains(expected), "{stderr}");
        assert!(presented.is_empty() || !stderr.contains(presented.trim()), "{stderr}");
    }
}

#[tokio::test]
async fn an_invalid_keyring_is_never_touched_and_never_written() {
    for verb in [&["add", "beta"][..], &["rotate", "zeta"], &["revoke", "zeta"]] {
        let broken = KEYRING.replace("\"prefix\"", "\"prefx\"");
        let keyring = KeyringFile::new(&broken);
        let (code, stdout, stderr) = keyring.keys(verb).await;
        assert_eq!((code, stdout.as_str(), keyring.text()), (1, "", broken), "{verb:?}: {stderr}");
    }
    let long = "x".repeat(65);
    for (verb, expected) in [
        (&["add", "beta", "--prefix", "../"][..], 2),
        (&["add", long.as_str()], 2),
        (&["add", "zeta"], 1),
        (&["add", "beta", "--expires", "2020-01-01"], 2),
        (&["rotate", "nobody"], 1),
        (&["rotate", "zeta", "--as", "acme-2026"], 1),
        (&["revoke", "nobody"], 1),
    ] {
        let keyring = KeyringFile::new(KEYRING);
        let (code, stdout, stderr) = keyring.keys(verb).await;
        assert_eq!((code, stdout.as_str(), keyring.text().as_str()), (expected, "", KEYRING), "{verb:?}: {stderr}");
    }
}

#[tokio::test]
async fn a_new_keyring_needs_create() {
    let keyring = KeyringFile(tempfile::tempdir().unwrap());
    let (code, _, stderr) = keyring.keys(&["add", "acme"]).await;
    assert!(code == 1 && stderr.contains("--create"), "{stderr}");
    assert_eq!(fs::read_dir(keyring.0.path()).unwrap().count(), 0);
    let (code, key, _) = keyring.keys(&["add", "acme", "--create"]).await;
    assert_eq!((code, accepts(&keyring.text(), key.trim()).unwrap().0.as_str()), (0, "acme"));
}

#[tokio::test]
async fn what_s3_says_of_a_refusal_is_told_in_its_words() {
    let server = FaultS3::start().await;
    server.then([Act::Answer(error_document("403 Forbidden", "AccessDenied", "Access Denied"))]);
    let address = server.url().trim_start_matches("http://").parse().unwrap();
    let (code, _, stderr) = run(jobs(address, &["keys", "list", "--ring", "s3://jobs/keyring.json"])).await;
    let said =
        "jobs: reading s3://jobs/keyring.json: S3 answered 403 AccessDenied: Access Denied\n  the credentials lack";
    assert!(code == 6 && stderr.starts_with(said), "{stderr}");
}

#[tokio::test]
async fn an_s3_without_etags_is_not_written_because_an_update_could_be_lost() {
    let server = FaultS3::start().await;
    let whole = String::from_utf8(object_with("", KEYRING)).unwrap().replace("etag: \"1\"\r\n", "");
    server.always(Act::Answer(whole.into_bytes()));
    let address = server.url().trim_start_matches("http://").parse().unwrap();
    let (code, _, stderr) = run(jobs(address, &["keys", "revoke", "zeta", "--ring", "s3://jobs/keyring.json"])).await;
    assert!(
        code == 1 && stderr.contains("S3 gives no ETag for s3://jobs/keyring.json: nothing was written"),
        "{stderr}"
    );
    assert!(server.take_requests().iter().all(|head| head.starts_with("GET ")));
}

#[tokio::test]
async fn a_byte_order_mark_in_front_of_a_keyring_is_as_if_it_were_not_there() {
    let keyring = KeyringFile::new(&format!("\u{feff}{KEYRING}"));
    let (code, key, stderr) = keyring.keys(&["add", "beta"]).await;
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(accepts(&keyring.text(), key.trim()), Some(("beta".into(), String::new())));

    let keyring = KeyringFile::new(&format!("\u{feff}{KEYRING}"));
    let (code, list, stderr) = keyring.keys(&["list"]).await;
    assert!(code == 0 && list.contains("zeta"), "{stderr}");
    let (code, _, stderr) = keyring.keys(&["check"]).await;
    assert_eq!(code, 0, "{stderr}");
}
