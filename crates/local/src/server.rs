//! Start-up: S3, settings, endpoint, front door; and what is printed about them.

use std::{
    fmt::{self, Write as _},
    fs,
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::fs::symlink,
    path::PathBuf,
    sync::Arc,
    time::SystemTime,
};

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_async::time::SharedTimeSource;
use job_status::{Endpoint, S3, Settings, chain};
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::{Options, directory::Files, http, page::Page, s3, samples, watched};

/// Where the S3 server listens unless it is told.
const S3_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9001);

/// The bucket in the S3 server.
pub const BUCKET: &str = "jobs";

/// The endpoint, ready to serve.
pub struct Server {
    listener: TcpListener,
    endpoint: Arc<Endpoint>,
    url: String,
    api_key: String,
    jobs: Jobs,
    /// Root of the S3 server, removed when the server goes.
    _root: Option<TempDir>,
}

enum Jobs {
    Samples { s3: String, directory: PathBuf },
    Directory { s3: String, directory: PathBuf, files: Files },
    Bucket(String),
}

/// Why the server can't be started, in words for the person at the keyboard.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port is taken.
    #[error("{address} is in use already: choose another with {option}")]
    InUse {
        /// Where it was to listen.
        address: SocketAddr,
        /// The option that changes it.
        option: &'static str,
    },
    /// Something else that the system refuses.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        error: io::Error,
    },
    /// The library refuses.
    #[error("{}", chain(&**.0))]
    Endpoint(Box<dyn std::error::Error + Send + Sync>),
}

impl Server {
    /// Starts the S3 server and the endpoint, and listens; [`run`](Self::run) then serves.
    ///
    /// # Errors
    /// [`StartError`]
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
        let listener = TcpListener::bind(address).await.map_err(|error| listening(address, "--port", error))?;
        let url = listener.local_addr().map_err(|error| system("listening", error))?;

        let (jobs, root) = match options.bucket {
            Some(bucket) => (Jobs::Bucket(bucket), None),
            None => serve_s3(options.jobs, options.s3_listen).await.map(|(jobs, root)| (jobs, Some(root)))?,
        };
        let endpoint = endpoint(&jobs, &options.prefix, &options.api_key).await.map_err(StartError::Endpoint)?;
        Ok(Self {
            listener,
            endpoint: Arc::new(endpoint),
            url: format!("http://{url}"),
            api_key: options.api_key,
            jobs,
            _root: root,
        })
    }

    /// The endpoint's base URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Serves until `stop` is ready. Among the samples there is then a job that lives.
    ///
    /// # Errors
    /// Connections can't be accepted any more.
    pub async fn run(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let serving = http::listen(self.listener, self.endpoint, Page::new(&self.api_key), stop);
        let Jobs::Samples { directory, .. } = &self.jobs else { return serving.await };
        tokio::select! {
            served = serving => served,
            never = watched::work(directory) => match never {},
        }
    }
}

async fn serve_s3(own: Option<PathBuf>, listen: Option<SocketAddr>) -> Result<(Jobs, TempDir), StartError> {
    let root = tempfile::tempdir().map_err(|error| system("making a temporary directory", error))?;
    let bucket = root.path().join(BUCKET);
    let directory = if let Some(directory) = &own {
        let directory = directory.canonicalize().map_err(|error| system("finding the jobs' directory", error))?;
        symlink(&directory, &bucket).map_err(|error| system("linking the jobs' directory", error))?;
        directory
    } else {
        fs::create_dir(&bucket)
            .and_then(|()| samples::write(&bucket, SystemTime::now()))
            .map_err(|error| system("writing the sample jobs", error))?;
        bucket
    };
    let wanted = listen.unwrap_or(S3_LISTEN);
    let address = match s3::start(root.path(), wanted).await {
        Err(error) if listen.is_none() && error.kind() == io::ErrorKind::AddrInUse => {
            s3::start(root.path(), (Ipv4Addr::LOCALHOST, 0).into()).await
        }
        result => result,
    };
    let address = address.map_err(|error| listening(wanted, "--s3-listen", error))?;
    let s3 = format!("http://{address}");
    let jobs = if own.is_some() {
        let files = Files::of(&directory);
        Jobs::Directory { s3, directory, files }
    } else {
        Jobs::Samples { s3, directory }
    };
    Ok((jobs, root))
}

