//! Start-up: S3, settings, endpoint, gateway.

use std::{
    fmt::Write as _,
    fs,
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::SystemTime,
};

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::time::SharedTimeSource;
use job_status::{Endpoint, Settings, chain};
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::{
    Options, changing,
    directory::Files,
    hosts::Hosts,
    http,
    page::Page,
    platform,
    s3::{self, Account},
    samples,
};

/// Where the S3 server listens unless it is told.
const S3_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9001);

/// The bucket in the S3 server.
pub const BUCKET: &str = "jobs";

/// The endpoint, ready to serve.
pub struct Server {
    listener: TcpListener,
    pub(crate) listen: Option<SocketAddr>,
    endpoint: Arc<Endpoint>,
    pub(crate) url: String,
    pub(crate) api_key: String,
    pub(crate) jobs: Jobs,
}

/// Where the status files come from.
pub(crate) enum Jobs {
    Near(Box<S3>),
    Bucket(String),
}

/// The S3 server in this process, which serves.
pub(crate) struct S3 {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) url: String,
    /// Who may do everything.
    pub(crate) account: Account,
    /// Whose secret is no secret.
    pub(crate) known: Option<Account>,
    pub(crate) files: StatusFiles,
    serving: JoinHandle<io::Result<()>>,
    /// It stops when this goes.
    stop: oneshot::Sender<()>,
    /// Its root, removed when the server goes.
    root: TempDir,
}

/// What is in the bucket.
pub(crate) enum StatusFiles {
    Samples(PathBuf),
    Own(PathBuf, Files),
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
        let address = options.listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, options.port)));
        let option = if options.listen.is_some() { "--listen" } else { "--port" };
        let listener = TcpListener::bind(address).await.map_err(|error| listening(address, option, error))?;
        let url = url(listener.local_addr().map_err(|error| system("listening", error))?);

        let jobs = match options.bucket {
            Some(bucket) => Jobs::Bucket(bucket),
            None => Jobs::Near(Box::new(S3::start(options.jobs, options.s3_listen).await?)),
        };
        let endpoint = endpoint(&jobs, &options.prefix, &options.api_key).await.map_err(StartError::Endpoint)?;
        let (listen, endpoint) = (options.listen, Arc::new(endpoint));
        Ok(Self { listener, listen, endpoint, url, api_key: options.api_key, jobs })
    }

    /// The endpoint's base URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Serves until `stop` is ready. Meanwhile one of the samples changes.
    ///
    /// # Errors
    /// Connections can't be accepted any more.
    pub async fn run(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let hosts = Hosts::new(self.listen);
        let serving = http::listen(self.listener, hosts, self.endpoint, Page::new(&self.api_key), stop);
        let Jobs::Near(s3) = self.jobs else { return serving.await };
        let served = match &s3.files {
            StatusFiles::Own(..) => serving.await,
            StatusFiles::Samples(directory) => tokio::select! {
                served = serving => served,
                never = changing::work(directory, s3.root.path()) => match never {},
            },
        };
        s3.stop().await;
        served
    }
}

impl S3 {
    async fn start(own: Option<PathBuf>, listen: Option<SocketAddr>) -> Result<Self, StartError> {
        let root = tempfile::tempdir().map_err(|error| system("making a temporary directory", error))?;
        let files = StatusFiles::at(root.path().join(BUCKET), own)?;
        let wanted = listen.unwrap_or(S3_LISTEN);
        let listener = match TcpListener::bind(wanted).await {
            Err(error) if listen.is_none() && error.kind() == io::ErrorKind::AddrInUse => {
                TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
            }
            result => result,
        };
        let refused = |error| listening(wanted, "--s3-listen", error);
        let listener = listener.map_err(refused)?;
        let url = url(listener.local_addr().map_err(refused)?);

        let account = Account::random();
        // events/env.json is for a server that was told where to listen.
        let known = listen.map(|_| Account::known(matches!(files, StatusFiles::Samples(_))));
        let accounts: Vec<_> = [account.clone()].into_iter().chain(known.clone()).collect();
        let (stop, stopped) = oneshot::channel();
        let stopped = async { drop(stopped.await) };
        let serving = s3::listen(listener, root.path(), Hosts::new(listen), &accounts, stopped);
        let serving = tokio::spawn(serving.map_err(|error| system("serving the jobs' directory", error))?);
        Ok(Self { listen, url, account, known, files, serving, stop, root })
    }

    async fn stop(self) {
        drop(self.stop);
        let _ = self.serving.await;
    }
}

impl StatusFiles {
    /// The user's own, or else samples, as the bucket at `bucket`.
    fn at(bucket: PathBuf, own: Option<PathBuf>) -> Result<Self, StartError> {
        let Some(own) = own else {
            fs::create_dir(&bucket)
                .and_then(|()| samples::write(&bucket, SystemTime::now()))
                .map_err(|error| system("writing the sample jobs", error))?;
            return Ok(Self::Samples(bucket));
        };
        let own = dunce::canonicalize(own).map_err(|error| system("finding the jobs' directory", error))?;
        platform::link(&own, &bucket).map_err(|error| system("linking the jobs' directory", error))?;
        let files = Files::of(&own);
        Ok(Self::Own(own, files))
    }
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
        ("AWS_ENDPOINT_URL_S3", Jobs::Near(s3)) => Some(s3.url.clone()),
        _ => None,
    })?;
    let credentials = match jobs {
        Jobs::Bucket(_) => SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()),
        Jobs::Near(s3) => {
            let Account { access_key, secret_key, .. } = s3.account.clone();
            SharedCredentialsProvider::new(Credentials::new(access_key, secret_key, None, None, "local"))
        }
    };
    Endpoint::start(settings, credentials, SharedTimeSource::default()).await
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

/// How this machine itself reaches what listens there.
fn url(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}
