//! What every verb has in common.

use std::{fs, io, path::Path};

use crate::harness::{offline, run};

#[tokio::test]
async fn a_word_that_is_no_verb_is_a_usage_error() {
    for arguments in [&[][..], &["key"], &["keys", "add", "--ring", "r.json"], &["keys", "list"], &["publish", "."]] {
        let (code, stdout, stderr) = run(offline(arguments)).await;
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
        assert!(!stderr.is_empty());
    }
}

#[tokio::test]
async fn the_help_fits_a_screen() {
    for flag in ["-h", "--help"] {
        let mut command = offline(&[flag]);
        command.env("COLUMNS", "80");
        let (_, help, _) = run(command).await;
        assert!(help.lines().count() < 24 && help.lines().all(|line| line.chars().count() <= 80), "{help}");
    }
}

#[tokio::test]
async fn completions_and_the_man_pages_are_made_of_the_parser() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let (code, script, _) = run(offline(&["completions", shell])).await;
        assert!(code == 0 && script.contains("rotate"), "{shell}");
    }
    let (code, page, _) = run(offline(&["man"])).await;
    assert!(code == 0 && page.contains(".TH jobs 1"), "{page}");

    let directory = tempfile::tempdir().unwrap();
    let (code, ..) = run(offline(&["man", "--dir", directory.path().to_str().unwrap()])).await;
    assert_eq!(code, 0);
    for page in ["jobs.1", "jobs-keys.1", "jobs-keys-rotate.1", "jobs-publish.1"] {
        assert!(directory.path().join(page).exists(), "{page}");
    }
}

#[tokio::test]
async fn colours_are_for_terminals() {
    let (_, stdout, stderr) = run(offline(&["keys", "list", "--ring", "/nowhere/ring.json"])).await;
    assert!(!stdout.contains('\x1b') && !stderr.contains('\x1b'), "{stderr}");
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_failure() {
    let directory = tempfile::tempdir().unwrap();
    let keyring = directory.path().join("keyring.json");
    fs::write(&keyring, format!(r#"{{"keys":[{{"name":"acme","sha256":"{:064}"}}]}}"#, 1)).unwrap();
    for arguments in [&["completions", "bash"][..], &["man"], &["keys", "list"], &["keys", "check", "--json"]] {
        assert_eq!(read_by_nobody(arguments, &keyring).await, (Some(0), String::new()), "{arguments:?}");
    }
    // But a key that nobody has seen is one to revoke.
    let (code, stderr) = read_by_nobody(&["keys", "add", "beta"], &keyring).await;
    assert!(code == Some(6) && stderr.contains("jobs keys revoke 'beta'"), "{stderr}");
}

/// Runs the program with a pipe as stdout whose other end is closed; its exit code and stderr.
async fn read_by_nobody(arguments: &[&str], keyring: &Path) -> (Option<i32>, String) {
    let mut command = offline(arguments);
    command.env("JOBS_RING", keyring).stdout(io::pipe().unwrap().1);
    let output = command.spawn().unwrap().wait_with_output().await.unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}
