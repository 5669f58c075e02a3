//! An S3 that misbehaves on demand: a server on loopback that knows just enough HTTP for that.

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Barrier,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

/// What one request gets.
#[derive(Clone)]
pub enum Act {
    /// A complete answer; the connection stays open.
    Answer(Vec<u8>),
    /// The same, too large to be copied for each request.
    AnswerShared(Arc<[u8]>),
    /// A complete answer; then the connection is closed, though no header announced it.
    AnswerThenClose(Vec<u8>),
    /// These bytes, and then nothing more.
    Hang(Vec<u8>),
    /// These bytes, and then the end of the stream.
    Close(Vec<u8>),
    /// These bytes, and then a reset.
    Reset(Vec<u8>),
    /// These bytes one by one, with a pause after each.
    Drip(Vec<u8>, Duration),
    /// A complete answer, once as many requests wait as the barrier is for.
    Together(Arc<Barrier>, Vec<u8>),
    /// A complete answer after a while.
    Late(Duration, Vec<u8>),
}

/// The server.
#[derive(Clone)]
pub struct FaultS3 {
    url: String,
    state: Arc<Mutex<State>>,
}

struct State {
    script: VecDeque<Act>,
    otherwise: Box<dyn FnMut(&str) -> Act + Send>,
    requests: Vec<String>,
    connections: u32,
}

impl FaultS3 {
    /// A server that answers every request with 404 `NoSuchKey` until told otherwise.
    pub async fn start() -> Self {
        Self::listen(None).await
    }

    /// The same behind TLS.
    pub async fn start_tls(acceptor: TlsAcceptor) -> Self {
        Self::listen(Some(acceptor)).await
    }

    async fn listen(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let url =
            if tls.is_some() { format!("https://localhost:{}", address.port()) } else { format!("http://{address}") };
        let state = Arc::new(Mutex::new(State {
            script: VecDeque::new(),
            otherwise: Box::new(|_| Act::Answer(no_such_key())),
            requests: Vec::new(),
            connections: 0,
        }));
        let server = Self { url, state: Arc::clone(&state) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                state.lock().unwrap().connections += 1;
                let (state, tls) = (Arc::clone(&state), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => {
                            let stream = converse(stream, &state).await;
                            if let Some(stream) = stream {
                                reset(&stream);
                            }
                        }
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                converse(stream, &state).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same as an address.
    pub fn address(&self) -> SocketAddr {
        self.url.trim_start_matches("http://").parse().unwrap()
    }

    /// What the next requests get, one after the other.
    pub fn then(&self, acts: impl IntoIterator<Item = Act>) {
        self.state.lock().unwrap().script.extend(acts);
    }

    /// What every other request gets.
    pub fn always(&self, act: Act) {
        self.always_by(move |_| act.clone());
    }

    /// The same, depending on the request's head.
    pub fn always_by(&self, act: impl FnMut(&str) -> Act + Send + 'static) {
        self.state.lock().unwrap().otherwise = Box::new(act);
    }

    /// The heads of the requests since the last call of this.
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u32 {
        self.state.lock().unwrap().connections
    }
}

/// Serves one connection; returns its stream if it is to be reset.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(stream: S, state: &Mutex<State>) -> Option<S> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await.unwrap_or(0) == 0 {
                return None;
            }
        }
        let body = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
        let act = {
            let mut state = state.lock().unwrap();
            let act = state.script.pop_front().unwrap_or_else(|| (state.otherwise)(&head));
            state.requests.push(head);
            act
        };
        // A request that hangs is not read to its end.
        if !matches!(act, Act::Hang(_)) {
            tokio::io::copy(&mut (&mut stream).take(body), &mut tokio::io::sink()).await.ok()?;
        }
        match act {
            Act::Answer(bytes) => stream.write_all(&bytes).await.ok()?,
            Act::AnswerShared(bytes) => stream.write_all(&bytes).await.ok()?,
            Act::AnswerThenClose(bytes) | Act::Close(bytes) => {
                stream.write_all(&bytes).await.ok()?;
                return None;
            }
            Act::Hang(bytes) => {
                stream.write_all(&bytes).await.ok()?;
                // Nothing more comes; the client gives up and closes.
                let mut rest = String::new();
                let _ = stream.read_line(&mut rest).await;
                return None;
            }
            Act::Reset(bytes) => {
                stream.write_all(&bytes).await.ok()?;
                return Some(stream.into_inner());
            }
            Act::Together(others, bytes) => {
                others.wait().await;
                stream.write_all(&bytes).await.ok()?;
            }
            Act::Late(pause, bytes) => {
                tokio::time::sleep(pause).await;
                stream.write_all(&bytes).await.ok()?;
            }
            Act::Drip(bytes, pause) => {
                for byte in bytes {
                    stream.write_all(&[byte]).await.ok()?;
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}

/// A header of a request's head.
pub fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}

/// Has the kernel close the connection with RST instead of FIN.
fn reset(stream: &TcpStream) {
    stream.set_zero_linger().unwrap();
}

/// The job that a request asks about.
pub fn job_id(head: &str) -> &str {
    head.split(['/', '.']).find(|part| part.len() == 36).unwrap()
}

/// 200 with this object.
pub fn object(content: impl AsRef<[u8]>) -> Vec<u8> {
    object_with("", content)
}

/// 200 with this object and more headers, each ending in CRLF.
pub fn object_with(headers: &str, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    object_announced_as(content.len(), headers, content)
}

/// 200 with another version of this object.
pub fn object_version(etag: &str, content: &str) -> Vec<u8> {
    let first = String::from_utf8_lossy(&object(content)).replacen("etag: \"1\"", &format!("etag: {etag}"), 1);
    first.into_bytes()
}

/// 200 with a body whose length is announced as `length`, whether that is true or not.
pub fn object_announced_as(length: usize, headers: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 200 OK\r\nx-amz-request-id: 4442587FB7D0A2F9\r\nlast-modified: Wed, 25 Nov 2026 11:00:00 GMT\r\netag: \"1\"\r\n{headers}content-length: {length}\r\n\r\n"
    )
    .into_bytes();
    bytes.extend_from_slice(content);
    bytes
}

/// An error as S3 words it. It names things that no caller may see.
pub fn error_document(status: &str, code: &str, message: &str) -> Vec<u8> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message><BucketName>secret-bucket</BucketName><RequestId>4442587FB7D0A2F9</RequestId><HostId>Ofq2bQ==</HostId></Error>"
    );
    format!("HTTP/1.1 {status}\r\ncontent-type: application/xml\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

/// 404 for a missing object.
pub fn no_such_key() -> Vec<u8> {
    error_document("404 Not Found", "NoSuchKey", "The specified key does not exist.")
}

/// TLS for a server on `localhost`, and the PEM of the authority that its certificate comes from.
pub fn tls() -> (TlsAcceptor, String) {
    let mut authority = CertificateParams::new([]).unwrap();
    // A name that is not the certificate's: OpenSSL takes a certificate for self-signed if the two are the same.
    authority.distinguished_name.push(DnType::CommonName, "authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".into()]).unwrap().signed_by(&key, &authority).unwrap();
    let config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), authority.pem())
}