async fn endpoint(
    jobs: &Jobs,
    prefix: &str,
    api_key: &str,
) -> Result<Endpoint, Box<dyn std::error::Error + Send + Sync>> {
    let sha256 = Sha256::digest(api_key).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let keys = json!({ "keys": [{ "name": "local", "sha256": sha256 }] }).to_string();
    let settings = Settings::from_variables(|name| match (name, jobs) {
        ("API_KEYS", _) => Some(keys.clone()),
        ("JOBS_PREFIX", _) => Some(prefix.into()),
        ("JOBS_BUCKET", Jobs::Bucket(bucket)) => Some(bucket.clone()),
        (name, Jobs::Bucket(_)) => std::env::var(name).ok(),
        ("JOBS_BUCKET", _) => Some(BUCKET.into()),
        ("AWS_REGION", _) => Some("us-east-1".into()),
        ("AWS_ENDPOINT_URL_S3", Jobs::Samples { s3, .. } | Jobs::Directory { s3, .. }) => Some(s3.clone()),
        _ => None,
    })?;
    let credentials = match jobs {
        Jobs::Bucket(_) => SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()),
        _ => SharedCredentialsProvider::new(Credentials::new(s3::ACCESS_KEY, s3::SECRET_KEY, None, None, "local")),
    };
    let (roots, clock) = (Arc::clone(&settings.trust_store.roots), SharedTimeSource::default());
    let s3 = S3::new(roots, settings.concurrency.get(), credentials, clock.clone())?;
    Ok(Endpoint::start(settings, s3, clock).await?)
}

fn listening(address: SocketAddr, option: &'static str, error: io::Error) -> StartError {
    if error.kind() == io::ErrorKind::AddrInUse {
        StartError::InUse { address, option }
    } else {
        system(format!("listening on {address} ({option})"), error)
    }
}

fn system(what: impl Into<String>, error: io::Error) -> StartError {
    StartError::System { what: what.into(), error }
}

/// What is running, and commands to try it with.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, api_key, .. } = self;
        let key = format!("-H {}", quoted(&format!("x-api-key: {api_key}")));
        let ask = |job_id: &str, key: &str| {
            format!("curl -i {url}/v1/toolkit/job/status {key} -d '{{\"job_id\":\"{job_id}\"}}'")
        };
        writeln!(f, "The job-status endpoint is running at {url}")?;
        writeln!(f, "  page      {url}/  (reference; try it in a browser)")?;
        match &self.jobs {
            Jobs::Samples { s3, directory } => {
                writeln!(f, "  S3        {s3}, bucket {BUCKET}")?;
                writeln!(f, "  samples   {}  (edit one and poll again)", directory.display())?;
            }
            Jobs::Directory { s3, directory, files } => {
                writeln!(f, "  S3        {s3}, bucket {BUCKET}")?;
                writeln!(f, "  jobs      {}", directory.display())?;
                for name in &files.capital {
                    writeln!(f, "  warning   {name} is not served: a status file is named in lower case")?;
                }
            }
            Jobs::Bucket(bucket) => writeln!(f, "  bucket    {bucket}")?,
        }
        writeln!(f, "  API key   {api_key}\n  stop      Ctrl-C\n")?;
        if let Jobs::Samples { .. } = &self.jobs {
            writeln!(f, "# a job that lives: watch it to its end")?;
            writeln!(f, "JOBS_API_KEY={} cargo jobs wait --url {url} {}", quoted(api_key), watched::WATCHED)?;
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
            let query = format!("job_id={}", samples::DONE);
            writeln!(f, "# the same by GET: 304 with if-none-match, if nothing is new")?;
            writeln!(f, "curl -i '{url}/v1/toolkit/job/status?{query}' {key} -H 'if-none-match: *'")?;
            writeln!(f, "# a large transcript, compressed on the way\n{} --compressed", ask(samples::LARGE, &key))?;
        } else {
            let known = match &self.jobs {
                Jobs::Directory { files, .. } => files.newest.as_deref(),
                _ => None,
            };
            writeln!(f, "# a job\n{}", ask(known.unwrap_or("<job_id>"), &key))?;
        }
        writeln!(f, "# no key: 401\n{}", ask(samples::DONE, "").replace("  ", " "))?;
        writeln!(f, "# not a UUID: 400\n{}", ask("42", &key))?;
        writeln!(f, "# neither GET nor POST: 405\ncurl -i -X PUT {url}/v1/toolkit/job/status")?;
        writeln!(f, "# no such path: 404\ncurl -i -X POST {url}/status")
    }
}

/// A shell word that says `text`.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
