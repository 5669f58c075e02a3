//! `jobs keys`, one command after the other.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    time::SystemTime,
};

use job_status::Keyring;
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::fault_s3::{Act, FaultS3, error_document};

use crate::harness::{jobs, offline, run, run_with};

/// A directory with a ring in somebody's own layout.
struct Ring(TempDir);

const RING: &str = r#"{ "keys" : [
	{"name":"zeta",   "sha256":"0000000000000000000000000000000000000000000000000000000000000001"},
	{"sha256":"0000000000000000000000000000000000000000000000000000000000000002",
	 "name":"acme-2026", "prefix":"acme/"}
] }"#;

impl Ring {
    fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("ring.json"), text).unwrap();
        Self(directory)
    }

    fn text(&self) -> String {
        fs::read_to_string(self.0.path().join("ring.json")).unwrap()
    }

    async fn keys(&self, arguments: &[&str]) -> (i32, String, String) {
        run(self.command(arguments)).await
    }

    fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = offline(&["keys"]);
        command.args(arguments).env("JOBS_RING", self.0.path().join("ring.json"));
        command
    }
}

fn accepts(ring: &str, key: &str) -> Option<(String, String)> {
    let ring = Keyring::parse(ring.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    ring.find(key.as_bytes(), SystemTime::now()).map(|key| (key.name.to_string(), key.prefix.to_string()))
}

#[tokio::test]
async fn a_new_key_is_printed_once_and_the_function_accepts_it() {
    let ring = Ring::new(RING);
    let (code, key, remarks) = ring.keys(&["add", "beta", "--prefix", "beta/", "--expires", "90d"]).await;
    let key = key.trim();
    assert_eq!((code, key.len()), (0, 54), "{remarks}");
    assert!(key.strip_prefix("jobs_").unwrap().bytes().all(|byte| byte.is_ascii_alphanumeric()), "{key}");
    assert_eq!(accepts(&ring.text(), key), Some(("beta".into(), "beta/".into())));
    assert!(!ring.text().contains(key) && !remarks.contains(key));
}

#[tokio::test]
async fn what_a_change_is_not_about_keeps_every_byte() {
    let ring = Ring::new(RING);
    ring.keys(&["add", "beta", "--expires", "2099-06-30"]).await;
    let added = ring.text();
    let (before, after) = RING.split_at(RING.len() - "\n] }".len());
    let entry = added.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).unwrap();
    assert!(entry.starts_with(",\n\t{ \"name\": \"beta\", \"sha256\": \""), "{entry}");
    assert!(entry.ends_with("\", \"expires\": \"2099-06-30T00:00:00Z\" }"), "{entry}");

    ring.keys(&["revoke", "beta"]).await;
    assert_eq!(ring.text(), RING);
    ring.keys(&["revoke", "zeta"]).await;
    assert_eq!(
        ring.text(),
        RING.replace(&RING[RING.find("{\"name\":\"zeta").unwrap()..RING.find("{\"sha256").unwrap()], "")
    );
    ring.keys(&["revoke", "acme-2026"]).await;
    assert_eq!(ring.text(), r#"{ "keys" : [] }"#);
}

#[tokio::test]
async fn a_rotated_key_has_the_prefix_of_the_old_one_which_expires() {
    let ring = Ring::new(RING);
    let (code, answer, _) = ring.keys(&["rotate", "acme-2026", "--overlap", "7d", "--json"]).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((code, &answer["name"], &answer["prefix"]), (0, &json!("acme-2027"), &json!("acme/")));
    assert_eq!(answer["replaces"]["name"], "acme-2026");
    let key = answer["key"].as_str().unwrap();
    assert_eq!(accepts(&ring.text(), key), Some(("acme-2027".into(), "acme/".into())));

    let expires = answer["replaces"]["expires"].as_str().unwrap();
    let old = format!("\"prefix\":\"acme/\", \"expires\": \"{expires}\"}}");
    assert!(ring.text().contains(&old), "{}", ring.text());
    // Rotated again with a longer overlap, it does not live longer.
    ring.keys(&["rotate", "acme-2026", "--overlap", "70d"]).await;
    assert!(ring.text().contains(&old) && ring.text().contains("acme-2028"), "{}", ring.text());
    // With a shorter one it does not live as long. The names are free to choose.
    ring.keys(&["rotate", "acme-2026", "--overlap", "0s", "--as", "acme"]).await;
    assert!(!ring.text().contains(expires) && ring.text().contains("\"acme\""), "{}", ring.text());
}

#[tokio::test]
async fn a_list_is_a_table_for_people_and_an_array_for_programs() {
    let ring = Ring::new(
        &RING
            .replace("01\"}", "01\",\"expires\":\"2026-01-01T01:00:00+01:00\"}")
            .replace("\"acme/\"", "\"acme/\",\"expires\":\"2999-01-01T00:00:00Z\""),
    );
    let (code, list, _) = ring.keys(&["list", "--json"]).await;
    let list: Value = serde_json::from_str(&list).unwrap();
    let expected = json!([
        { "name": "zeta", "prefix": null, "expires": "2026-01-01T00:00:00Z", "state": "expired" },
        { "name": "acme-2026", "prefix": "acme/", "expires": "2999-01-01T00:00:00Z", "state": "active" },
    ]);
    assert_eq!((code, list), (0, expected));

    ring.keys(&["add", "soon", "--expires", "10d"]).await;
    let (_, table, _) = ring.keys(&["list"]).await;
    let lines: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NAME", "PREFIX", "EXPIRES", "STATE"]);
    assert_eq!((lines[1][0], lines[1][1], *lines[1].last().unwrap()), ("zeta", "-", "expired"));
    assert_eq!((lines[3][0], *lines[3].last().unwrap()), ("soon", "expiring"), "{table}");
}

#[tokio::test]
async fn a_check_fails_for_a_fault_and_for_a_key_about_to_expire() {
    let ring = Ring::new(RING);
    ring.keys(&["add", "soon", "--expires", "10d"]).await;
    for (arguments, expected) in
        [(&["check"][..], 0), (&["check", "--expiring", "5d"], 0), (&["check", "--expiring", "30d"], 1)]
    {
        let (code, _, stderr) = ring.keys(arguments).await;
        assert_eq!(code, expected, "{arguments:?}: {stderr}");
    }
    let (code, _, stderr) = Ring::new(&RING.replace("acme/", "acme")).keys(&["check"]).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("keys[1]: prefix is not a folder"), "{stderr}");
}

