//! The server in this process, and requests as text over real sockets.

use std::{net::SocketAddr, path::Path};

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

pub async fn start(arguments: &[&str]) -> Running {
    let fixed = ["cargo local", "--port", "0", "--s3-listen", "127.0.0.1:0"];
    let options = Options::try_parse_from(fixed.iter().chain(arguments)).unwrap();
    let server = Server::start(options).await.unwrap_or_else(|error| panic!("{error}"));
    let (stop, stopped) = oneshot::channel();
    Running {
        url: server.url().to_owned(),
        printed: server.to_string(),
        stop,
        task: tokio::spawn(server.run(async { stopped.await.unwrap() })),
    }
}

/// Sends one HTTP request, given as text, and returns the response as text.
pub async fn exchange(url: &str, request: &str) -> String {
    let address: SocketAddr = url.strip_prefix("http://").unwrap().parse().unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await.unwrap();
    String::from_utf8_lossy(&response).into_owned()
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
