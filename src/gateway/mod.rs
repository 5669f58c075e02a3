//! The gateways in front of the function: an event becomes a `Request`, a `Reply` becomes what the same gateway
//! expects back.
//!
//! `lambda_http` brings the types of the answers. It does not read the events, because a caller could make it fail: it
//! refuses one header with a letter outside ASCII, and it panics over a `host` that makes no URL.

mod answer;
mod event;

pub use answer::Answer;
pub use event::read;

use crate::limits::{MAX_LAMBDA_PAYLOAD, MAX_LOAD_BALANCER_PAYLOAD};

/// The kinds of gateways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gateway {
    /// API Gateway's HTTP API and function URLs: payload format 2.0.
    HttpApi,
    /// The Application Load Balancer: a dialect of payload format 1.0.
    LoadBalancer,
    /// API Gateway's REST API: payload format 1.0.
    RestApi,
}

impl Gateway {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::HttpApi, Self::LoadBalancer, Self::RestApi];

    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HttpApi => "API Gateway HTTP API or function URL",
            Self::LoadBalancer => "Application Load Balancer",
            Self::RestApi => "API Gateway REST API",
        }
    }

    /// The largest payload, in bytes, that it passes on from a function.
    #[must_use]
    pub const fn max_payload(self) -> usize {
        match self {
            Self::HttpApi | Self::RestApi => MAX_LAMBDA_PAYLOAD,
            Self::LoadBalancer => MAX_LOAD_BALANCER_PAYLOAD,
        }
    }

    /// Whether a compressed body gets through to the caller as it is. A REST API decodes base64 only if it has
    /// `binaryMediaTypes`, and an event does not tell.
    const fn passes_binary(self) -> bool {
        !matches!(self, Self::RestApi)
    }
}
