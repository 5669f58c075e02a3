//! What is printed at the start.

use std::{fmt, net::SocketAddr};

use crate::{
    changing,
    options::DEMO_KEY,
    platform::{CURL, ask, quoted, with_api_key},
    s3::Account,
    samples,
    server::{BUCKET, Jobs, S3, Server, StatusFiles},
};

/// What is running, and commands to try it with.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, api_key, .. } = self;
        let key = format!("-H {}", quoted(&format!("x-api-key: {api_key}")));
        let ask = |job_id: &str, key: &str| ask(&format!("{url}/v1/toolkit/job/status"), job_id, key);
        writeln!(f, "The job-status endpoint is running at {url}")?;
        writeln!(f, "  page      {url}/  (reference; try it in a browser)")?;
        if let Some(address) = beyond_this_machine(self.listen) {
            let known = if api_key == DEMO_KEY { "; everybody knows this one (--api-key)" } else { "" };
            writeln!(f, "  warning   whoever reaches {address} can ask the endpoint, if they have the API key{known}")?;
        }
        match &self.jobs {
            Jobs::Near(s3) => write!(f, "{s3}")?,
            Jobs::Bucket(bucket) => writeln!(f, "  bucket    {bucket}")?,
        }
        writeln!(f, "  API key   {api_key}\n  stop      Ctrl-C\n")?;
        let files = match &self.jobs {
            Jobs::Near(s3) => Some(&s3.files),
            Jobs::Bucket(_) => None,
        };
        if let Some(StatusFiles::Samples(_)) = files {
            writeln!(f, "# a sample that changes: watch it to its end")?;
            let wait = format!("cargo jobs wait --url {url} {}", changing::CHANGING);
            writeln!(f, "{}", with_api_key(api_key, &wait))?;
            for (what, job_id) in [
                ("done", samples::DONE),
                ("running: ask again after retry-after seconds", samples::RUNNING),
                ("queued", samples::QUEUED),
                ("submitted", samples::SUBMITTED),
                ("failed: a job that went wrong", samples::FAILED),
                ("no such job: 404", samples::UNKNOWN),
            ] {
                writeln!(f, "# {what}\n{}", ask(job_id, &key))?;
            }
            let get = quoted(&format!("{url}/v1/toolkit/job/status?job_id={}", samples::DONE));
            let unchanged = quoted("if-none-match: *");
            writeln!(f, "# the same by GET: 304 with if-none-match, if nothing is new")?;
            writeln!(f, "{CURL} -i {get} {key} -H {unchanged}")?;
            writeln!(f, "# a large transcript, compressed on the way\n{} --compressed", ask(samples::LARGE, &key))?;
        } else {
            let newest = match files {
                Some(StatusFiles::Own(_, files)) => files.newest.as_deref(),
                _ => None,
            };
            writeln!(f, "# a job\n{}", ask(newest.unwrap_or("<job_id>"), &key))?;
        }
        writeln!(f, "# no key: 401\n{}", ask(samples::DONE, "").replace("  ", " "))?;
        writeln!(f, "# not a UUID: 400\n{}", ask("42", &key))?;
        writeln!(f, "# neither GET nor POST: 405\n{CURL} -i -X PUT {url}/v1/toolkit/job/status")?;
        writeln!(f, "# no such path: 404\n{CURL} -i -X POST {url}/status")
    }
}

/// The S3 server, and who may ask it.
impl fmt::Display for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = |Account { access_key, secret_key, .. }: &Account| {
            format!("AWS_ACCESS_KEY_ID={access_key} AWS_SECRET_ACCESS_KEY={secret_key}")
        };
        writeln!(f, "  S3        {}, bucket {BUCKET}", self.url)?;
        writeln!(f, "  S3 keys   {}", keys(&self.account))?;
        if let Some(known) = &self.known {
            let (can, what) = if known.writes {
                ("can read and write", "read and write the samples")
            } else {
                ("can only read", "read your status files")
            };
            writeln!(f, "            {}  (for sam local: they {can})", keys(known))?;
            if let Some(address) = beyond_this_machine(self.listen) {
                writeln!(f, "  warning   whoever reaches {address} can {what}: those keys are no secret")?;
            }
        }
        match &self.files {
            StatusFiles::Samples(directory) => {
                writeln!(f, "  samples   {}  (edit one and poll again)", directory.display())
            }
            StatusFiles::Own(directory, files) => {
                writeln!(f, "  jobs      {}", directory.display())?;
                for name in &files.capital {
                    writeln!(f, "  warning   {name} is not served: a status file is named in lower case")?;
                }
                Ok(())
            }
        }
    }
}

/// The address, if others than this machine reach it.
fn beyond_this_machine(listen: Option<SocketAddr>) -> Option<SocketAddr> {
    listen.filter(|address| !address.ip().is_loopback())
}
