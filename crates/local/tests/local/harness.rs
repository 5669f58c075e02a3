//! The server in this process, and requests as text over real sockets.

use std::{collections::BTreeMap, net::SocketAddr, path::Path, time::SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use clap::Parser;
use local::{Options, Server};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};

pub struct Running {
    pub url: String,
    pub stop: oneshot::Sender<()>,
    pub task: JoinHandle<std::io::Result<()>>,
    pub printed: String,
}

/// On free ports.
pub async fn start(arguments: &[&str]) -> Running {
    start_with(&[&["--port", "0", "--s3-listen", "127.0.0.1:0"], arguments].concat()).await
}

/// With these arguments and no others.
pub async fn start_with(arguments: &[&str]) -> Running {
    let options = Options::try_parse_from([&["cargo local"], arguments].concat()).unwrap();
    let server = Server::start(options).await.unwrap_or_else(|error| panic!("{error}"));
    let (stop, stopped) = oneshot::channel();
    Running {
        url: server.url().to_owned(),
        printed: server.to_string(),
        stop,
        task: tokio::spawn(server.run(async { stopped.await.unwrap() })),
    }
}

impl Running {
    /// The S3 server's URL.
    pub fn s3(&self) -> &str {
        s3_in(&self.printed)
    }

    /// The credentials that are printed first: those of this start alone.
    pub fn own(&self) -> Credentials {
        own_in(&self.printed)
    }
}

/// The S3 server's URL in what was printed.
pub fn s3_in(printed: &str) -> &str {
    after(printed, "  S3        ").split(',').next().unwrap()
}

/// The credentials that were printed first.
pub fn own_in(printed: &str) -> Credentials {
    let [access_key, secret_key] = ["  S3 keys   AWS_ACCESS_KEY_ID=", " AWS_SECRET_ACCESS_KEY="]
        .map(|name| after(printed, name).split_whitespace().next().unwrap());
    Credentials::new(access_key, secret_key, None, None, "test")
}

fn after<'a>(printed: &'a str, name: &str) -> &'a str {
    printed.split_once(name).unwrap_or_else(|| panic!("{name} in {printed}")).1
}

/// A response, taken apart. Without `date`, which changes.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    pub status: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Response {
    pub fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no response: {text:?}"));
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().strip_prefix("HTTP/1.1 ").unwrap().to_owned();
        let mut headers = BTreeMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            assert!(headers.insert(name.to_owned(), value.to_owned()).is_none(), "{name} twice: {text}");
        }
        assert!(headers.remove("date").is_some(), "{text}");
        Self { status, headers, body: body.into() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// Sends one HTTP request, given as text, and returns the response as text.
pub async fn exchange(url: &str, request: &str) -> String {
    let mut stream = connect(url).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await.unwrap();
    String::from_utf8_lossy(&response).into_owned()
}

pub async fn connect(url: &str) -> TcpStream {
    let address: SocketAddr = url.strip_prefix("http://").unwrap().parse().unwrap();
    TcpStream::connect(address).await.unwrap()
}

/// A request with these header lines and no others but `connection` and what its body needs.
pub async fn ask(url: &str, line: &str, headers: &[&str], body: &str) -> Response {
    let length = format!("content-length: {}", body.len());
    let length = (!body.is_empty()).then_some(&*length);
    let lines = [&format!("{line} HTTP/1.1"), "connection: close"];
    let lines: Vec<&str> = lines.into_iter().chain(headers.iter().copied()).chain(length).collect();
    Response::parse(&exchange(url, &format!("{}\r\n\r\n{body}", lines.join("\r\n"))).await)
}

/// The headers of a request to S3, signed for this host.
pub fn signed(line: &str, host: &str, credentials: &Credentials, body: &str) -> Vec<String> {
    let (method, path) = line.split_once(' ').unwrap();
    let mut settings = SigningSettings::default();
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let identity = credentials.clone().into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("s3")
        .time(SystemTime::now())
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let url = format!("http://localhost{path}");
    let headers = [("host", host)].into_iter();
    let signable = SignableRequest::new(method, url, headers, SignableBody::Bytes(body.as_bytes())).unwrap();
    let (instructions, _) = sign(signable, &params).unwrap().into_parts();
    let signature = instructions.headers().map(|(name, value)| format!("{name}: {value}"));
    [format!("host: {host}")].into_iter().chain(signature).collect()
}

/// A request to S3, signed, with other headers that are not.
pub async fn ask_s3(url: &str, line: &str, host: &str, by: &Credentials, more: &[&str], body: &str) -> Response {
    let signed = signed(line, host, by, body);
    let headers: Vec<&str> = signed.iter().map(String::as_str).chain(more.iter().copied()).collect();
    ask(url, line, &headers, body).await
}

pub async fn get(url: &str, path: &str) -> String {
    exchange(url, &format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")).await
}

pub async fn post(url: &str, key: &str, body: &str) -> String {
    let request = format!(
        "POST /v1/toolkit/job/status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-api-key: {key}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    exchange(url, &request).await
}

pub async fn poll(url: &str, job_id: &str) -> String {
    post(url, "demo-key", &format!(r#"{{"job_id":"{job_id}"}}"#)).await
}

pub fn list(directory: &Path) -> Vec<String> {
    std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
