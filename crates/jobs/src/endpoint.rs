//! The endpoint as its callers see it: where it is, who asks, and what comes back. `jobs wait`, `jobs
//! status` and `jobs check` ask through it.
//!
//! The key goes into one header of one host. It is no argument, because other users of a machine can
//! read those, and redirects are not followed, because they could take it elsewhere.

use std::{
    env, fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use clap::Args;
use job_status::{ROUTES, limits::MAX_STATUS_FILE};
use reqwest::{
    Client, Method, StatusCode, Url,
    header::{HeaderMap, HeaderValue},
    redirect::Policy,
};
use rustls::crypto::ring;
use serde_json::value::RawValue;

use crate::{failure::Failure, input, json, output::line};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For a whole request. The endpoint answers within 5 s.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The most that is read of an answer, unpacked: the largest status file, and room for its envelope.
#[allow(clippy::cast_possible_truncation)] // it is 32 MiB
pub const LARGEST_ANSWER: usize = MAX_STATUS_FILE as usize + 64 * 1024;
/// The same of an answer without a status file.
const LARGEST_REFUSAL: usize = 64 * 1024;

/// Where the endpoint is, and who asks.
#[derive(Args)]
pub struct Access {
    /// The API's base, such as https://api.example.com or https://api.example.com/prod, or one of its
    /// two routes
    #[arg(long, env = "JOBS_URL", value_parser = address)]
    url: Url,

    /// File with the API key; without it, the variable JOBS_API_KEY has the key
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
}

/// An endpoint to ask.
pub struct Endpoint {
    client: Client,
    /// Without a slash at the end, and without a route.
    base: Url,
    /// The route that is asked for jobs: the first of [`ROUTES`], unless the URL names another.
    pub route: &'static str,
    key: HeaderValue,
}

/// A request; by default a GET of nothing with the caller's own key.
#[derive(Clone, Debug)]
pub struct Question {
    pub method: Method,
    /// Below the base.
    pub path: String,
    pub query: Vec<(&'static str, String)>,
    pub key: Key,
    /// `None` for none at all.
    pub body: Option<String>,
    /// What an earlier answer's `etag` was.
    pub if_none_match: Option<HeaderValue>,
    pub timeout: Duration,
}

/// Whose key a request has.
#[derive(Clone, Copy, Debug)]
pub enum Key {
    Own,
    Missing,
    Wrong,
}

/// What came back, whoever gave it.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Unpacked, if it came compressed. Of one that is too large, only the beginning.
    pub body: Vec<u8>,
}

impl Access {
    /// The endpoint, ready to be asked.
    ///
    /// # Errors
    /// There is no key, or it can be none.
    pub fn open(self) -> Result<Endpoint, Failure> {
        let key = match &self.api_key_file {
            Some(file) => fs::read(file).and_then(|bytes| input::text(&bytes)).map_err(|error| {
                Failure::usage(format!("the API key can't be read from {}: {error}", file.display()))
                    .advise("give --api-key-file a file that you may read")
            })?,
            None => env::var("JOBS_API_KEY").unwrap_or_default(),
        };
        let mut key = HeaderValue::from_str(key.trim()).ok().filter(|key| !key.is_empty()).ok_or_else(|| {
            Failure::usage("there is no API key, or it has characters that no key has")
                .advise("put the key into the variable JOBS_API_KEY, or into a file for --api-key-file")
        })?;
        key.set_sensitive(true);

        let path = self.url.path().trim_end_matches('/').to_owned();
        let named = ROUTES.into_iter().find(|route| path.ends_with(route));
        let mut base = self.url;
        base.set_path(named.and_then(|route| path.strip_suffix(route)).unwrap_or(&path));

        // The one that is compiled in; a process has one of them.
        let _ = ring::default_provider().install_default();
        let client = || {
            Client::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .redirect(Policy::none())
                .user_agent(concat!("jobs/", env!("CARGO_PKG_VERSION")))
        };
        let client = match client().build() {
            // Without TLS there is nobody to trust, so a machine may have no certificates.
            Err(_) if base.scheme() == "http" => client().tls_certs_only([]).build(),
            result => result,
        };
        let client = client.map_err(|error| {
            Failure::unreachable("setting up HTTPS", &error)
                .advise("install the system's certificates (ca-certificates)")
        })?;
        Ok(Endpoint { client, base, route: named.unwrap_or(ROUTES[0]), key })
    }
}

impl Endpoint {
    /// The URL of a path below the base.
    pub fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
        url
    }

    /// Asks once.
    ///
    /// # Errors
    /// No answer, or half of one. The error has neither the URL nor the key.
    pub async fn ask(&self, question: Question) -> reqwest::Result<Reply> {
        let mut url = self.url(&question.path);
        if !question.query.is_empty() {
            url.query_pairs_mut().extend_pairs(question.query);
        }
        let mut request = self.client.request(question.method, url).timeout(question.timeout);
        request = match question.key {
            Key::Own => request.header("x-api-key", &self.key),
            Key::Wrong => request.header("x-api-key", "no key, to see that it is refused"),
            Key::Missing => request,
        };
        if let Some(etag) = question.if_none_match {
            request = request.header("if-none-match", etag);
        }
        if let Some(body) = question.body {
            request = request.header("content-type", "application/json").body(body);
        }
        let answer = async {
            let mut answer = request.send().await?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            let most = if status == StatusCode::OK { LARGEST_ANSWER } else { LARGEST_REFUSAL };
            let mut body = Vec::new();
            while body.len() <= most
                && let Some(part) = answer.chunk().await?
            {
                body.extend_from_slice(&part);
            }
            Ok(Reply { status, headers, body })
        };
        answer.await.map_err(reqwest::Error::without_url)
    }
}

