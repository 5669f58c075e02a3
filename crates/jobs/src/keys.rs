//! `jobs keys`: who may ask. The function's own parser judges the keyring.
//!
//! [`store`] is where a keyring is and how it is changed without losing what others change,
//! [`document`] its text, [`secret`] a key, [`moment`] an expiry, [`report`] what is shown of it.

mod document;
mod moment;
mod report;
mod secret;
mod store;

use std::io::{self, IsTerminal, Read};

use clap::{Args, Subcommand};
use document::Entry;
use humantime::Duration;
use moment::Expiry;
use report::Report;
use secret::Secret;
use store::Store;

use crate::{failure::Failure, input, output::remark, platform};

/// Longest key that is read from stdin, in bytes.
const MAX_PRESENTED: u64 = 16 * 1024;

/// Issues, rotates and revokes API keys, and checks the keyring
///
/// Exit codes: 0 done; 1 no: there is no such key or keyring, the keyring is not valid, a key has
/// expired or soon will; 2 usage; 6 the keyring could not be read or written.
#[derive(Args)]
pub struct Keys {
    /// The keyring: `s3://bucket/key` or a file
    #[arg(long, env = "JOBS_RING", global = true, value_name = "KEYRING")]
    ring: Option<Store>,

    /// Answer in JSON
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Makes a key, prints it once, and puts its digest into the keyring
    Add {
        /// What log lines call the key
        name: String,
        /// The key sees only the jobs below this prefix, such as acme/
        #[arg(long)]
        prefix: Option<String>,
        /// When the key stops working: after a span such as 90d, or at the start of a day (UTC) such as 2027-06-30
        #[arg(long, value_name = "SPAN|DATE")]
        expires: Option<Expiry>,
        /// Make a new keyring if there is none
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
    /// Takes a key out of the keyring
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
    /// Has the function's own parser judge the keyring
    Check {
        /// Fail too if a key has expired, or will within this span
        #[arg(long, value_name = "SPAN")]
        expiring: Option<Duration>,
    },
    /// Reads a key from stdin and says whose it is
    Whose,
}

/// Does what was asked of the keyring.
pub async fn run(keys: Keys) -> Result<(), Failure> {
    let keyring = keys.ring.ok_or_else(|| {
        Failure::usage("which keyring?").advise("give --ring s3://bucket/key or --ring FILE, or set JOBS_RING")
    })?;
    let report = Report { json: keys.json, now: moment::now() };
    match keys.verb {
        Verb::Add { name, prefix, expires, create } => {
            let secret = Secret::generate()?;
            let entry = Entry::new(name, &secret, prefix, at(expires, &report)?);
            add(&keyring, &report, &secret, entry, create).await
        }
        Verb::Rotate { name, overlap, new_name, expires } => {
            let new = NewKey { name: new_name, expires: at(expires, &report)? };
            rotate(&keyring, &report, &name, Expiry::After(*overlap), new).await
        }
        Verb::Revoke { name } => revoke(&keyring, &report, &name).await,
        Verb::List { expiring } => report.list(keyring.read().await?.entries(), *expiring),
        Verb::Check { expiring } => report.check(&keyring, &keyring.read().await?, expiring.map(|span| *span)),
        Verb::Whose => whose(&keyring, &report).await,
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

async fn add(keyring: &Store, report: &Report, secret: &Secret, entry: Entry, create: bool) -> Result<(), Failure> {
    let change = keyring.change(create, |document| {
        if document.find(secret).is_some() {
            return Ok(false); // written before, though S3's answer was lost
        }
        if document.entry(&entry.name).is_some() {
            return Err(Failure::no(format!("{keyring} has a key with the name {:?} already", entry.name))
                .advise("choose another name, or replace the key with jobs keys rotate"));
        }
        document.add(entry.clone());
        Ok(true)
    });
    change.await?;
    report.issued(secret, &entry, None)
}

struct NewKey {
    name: Option<String>,
    expires: Option<time::OffsetDateTime>,
}

async fn rotate(keyring: &Store, report: &Report, name: &str, overlap: Expiry, new: NewKey) -> Result<(), Failure> {
    let secret = Secret::generate()?;
    let until = overlap.moment(report.now).ok_or_else(|| Failure::usage("no key lives so long"))?;
    let mut issued = None;
    let change = keyring.change(false, |document| {
        if document.find(&secret).is_some() {
            return Ok(false); // written before, though S3's answer was lost
        }
        let old = document.entry(name).ok_or_else(|| no_such_key(keyring, name))?;
        if old.expires().is_none_or(|expires| expires > until) {
            old.expire(until);
        }
        let old = old.clone();
        let names = document.names();
        let new_name = new.name.clone().unwrap_or_else(|| next_name(name, |name| names.contains(name)));
        if names.contains(new_name.as_str()) {
            return Err(Failure::no(format!("{keyring} has a key with the name {new_name:?} already"))
                .advise("choose another with --as"));
        }
        let entry = Entry::new(new_name, &secret, old.prefix.clone(), new.expires);
        document.add(entry.clone());
        issued = Some((entry, old));
        Ok(true)
    });
    change.await?;
    match issued {
        Some((entry, old)) => report.issued(&secret, &entry, Some(&old)),
        None => Ok(()),
    }
}

async fn revoke(keyring: &Store, report: &Report, name: &str) -> Result<(), Failure> {
    let mut tries = 0;
    let change = keyring.change(false, |document| {
        tries += 1;
        match document.remove(name) {
            // Written before, though S3's answer was lost.
            false if tries == 1 => Err(no_such_key(keyring, name)),
            removed => Ok(removed),
        }
    });
    change.await?;
    report.revoked(name)
}

async fn whose(keyring: &Store, report: &Report) -> Result<(), Failure> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        remark(format_args!("Paste the key, then press {}:", platform::END_OF_TEXT));
    }
    let mut presented = Vec::new();
    let read = stdin.take(MAX_PRESENTED).read_to_end(&mut presented).and_then(|_| input::text(&presented));
    let presented = read.map_err(|error| {
        Failure::unreachable("reading the key from stdin", &error).advise("send the key alone, as text")
    })?;
    let secret = Secret::presented(presented.trim());
    if secret.expose().is_empty() {
        return Err(Failure::usage("there is no key on stdin").advise("pipe the key in: jobs keys whose < key.txt"));
    }
    match keyring.read().await?.find(&secret) {
        Some(entry) => report.whose(entry),
        None => Err(Failure::no(format!("{keyring} has no such key")).advise(if secret.is_mistyped() {
            "it was cut off or mistyped: its checksum is wrong"
        } else {
            "it was revoked, or belongs to another keyring"
        })),
    }
}

fn no_such_key(keyring: &Store, name: &str) -> Failure {
    Failure::no(format!("{keyring} has no key with the name {name:?}")).advise("jobs keys list shows the names")
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
