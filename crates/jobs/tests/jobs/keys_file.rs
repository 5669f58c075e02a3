//! `jobs keys` and what lies beside a keyring's file: links, locks, and what a killed command leaves.

#[cfg(unix)]
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::harness::{offline, run, run_with};

struct Directory(TempDir);

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The names of the files that are there.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn keys(&self, arguments: &[&str]) -> Command {
        let mut command = offline(&["keys"]);
        command.args(arguments).env("JOBS_RING", self.path("keyring.json"));
        command
    }

    /// A command that has the lock of this keyring, and reads, judges and writes for a while.
    async fn at_work(&self, keyring: &str) -> Child {
        fs::write(self.path("keyring.json"), keyring).unwrap();
        let child = self.keys(&["add", "acme"]).spawn().unwrap();
        while !self.path("keyring.json.lock").exists() {
            tokio::task::yield_now().await;
        }
        child
    }

    fn key_names(&self, file: &str) -> Vec<String> {
        let json: Value = serde_json::from_slice(&fs::read(self.path(file)).unwrap()).unwrap();
        let names = json["keys"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned());
        names.collect()
    }
}

/// A keyring that takes its time.
fn large() -> String {
    let entry = |number: u32| json!({ "name": format!("key-{number}"), "sha256": format!("{number:064x}") });
    json!({ "keys": (0..50_000).map(entry).collect::<Vec<_>>() }).to_string()
}

#[cfg(unix)]
#[tokio::test]
async fn a_keyrings_file_keeps_its_mode_and_its_owner_and_the_links_to_it() {
    let directory = Directory::new();
    fs::write(directory.path("real.json"), "{\"keys\":[]}").unwrap();
    fs::set_permissions(directory.path("real.json"), fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(directory.path("real.json")).unwrap();
    symlink("real.json", directory.path("keyring.json")).unwrap();
    assert_eq!(run(directory.keys(&["add", "acme"])).await.0, 0);
    let after = fs::metadata(directory.path("real.json")).unwrap();
    assert!(directory.path("keyring.json").is_symlink());
    assert_eq!((after.mode() & 0o777, after.uid(), after.gid()), (0o640, before.uid(), before.gid()));
    assert_eq!(directory.key_names("real.json"), ["acme"]);
    assert_eq!(directory.names(), ["keyring.json", "real.json"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_keyring_is_made_where_links_lead_and_nobody_else_may_read_it() {
    let directory = Directory::new();
    fs::create_dir(directory.path("below")).unwrap();
    symlink("second.json", directory.path("keyring.json")).unwrap();
    symlink("below/new.json", directory.path("second.json")).unwrap();
    let (code, _, stderr) = run(directory.keys(&["add", "acme", "--create"])).await;
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(directory.key_names("below/new.json"), ["acme"]);
    assert_eq!(fs::metadata(directory.path("below/new.json")).unwrap().mode() & 0o777, 0o600);
    assert!(directory.path("keyring.json").is_symlink() && directory.path("second.json").is_symlink());

    let round = Directory::new();
    symlink("keyring.json", round.path("keyring.json")).unwrap();
    let (code, _, stderr) = run(round.keys(&["add", "acme", "--create"])).await;
    assert_eq!((code, round.names()), (6, vec!["keyring.json".to_owned()]), "{stderr}");
}

#[tokio::test]
async fn a_keyring_with_the_ends_of_lines_of_windows_is_changed_wherever_it_lies() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("Schlüssel für Привет");
    fs::create_dir(&folder).unwrap();
    let keyring = folder.join("key ring.json");
    fs::write(&keyring, "\u{feff}{\r\n  \"keys\": []\r\n}\r\n").unwrap();
    let mut command = offline(&["keys", "add", "acme"]);
    command.env("JOBS_RING", &keyring);
    let (code, key, stderr) = run(command).await;
    assert_eq!(code, 0, "{stderr}");
    let whose = offline(&["keys", "whose", "--json", "--ring", keyring.to_str().unwrap()]);
    let (code, stdout, stderr) = run_with(whose, &format!("\u{feff}{}\r\n", key.trim())).await;
    assert!(code == 0 && stdout.contains("\"acme\""), "{stdout}{stderr}");
    let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["key ring.json"]);
}

#[tokio::test]
async fn a_held_lock_is_waited_for_with_a_word() {
    let directory = Directory::new();
    fs::write(directory.path("keyring.json"), "{\"keys\":[]}").unwrap();
    let lock = File::create(directory.path("keyring.json.lock")).unwrap();
    lock.lock().unwrap();
    let mut child = directory.keys(&["add", "acme"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut words = BufReader::new(child.stderr.take().unwrap()).lines();
    let word = words.next_line().await.unwrap().unwrap();
    assert!(word.starts_with("waiting for another command, which has locked ") && word.contains(".lock"), "{word}");
    drop(lock);
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    assert_eq!(directory.key_names("keyring.json"), ["acme"]);
    assert_eq!(directory.names(), ["keyring.json"]);
}

/// Linux only: /proc has the flags. NFS gives an exclusive lock only to who may write.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_lock_is_open_for_writing() {
    let directory = Directory::new();
    let child = directory.at_work(&large()).await;
    let process = PathBuf::from(format!("/proc/{}", child.id().unwrap()));
    let opened = fs::read_dir(process.join("fd")).unwrap().map(|entry| entry.unwrap());
    let is_lock = |path: &Path| fs::read_link(path).is_ok_and(|path| path.ends_with("keyring.json.lock"));
    let lock = opened.into_iter().find(|entry| is_lock(&entry.path())).unwrap();
    let info = fs::read_to_string(process.join("fdinfo").join(lock.file_name())).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
    assert_ne!(u32::from_str_radix(flags.trim(), 8).unwrap() & 0o3, 0, "it is open for reading only: {info}");
}

#[tokio::test]
async fn a_killed_command_leaves_nothing_that_the_next_one_does_not_take_away() {
    let directory = Directory::new();
    let large = large();
    let mut child = directory.at_work(&large).await;
    child.kill().await.unwrap();
    assert_eq!(directory.names(), ["keyring.json", "keyring.json.lock"]);
    assert_eq!(fs::read_to_string(directory.path("keyring.json")).unwrap(), large);

    fs::write(directory.path("keyring.json.lock"), "half of a keyring that somebody was about to write").unwrap();
    assert_eq!(run(directory.keys(&["add", "beta"])).await.0, 0);
    assert_eq!(directory.names(), ["keyring.json"]);
    assert_eq!(directory.key_names("keyring.json").last().unwrap(), "beta");
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_in_the_place_of_the_lock_is_refused_and_what_it_leads_to_is_not_touched() {
    let directory = Directory::new();
    fs::write(directory.path("keyring.json"), "{\"keys\":[]}").unwrap();
    fs::write(directory.path("other"), "somebody else's").unwrap();
    symlink("other", directory.path("keyring.json.lock")).unwrap();
    let (code, _, stderr) = run(directory.keys(&["add", "acme"])).await;
    assert!(code == 6 && stderr.contains("keyring.json.lock is a link"), "{stderr}");
    assert_eq!(read(&directory.path("other")), "somebody else's");
}

#[cfg(unix)]
fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}