impl Question {
    /// A GET of the path.
    pub fn get(path: &str) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            query: Vec::new(),
            key: Key::Own,
            body: None,
            if_none_match: None,
            timeout: REQUEST_TIMEOUT,
        }
    }

    /// A POST of the body to the path.
    pub fn post(path: &str, body: impl Into<String>) -> Self {
        Self { method: Method::POST, body: Some(body.into()), ..Self::get(path) }
    }

    /// With one more parameter.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.query.push((name, value.to_owned()));
        self
    }
}

impl Reply {
    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A header's number of seconds.
    pub fn seconds(&self, name: &str) -> Option<Duration> {
        self.header(name)?.parse().ok().map(Duration::from_secs)
    }

    /// How long to wait before the next request: `retry-after` is a number of seconds or a date.
    pub fn retry_after(&self) -> Option<Duration> {
        let date = || httpdate::parse_http_date(self.header("retry-after")?).ok();
        let until = || Some(date()?.duration_since(SystemTime::now()).unwrap_or_default());
        self.seconds("retry-after").or_else(until)
    }

    /// Whether the body is an object with this member.
    pub fn has(&self, member: &str) -> bool {
        self.members([member]).is_some_and(|[member]| member.is_some())
    }

    /// What the body says went wrong, in the endpoint's words or the gateway's.
    pub fn error(&self) -> Option<String> {
        let said = self.members(["error", "message", "Message"])?.into_iter().flatten().find_map(json::text)?;
        Some(line(&said))
    }

    /// The members of the body that have these names; `None` if it is not a JSON object.
    pub fn members<const N: usize>(&self, names: [&str; N]) -> Option<[Option<&RawValue>; N]> {
        json::members(str::from_utf8(&self.body).ok()?, names).ok()
    }
}

/// Reads `--url`.
fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{error}: give a URL such as https://api.example.com"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("give a URL that begins with https://".into());
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err("give a URL without user, query and fragment: the key has a variable of its own".into());
    }
    Ok(url)
}
