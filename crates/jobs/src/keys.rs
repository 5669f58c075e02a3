//! `jobs keys`: who may ask. The ring is read and judged by the function's own parser.
//!
//! [`store`] is where a ring is and how it is changed without losing what others change,
//! [`document`] its text, [`secret`] a key, [`moment`] an expiry, [`report`] what is shown of it.

mod document;
mod moment;
mod report;
mod secret;
mod store;

use std::{
    io::{self, IsTerminal, Read},
    time::SystemTime,
};

use clap::{Args, Subcommand};
use document::Entry;
use humantime::Duration;
use moment::Expiry;
use report::Report;
use secret::Secret;
use store::Store;

use crate::{failure::Failure, output::remark};

/// Longest key that is read from stdin, in bytes.
const MAX_PRESENTED: u64 = 16 * 1024;

/// Issues, rotates and revokes API keys, and checks the keyring
///
/// Exit codes: 0 done; 1 no: there is no such key or ring, the ring is not valid, a key is about to
/// expire; 2 usage; 6 the ring could not be read or written.
#[derive(Args)]
pub struct Keys {
    /// The keyring: `s3://bucket/key` or a file
    #[arg(long, env = "JOBS_RING", global = true, value_name = "RING")]
    ring: Option<Store>,

    /// Answer in JSON
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Makes a key, prints it once, and puts its digest into the ring
    Add {
        /// What log lines call the key
        name: String,
        /// The key's own folder, such as acme/: it sees no other jobs
        #[arg(long)]
        prefix: Option<String>,
        /// When the key stops working: after a span such as 90d, or at the start of a day (UTC) such as 2027-06-30
        #[arg(long, value_name = "SPAN|DATE")]
        expires: Option<Expiry>,
        /// Make a new ring if there is none
        #[arg(long)]
        create: bool,
    },
    /// Makes a new key with the same prefix, prints it once, and lets the old one expire
    Rotate {
        /// The key to be replaced
        name: String,
        /// How long the old key goes on working
        #[arg(long, default_value = "7d", value_name = "SPAN")]
        overlap: Duration,
        /// Name of the new key; otherwise the old one's, counted up: acme-2027 after acme-2026, acme-2 after acme
        #[arg(long = "as", value_name = "NAME")]
        new_name: Option<String>,
        /// When the new key stops working; otherwise never
        #[arg(long, value_name = "SPAN|DATE")]
        expires: Option<Expiry>,
    },
    /// Takes a key out of the ring
    Revoke {
        /// The key's name
        name: String,
    },
    /// Shows the keys by name, with prefix, expiry and state
    List {
        /// Mark keys that expire within this span
        #[arg(long, default_value = "30d", value_name = "SPAN")]
        expiring: Duration,
    },
    /// Has the function's own parser judge the ring
    Check {
        /// Fail too if a key expires within this span
        #[arg(long, value_name = "SPAN")]
        expiring: Option<Duration>,
    },
    /// Reads a key from stdin and says whose it is
    Whose,
}

/// Does what was asked of the keyring.
pub async fn run(keys: Keys) -> Result<(), Failure> {
    let ring = keys.ring.ok_or_else(|| {
        Failure::usage("which keyring?").advise("give --ring s3://bucket/key or --ring FILE, or set JOBS_RING")
    })?;
    let report = Report { json: keys.json, now: moment::now() };
    match keys.verb {
        Verb::Add { name, prefix, expires, create } => {
            let entry = Entry { name, prefix, expires: at(expires, &report)? };
            add(&ring, &report, entry, create).await
        }
        Verb::Rotate { name, overlap, new_name, expires } => {
            let new = NewKey { name: new_name, expires: at(expires, &report)? };
            rotate(&ring, &report, &name, Expiry::After(*overlap), new).await
        }
        Verb::Revoke { name } => revoke(&ring, &report, &name).await,
        Verb::List { expiring } => report.list(&ring.read().await?.entries(), *expiring),
        Verb::Check { expiring } => report.check(&ring, &ring.read().await?.entries(), expiring.map(|span| *span)),
        Verb::Whose => whose(&ring, &report).await,
    }
}

fn at(expires: Option<Expiry>, report: &Report) -> Result<Option<time::OffsetDateTime>, Failure> {
    let moment =
        expires.map(|expires| expires.moment(report.now).ok_or_else(|| Failure::usage("no key lives so long")));
    match moment.transpose()? {
        Some(moment) if moment <= report.now => {
            Err(Failure::usage("the key would have expired already").advise("give a later --expires"))
        }
        moment => Ok(moment),
    }
}