#[tokio::test]
async fn a_key_from_stdin_is_told_by_its_name_even_if_it_has_expired() {
    let ring = Ring::new(RING);
    let (_, key, _) = ring.keys(&["add", "beta", "--prefix", "beta/"]).await;
    let (code, told, _) = run_with(ring.command(&["whose"]), &key).await;
    assert!(code == 0 && told.contains("beta/") && told.contains("active"), "{told}");
    ring.keys(&["rotate", "beta", "--overlap", "0s"]).await;
    let (code, told, _) = run_with(ring.command(&["whose", "--json"]), &key).await;
    assert_eq!((code, serde_json::from_str::<Value>(&told).unwrap()["state"].clone()), (0, json!("expired")));

    let mistyped = key.replacen("jobs_", "jobs_0", 1);
    for (presented, expected) in
        [(mistyped.as_str(), "mistyped"), ("somebody-elses", "revoked"), ("", "no key on stdin")]
    {
        let (code, stdout, stderr) = run_with(ring.command(&["whose"]), presented).await;
        assert!(code != 0 && stdout.is_empty() && stderr.contains(expected), "{stderr}");
        assert!(presented.is_empty() || !stderr.contains(presented.trim()), "{stderr}");
    }
}

#[tokio::test]
async fn an_invalid_ring_is_never_touched_and_never_written() {
    for verb in [&["add", "beta"][..], &["rotate", "zeta"], &["revoke", "zeta"]] {
        let broken = RING.replace("\"prefix\"", "\"prefx\"");
        let ring = Ring::new(&broken);
        let (code, stdout, stderr) = ring.keys(verb).await;
        assert_eq!((code, stdout.as_str(), ring.text()), (1, "", broken), "{verb:?}: {stderr}");
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
        let ring = Ring::new(RING);
        let (code, stdout, stderr) = ring.keys(verb).await;
        assert_eq!((code, stdout.as_str(), ring.text().as_str()), (expected, "", RING), "{verb:?}: {stderr}");
    }
}

#[tokio::test]
async fn a_new_ring_needs_create() {
    let ring = Ring(tempfile::tempdir().unwrap());
    let (code, _, stderr) = ring.keys(&["add", "acme"]).await;
    assert!(code == 1 && stderr.contains("--create"), "{stderr}");
    assert_eq!(fs::read_dir(ring.0.path()).unwrap().count(), 0);
    let (code, key, _) = ring.keys(&["add", "acme", "--create"]).await;
    assert_eq!((code, accepts(&ring.text(), key.trim()).unwrap().0.as_str()), (0, "acme"));
}

#[tokio::test]
async fn a_rings_file_keeps_its_mode_and_the_links_to_it() {
    let ring = Ring::new(RING);
    let path = |name: &str| ring.0.path().join(name);
    fs::rename(path("ring.json"), path("real.json")).unwrap();
    fs::set_permissions(path("real.json"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real.json", path("ring.json")).unwrap();
    ring.keys(&["revoke", "zeta"]).await;
    assert!(path("ring.json").is_symlink());
    assert_eq!(fs::metadata(path("real.json")).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(!fs::read_to_string(path("real.json")).unwrap().contains("zeta"));
    assert_eq!(names(ring.0.path()), ["real.json", "ring.json"]);
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_s3_says_of_a_refusal_is_told_in_its_words() {
    let server = FaultS3::start().await;
    server.then([Act::Answer(error_document("403 Forbidden", "AccessDenied", "Access Denied"))]);
    let address = server.url().trim_start_matches("http://").parse().unwrap();
    let (code, _, stderr) = run(jobs(address, &["keys", "list", "--ring", "s3://jobs/ring.json"])).await;
    let said = "jobs: reading s3://jobs/ring.json: S3 answered 403 AccessDenied: Access Denied\n  the credentials lack";
    assert!(code == 6 && stderr.starts_with(said), "{stderr}");
}
