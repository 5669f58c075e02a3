//! `jobs keys` by many at once: no update is lost.

use std::fs;

use serde_json::Value;
use tokio::task::JoinSet;

use crate::harness::{S3, run, run_with};

#[tokio::test]
async fn twenty_at_once_leave_twenty_keys_in_s3() {
    leave_their_keys("s3://jobs/config/keyring.json").await;
}

#[tokio::test]
async fn twenty_at_once_leave_twenty_keys_in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    leave_their_keys(directory.path().join("keyring.json").to_str().unwrap()).await;
}

/// Twenty processes make the keyring and add a key each; then half of the keys are revoked while ten
/// more are added.
async fn leave_their_keys(keyring: &str) {
    let s3 = S3::start().await;
    let at_once = async |commands: Vec<Vec<String>>| {
        let mut running = JoinSet::new();
        for arguments in commands {
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            running.spawn(run(s3.jobs(&arguments)));
        }
        let done = running.join_all().await;
        assert!(done.iter().all(|(code, ..)| *code == 0), "{done:?}");
        done.into_iter().map(|(_, key, _)| key).collect::<Vec<_>>()
    };
    let command = |verb: &str, number: u32| -> Vec<String> {
        let create = (verb == "add").then_some("--create");
        let name = format!("key-{number}");
        ["keys", verb, &name, "--ring", keyring].into_iter().chain(create).map(Into::into).collect()
    };
    let keys = at_once((0..20).map(|number| command("add", number)).collect()).await;
    let list = run(s3.jobs(&["keys", "list", "--json", "--ring", keyring])).await.1;
    let names: std::collections::BTreeSet<String> = serde_json::from_str::<Vec<Value>>(&list)
        .unwrap()
        .iter()
        .map(|entry| entry["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, (0..20).map(|number| format!("key-{number}")).collect());
    for key in keys {
        let (code, _, stderr) = run_with(s3.jobs(&["keys", "whose", "--ring", keyring]), &key).await;
        assert_eq!(code, 0, "{stderr}");
    }

    at_once(
        (0..10).map(|number| command("revoke", number)).chain((20..30).map(|number| command("add", number))).collect(),
    )
    .await;
    let list = run(s3.jobs(&["keys", "list", "--json", "--ring", keyring])).await.1;
    let list: Vec<Value> = serde_json::from_str(&list).unwrap();
    assert!(
        list.len() == 20 && list.iter().all(|entry| entry["name"].as_str().unwrap().len() == "key-10".len()),
        "{list:?}"
    );
}

#[tokio::test]
async fn an_invalid_keyring_in_s3_is_not_touched() {
    let s3 = S3::start().await;
    let put = s3.client().put_object().bucket("jobs").key("keyring.json");
    put.body(b"{\"keys\":[{}]}".to_vec().into()).send().await.unwrap();
    let (code, _, stderr) =
        run(s3.jobs(&["keys", "add", "acme", "--create", "--ring", "s3://jobs/keyring.json"])).await;
    assert!(code == 1 && stderr.contains("name is missing"), "{stderr}");
    assert_eq!(fs::read(s3.objects().join("keyring.json")).unwrap(), b"{\"keys\":[{}]}");
}

#[tokio::test]
async fn a_keyring_that_cannot_be_reached_is_6_and_says_what_to_do() {
    let s3 = S3::start().await;
    let mut command = s3.jobs(&["keys", "list", "--ring", "s3://jobs/keyring.json"]);
    command.env("AWS_SECRET_ACCESS_KEY", "wrong-secret");
    let (code, _, stderr) = run(command).await;
    assert!(code == 6 && stderr.contains("log in again") && !stderr.contains("wrong-secret"), "{stderr}");
}