async fn add(ring: &Store, report: &Report, entry: Entry, create: bool) -> Result<(), Failure> {
    let secret = Secret::generate()?;
    ring.change(create, |document| {
        if is_in(document, &secret) {
            return Ok(None);
        }
        if document.entry(&entry.name).is_some() {
            return Err(Failure::no(format!("{ring} has a key with the name {:?} already", entry.name))
                .advise("choose another name, or replace the key with jobs keys rotate"));
        }
        Ok(Some(document.with(&entry, &secret.sha256())))
    })
    .await?;
    report.issued(&secret, &entry, None)
}

struct NewKey {
    name: Option<String>,
    expires: Option<time::OffsetDateTime>,
}

async fn rotate(ring: &Store, report: &Report, name: &str, overlap: Expiry, new: NewKey) -> Result<(), Failure> {
    let secret = Secret::generate()?;
    let until = overlap.moment(report.now).ok_or_else(|| Failure::usage("no key lives so long"))?;
    let mut issued = None;
    ring.change(false, |document| {
        if is_in(document, &secret) {
            return Ok(None);
        }
        let mut old = document.entry(name).ok_or_else(|| no_such_key(ring, name))?;
        let new_name = new.name.clone().unwrap_or_else(|| next_name(name, |name| document.entry(name).is_some()));
        if document.entry(&new_name).is_some() {
            return Err(Failure::no(format!("{ring} has a key with the name {new_name:?} already"))
                .advise("choose another with --as"));
        }
        let entry = Entry { name: new_name, prefix: old.prefix.clone(), expires: new.expires };
        let text = if old.expires.is_none_or(|expires| expires > until) {
            old.expires = Some(until);
            document.expiring(name, until)
        } else {
            document.text().to_owned() // it expires before
        };
        let text = document::Document::parse(text).map_err(|error| Failure::no(format!("{ring} {error}")))?;
        let text = text.with(&entry, &secret.sha256());
        issued = Some((entry, old));
        Ok(Some(text))
    })
    .await?;
    match issued {
        Some((entry, old)) => report.issued(&secret, &entry, Some(&old)),
        None => Ok(()),
    }
}

async fn revoke(ring: &Store, report: &Report, name: &str) -> Result<(), Failure> {
    let mut tries = 0;
    ring.change(false, |document| {
        tries += 1;
        match document.entry(name) {
            Some(_) => Ok(Some(document.without(name))),
            None if tries > 1 => Ok(None), // written before, though S3's answer was lost
            None => Err(no_such_key(ring, name)),
        }
    })
    .await?;
    report.revoked(name)
}

async fn whose(ring: &Store, report: &Report) -> Result<(), Failure> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        remark("Paste the key, then press Enter and Ctrl-D:");
    }
    let mut presented = String::new();
    stdin.take(MAX_PRESENTED).read_to_string(&mut presented).map_err(|error| {
        Failure::unreachable("reading the key from stdin", &error).advise("send the key alone, as text")
    })?;
    let secret = Secret::presented(presented.trim());
    if secret.expose().is_empty() {
        return Err(Failure::usage("there is no key on stdin").advise("pipe the key in: jobs keys whose < key.txt"));
    }
    let document = ring.read().await?;
    // At the beginning of time no key had expired: this finds expired ones too.
    let Some(key) = document.ring().find(secret.expose().as_bytes(), SystemTime::UNIX_EPOCH) else {
        let failure = Failure::no(format!("{ring} has no such key"));
        return Err(if secret.is_mistyped() {
            failure.advise("it was cut off or mistyped: its checksum is wrong")
        } else {
            failure.advise("it was revoked, or belongs to another ring")
        });
    };
    match document.entry(&key.name) {
        Some(entry) => report.whose(&entry),
        None => Err(no_such_key(ring, &key.name)),
    }
}

/// Whether a write of ours got through although S3's answer did not.
fn is_in(document: &document::Document, secret: &Secret) -> bool {
    document.ring().find(secret.expose().as_bytes(), SystemTime::UNIX_EPOCH).is_some()
}

fn no_such_key(ring: &Store, name: &str) -> Failure {
    Failure::no(format!("{ring} has no key with the name {name:?}")).advise("jobs keys list shows the names")
}

/// The name with the number at its end counted up, or with a 2, whichever is free.
fn next_name(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let stem = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let number = name.get(stem.len()..).and_then(|digits| digits.parse::<u32>().ok()).filter(|_| stem.ends_with('-'));
    let (stem, first) = match number {
        Some(number) => (stem.to_owned(), number.saturating_add(1)),
        None => (format!("{name}-"), 2),
    };
    (first..=u32::MAX).map(|number| format!("{stem}{number}")).find(|name| !is_taken(name)).unwrap_or_default()
}
