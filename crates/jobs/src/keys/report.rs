//! What `jobs keys` says: results on stdout, for people or as JSON; remarks on stderr.

use std::{io::Write, time::Duration};

use anstyle::{AnsiColor, Style};
use comfy_table::{Table, presets::NOTHING};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    failure::Failure,
    keys::{
        document::{Document, Entry, is_too_large},
        moment,
        secret::Secret,
        store::Store,
    },
    output::{printed, remark},
};

/// How to answer.
pub struct Report {
    pub json: bool,
    pub now: OffsetDateTime,
}

/// Keys that expire within this span are shown as expiring unless another is asked for.
const SOON: Duration = Duration::from_hours(30 * 24);

#[derive(Clone, Copy, PartialEq)]
enum State {
    Active,
    Expiring,
    Expired,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expiring => "expiring",
            Self::Expired => "expired",
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Active => Style::new(),
            Self::Expiring => AnsiColor::Yellow.on_default(),
            Self::Expired => AnsiColor::Red.on_default(),
        }
    }
}

impl Report {
    /// The new key, this once.
    pub fn issued(&self, secret: &Secret, entry: &Entry, replaced: Option<&Entry>) -> Result<(), Failure> {
        let result = if self.json {
            let mut result = json!({
                "key": secret.expose(), "name": entry.name, "prefix": entry.prefix,
                "expires": entry.expires().map(moment::text),
            });
            if let (Some(old), Some(members)) = (replaced, result.as_object_mut()) {
                let old = json!({ "name": old.name, "expires": old.expires().map(moment::text) });
                members.insert("replaces".into(), old);
            }
            result.to_string()
        } else {
            secret.expose().to_owned()
        };
        // A key that nobody has seen is a failure even if nobody wanted to.
        writeln!(anstream::stdout(), "{result}").map_err(|error| {
            Failure::printing(error)
                .advise(format!("nobody has seen the key: jobs keys revoke '{}', then make another", entry.name))
        })?;
        let expiry = entry.expires().map_or("never expires".into(), |moment| format!("expires {}", self.date(moment)));
        remark(format_args!("This is the only time that the key is shown. {} {expiry}.", entry.name));
        if let Some((old, expires)) = replaced.and_then(|old| Some((old, old.expires()?))) {
            remark(format_args!("{} expires {}.", old.name, self.date(expires)));
        }
        Ok(())
    }

    pub fn revoked(&self, name: &str) -> Result<(), Failure> {
        if self.json {
            print(&json!({ "name": name }).to_string())?;
        }
        remark(format_args!(
            "{name} is out of the keyring. Functions that read it from S3 refuse the key within 60 seconds."
        ));
        Ok(())
    }

    pub fn list(&self, entries: &[Entry], soon: Duration) -> Result<(), Failure> {
        if self.json {
            return print(&entries.iter().map(|entry| self.json(entry, soon)).collect::<Value>().to_string());
        }
        let mut table = Table::new();
        table.load_style(NOTHING).set_header(["NAME", "PREFIX", "EXPIRES", "STATE"]);
        for entry in entries {
            let expires = entry.expires().map_or("never".into(), |expires| self.date(expires));
            let prefix = entry.prefix.as_deref().unwrap_or("-");
            table.add_row([entry.name.as_str(), prefix, &expires, self.state(entry, soon).name()]);
        }
        let styles =
            [Style::new().bold()].into_iter().chain(entries.iter().map(|entry| self.state(entry, soon).style()));
        for (line, style) in table.lines().zip(styles) {
            print(&format!("{style}{}{style:#}", line.trim()))?;
        }
        Ok(())
    }

    /// What there is to say about a valid keyring.
    pub fn check(&self, keyring: &Store, document: &Document, soon: Option<Duration>) -> Result<(), Failure> {
        if is_too_large(document.size()) {
            return Err(keyring.too_large(document.size()).advise("revoke expired keys"));
        }
        let entries = document.entries();
        let expiring: Vec<_> =
            entries.iter().filter(|entry| soon.is_some_and(|soon| self.state(entry, soon) != State::Active)).collect();
        if self.json {
            let expiring: Vec<_> = expiring.iter().map(|entry| self.json(entry, soon.unwrap_or(SOON))).collect();
            print(&json!({ "keys": entries.len(), "expiring": expiring }).to_string())?;
        } else {
            print(&format!("{keyring} is a valid keyring of {} keys", entries.len()))?;
        }
        if entries.is_empty() {
            remark("It accepts nobody.");
        }
        if expiring.is_empty() {
            return Ok(());
        }
        let named = |entry: &&Entry| {
            let expires = entry.expires();
            let verb = if expires.is_some_and(|expires| expires <= self.now) { "expired" } else { "expires" };
            format!("{} {verb} {}", entry.name, expires.map(|expires| self.date(expires)).unwrap_or_default())
        };
        Err(Failure::no(expiring.iter().map(named).collect::<Vec<_>>().join(", ")).advise(
            "give its owner another in time: jobs keys rotate NAME; take out what has expired: jobs keys revoke NAME",
        ))
    }

    pub fn whose(&self, entry: &Entry) -> Result<(), Failure> {
        if self.json {
            print(&self.json(entry, SOON).to_string())
        } else {
            self.list(std::slice::from_ref(entry), SOON)
        }
    }

    fn state(&self, entry: &Entry, soon: Duration) -> State {
        match entry.expires().map(|expires| expires - self.now) {
            Some(left) if left <= time::Duration::ZERO => State::Expired,
            Some(left) if left <= soon => State::Expiring,
            _ => State::Active,
        }
    }

    fn json(&self, entry: &Entry, soon: Duration) -> Value {
        json!({
            "name": entry.name, "prefix": entry.prefix, "expires": entry.expires().map(moment::text),
            "state": self.state(entry, soon).name(),
        })
    }

    fn date(&self, moment: OffsetDateTime) -> String {
        format!("{} ({})", moment::text(moment), moment::distance(moment, self.now))
    }
}

fn print(line: &str) -> Result<(), Failure> {
    printed(writeln!(anstream::stdout(), "{line}"))
}
