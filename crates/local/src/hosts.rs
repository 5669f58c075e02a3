//! Which requests are for this server and from whom: the look at `Host` and `Origin` before anything else.
//!
//! A web page anywhere can send requests to localhost. Its browser says in `Origin` where the page is from. By DNS
//! rebinding it can even read the answers, since its own name then leads to this machine; but that name is in `Host`.
//! So a request is served only if each `Host` names this server, and each `Origin` is a page on localhost or this
//! server's own. Programs send no `Origin`.

use std::net::{IpAddr, SocketAddr};

use hyper::{
    Request,
    header::{HOST, HeaderValue, ORIGIN},
    http::uri::Authority,
};

/// What a container calls the machine that it runs on.
const FROM_CONTAINERS: &str = "host.docker.internal";

/// So much of a header is repeated. A host's name has 253 bytes at most.
const SHOWN: usize = 255;

/// The hosts by which a server may be asked.
#[derive(Clone, Copy)]
pub struct Hosts {
    /// Where it was told to listen, if it was.
    told: Option<IpAddr>,
}

/// A request that is refused. The text is for whoever sent it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// It does not say whom it asks.
    #[error("Forbidden: the Host header is missing: send localhost")]
    Nobody,
    /// It asks somebody else.
    #[error(
        "Forbidden: the Host header is {0}, which does not name this server: send localhost, or the address that it was told to listen on"
    )]
    Host(String),
    /// A page from elsewhere sends it.
    #[error("Forbidden: the Origin header is {0}: of web pages, only those on localhost may send requests")]
    Origin(String),
}

impl Hosts {
    /// Loopback's. If the server was told where to listen, also that address (any, if it listens on all of the
    /// machine's: a page can't choose what an address leads to), and the name that containers have for this machine.
    #[must_use]
    pub fn new(told: Option<SocketAddr>) -> Self {
        Self { told: told.map(|address| address.ip()) }
    }

    /// The origin of the page on localhost that sends the request, if one does.
    ///
    /// # Errors
    /// [`Foreign`]
    pub fn check<B>(self, request: &Request<B>) -> Result<Option<HeaderValue>, Foreign> {
        let mut hosts: Vec<_> = request.headers().get_all(HOST).iter().map(text).collect();
        hosts.extend(request.uri().authority().map(Authority::as_str)); // `GET http://… HTTP/1.1`, HTTP/2
        if hosts.is_empty() {
            return Err(Foreign::Nobody);
        }
        if let Some(foreign) = hosts.iter().find(|host| !self.is_named(host)) {
            return Err(Foreign::Host(shown(foreign)));
        }
        let mut page = None;
        for value in request.headers().get_all(ORIGIN) {
            let origin = text(value);
            let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")).unwrap_or_default();
            if name(host).is_some_and(|name| is_loopback(&name)) {
                page = Some(value.clone());
            } else if !(origin.starts_with("http://") && hosts.iter().all(|own| own.eq_ignore_ascii_case(host))) {
                return Err(Foreign::Origin(shown(origin)));
            }
        }
        Ok(page)
    }

    fn is_named(self, host: &str) -> bool {
        let Some(name) = name(host) else { return false };
        let told = |listening: IpAddr| {
            name == FROM_CONTAINERS || address(&name).is_some_and(|ip| listening.is_unspecified() || ip == listening)
        };
        is_loopback(&name) || self.told.is_some_and(told)
    }
}

/// A header's value. One that is not ASCII names nobody.
fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or("not ASCII")
}

fn shown(text: &str) -> String {
    text.get(..SHOWN).unwrap_or(text).into()
}

/// The host in `host` or `host:port`, in lower case.
fn name(authority: &str) -> Option<String> {
    let parsed: Authority = authority.parse().ok()?;
    let name = parsed.host();
    let after = authority.strip_prefix(name)?; // fails if a user's name is in front
    let is_port = after.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    (after.is_empty() || is_port).then(|| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase())
}

fn is_loopback(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost") || address(name).is_some_and(|ip| ip.is_loopback())
}

fn address(name: &str) -> Option<IpAddr> {
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    bare.parse().ok()
}
