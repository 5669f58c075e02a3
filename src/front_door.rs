//! The gateways' payloads: an invocation's event becomes a [`Call`], a response becomes what the
//! same gateway expects back. Each kind of front door has a file of its own and a row in [`DOORS`].
//!
//! `lambda_http` brings the shapes of the answers. Its own reading of events is not used, because
//! callers could make it fail: it refuses an event over a single header with a letter outside
//! ASCII, and panics over a `host` header that makes no URL. The caller would get the gateway's 5xx
//! instead of an answer of ours. Reading only what is needed is cheaper as well.

pub(crate) mod door;
mod http_api;
mod load_balancer;
mod rest_api;

use crate::{
    call::{Call, Gzip, Invocation},
    encoding::accepts_gzip,
    endpoint::Endpoint,
    front_door::door::{Answer, Door, Request},
    turns::Turn,
};

/// The kinds of front door. The first that can read an event is the one that it came through.
pub static DOORS: [Door; 3] = [http_api::DOOR, load_balancer::DOOR, rest_api::DOOR];

/// An invocation's event, of any front door.
pub struct Event {
    door: &'static Door,
    request: Request,
}

/// An event is of none of these kinds.
#[derive(Debug, thiserror::Error)]
#[error("not an event of a front door: {}", DOORS.each_ref().map(|door| door.name).join(", "))]
pub struct NoFrontDoor;

impl Event {
    /// Reads an invocation's payload.
    ///
    /// # Errors
    /// No front door sends such an event.
    pub fn parse(payload: &[u8]) -> Result<Self, NoFrontDoor> {
        let read = |door: &'static Door| Some(Self { door, request: (door.read)(payload).ok()? });
        DOORS.iter().find_map(read).ok_or(NoFrontDoor)
    }

    /// Has `endpoint` answer this event. The turn is kept until the answer is sent.
    pub async fn answer(self, endpoint: &Endpoint, invocation: Invocation) -> (Answer, Turn) {
        let Self { door, request } = self;
        let call = Call {
            method: request.method.parse().ok(),
            path: request.path,
            query: request.query,
            api_key: request.headers.api_key,
            if_none_match: request.headers.if_none_match,
            gzip: match request.headers.accept_encoding {
                _ if !door.passes_binary => Gzip::Impossible,
                Some(value) if accepts_gzip(&value) => Gzip::Accepted,
                _ => Gzip::NotAccepted,
            },
            body: request.body,
            max_payload: door.max_payload,
            invocation,
        };
        let (response, mut turn) = endpoint.answer(&call).await;
        (turn.work(move || (door.answer)(response)).await, turn)
    }
}
