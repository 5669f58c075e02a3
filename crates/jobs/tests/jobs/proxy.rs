//! The S3 client of `jobs publish` and `jobs keys`: proxies, certificates, and an S3 of one's own.

use std::{
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use testbed::fault_s3::{self, Act, FaultS3, no_such_key, object};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    process::Command,
};

use crate::harness::{jobs, run};

const JOB: &str = "e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7";

/// A proxy over HTTP and SOCKS 5, and how each connection through it was asked for.
async fn proxy() -> (SocketAddr, Arc<Mutex<Vec<&'static str>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, asked) = (listener.local_addr().unwrap(), Arc::default());
    let noted = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(lead(client, Arc::clone(&noted)));
        }
    });
    (address, asked)
}

/// Leads one connection to where it asks for.
async fn lead(mut client: TcpStream, asked: Arc<Mutex<Vec<&'static str>>>) {
    let mut first = [0];
    client.peek(&mut first).await.unwrap();
    let port = if first == [5] {
        asked.lock().unwrap().push("SOCKS");
        client.read_exact(&mut [0; 2]).await.unwrap();
        let methods = client.read_u8().await.unwrap(); // one method, it offers no other
        assert_eq!(methods, 0);
        client.write_all(&[5, 0]).await.unwrap();
        let mut to = [0; 4];
        client.read_exact(&mut to).await.unwrap();
        let length = if to[3] == 3 { client.read_u8().await.unwrap().into() } else { 4 };
        client.read_exact(&mut vec![0; length]).await.unwrap();
        let port = client.read_u16().await.unwrap();
        client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
        port
    } else {
        asked.lock().unwrap().push("CONNECT");
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            head.push(client.read_u8().await.unwrap().into());
        }
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        head.split([' ', ':']).find_map(|word| word.parse().ok()).unwrap()
    };
    let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

/// Publishes a file; exit code and log.
async fn publish(mut command: Command) -> (i32, String) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(format!("{JOB}.json")), "{}").unwrap();
    command.args(["publish", directory.path().to_str().unwrap(), "s3://jobs/", "--once"]);
    let (code, _, log) = run(command).await;
    (code, log)
}

fn take_everything(server: &FaultS3) {
    server.always_by(|head| Act::Answer(if head.starts_with("PUT") { object("") } else { no_such_key() }));
}

#[tokio::test]
async fn the_proxies_of_the_environment_count() {
    let (acceptor, authority) = fault_s3::tls();
    let server = FaultS3::start_tls(acceptor).await;
    take_everything(&server);
    let (address, asked) = proxy().await;
    let directory = tempfile::tempdir().unwrap();
    let bundle = directory.path().join("bundle.pem");
    // One of them is no certificate.
    fs::write(&bundle, format!("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n{authority}")).unwrap();
    let (http, socks) = (format!("http://{address}"), format!("socks5h://{address}"));
    for (variables, expected) in [
        (&[("HTTPS_PROXY", &*http)][..], Some("CONNECT")),
        (&[("ALL_PROXY", &*http)], Some("CONNECT")),
        (&[("ALL_PROXY", &*socks)], Some("SOCKS")),
        (&[("HTTPS_PROXY", &*http), ("NO_PROXY", "localhost")], None),
        (&[], None),
    ] {
        let mut command = jobs(address, &[]);
        command.env("AWS_ENDPOINT_URL_S3", server.url()).env("AWS_CA_BUNDLE", &bundle).envs(variables.iter().copied());
        let (code, log) = publish(command).await;
        assert!(code == 0 && log.contains(r#""event":"certificates","numbers":"1""#), "{variables:?}: {log}");
        let mut asked = std::mem::take(&mut *asked.lock().unwrap());
        asked.dedup();
        assert_eq!(asked, expected.into_iter().collect::<Vec<_>>(), "{variables:?}");
    }
}

#[tokio::test]
async fn an_endpoint_of_a_profile_is_addressed_path_style() {
    let server = FaultS3::start().await;
    take_everything(&server);
    let (url, directory) = (server.url().to_owned(), tempfile::tempdir().unwrap());
    let profile = directory.path().join("config");
    for text in [
        format!("[default]\nendpoint_url = {url}\n"),
        format!("[default]\nservices = own\n[services own]\ns3 =\n  endpoint_url = {url}\n"),
    ] {
        fs::write(&profile, &text).unwrap();
        let mut command = jobs(server.address(), &[]);
        command.env_remove("AWS_ENDPOINT_URL_S3").env("AWS_CONFIG_FILE", &profile);
        let (code, log) = publish(command).await;
        assert_eq!(code, 0, "{text}: {log}");
        assert!(server.take_requests().iter().all(|head| head.contains(&format!(" /jobs/{JOB}.json"))), "{text}");
    }
}
