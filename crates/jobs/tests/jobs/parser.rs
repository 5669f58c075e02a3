//! What every verb has in common.

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
