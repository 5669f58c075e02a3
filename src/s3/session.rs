//! The sessions that directory buckets (S3 Express One Zone) want: credentials of five minutes, for
//! one bucket, which the role's own credentials are exchanged for.
//!
//! All requests for a bucket share one. Towards its end one request makes the next, and waits for it
//! no longer than [`SESSION_PATIENCE`]; the others go on with the old one. Once it has ended, or S3
//! has refused it, requests wait for the next: one of them makes it, and if it can't, those that
//! waited for that fail like it. A request that is given up while it makes a session leaves that to
//! the next one.
//!
//! Ages are told by the wall clock: the monotonic one may stand still while Lambda has the
//! environment frozen.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use aws_sdk_s3::{
    config::Credentials,
    primitives::{DateTime, DateTimeFormat},
};
use aws_smithy_xml::decode::{Document, XmlDecodeError, try_data};
use tokio::time::timeout;

use crate::{
    cause::chain,
    limits::{SESSION_PATIENCE, SESSION_RENEWAL, SESSION_RETRY},
    s3::failure::{Failure, FailureKind},
};

/// A session. It has no `Debug`: nothing prints its credentials by mistake.
pub(super) struct Session {
    pub(super) credentials: Credentials,
    ends: SystemTime,
}

impl Session {
    /// Reads S3's answer.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Failure> {
        let session = Self::from_xml(body).ok().flatten();
        session.ok_or_else(|| Failure {
            kind: FailureKind::Unexpected,
            cause: "S3's answer to CreateSession has no credentials".into(),
        })
    }

    fn from_xml(body: &[u8]) -> Result<Option<Self>, XmlDecodeError> {
        let [mut key, mut secret, mut token, mut ends] = [const { String::new() }; 4];
        let mut document = Document::try_from(body)?;
        let mut result = document.root_element()?;
        while let Some(mut credentials) = result.next_tag() {
            while let Some(mut member) = credentials.next_tag() {
                let field = match member.start_el().local() {
                    "AccessKeyId" => &mut key,
                    "SecretAccessKey" => &mut secret,
                    "SessionToken" => &mut token,
                    "Expiration" => &mut ends,
                    _ => continue,
                };
                *field = try_data(&mut member)?.into_owned();
            }
        }
        let ends = DateTime::from_str(&ends, DateTimeFormat::DateTime).ok();
        let ends = ends.and_then(|ends| SystemTime::try_from(ends).ok());
        let is_complete = [&key, &secret, &token].into_iter().all(|part| !part.is_empty());
        Ok(ends.filter(|_| is_complete).map(|ends| {
            let credentials = Credentials::new(key, secret, Some(token), None, "CreateSession");
            Self { credentials, ends }
        }))
    }

    fn left(&self, now: SystemTime) -> Duration {
        self.ends.duration_since(now).unwrap_or_default()
    }
}

/// The sessions in use, by the URLs of their buckets.
#[derive(Clone, Default)]
pub(super) struct Sessions(Arc<Mutex<HashMap<String, Arc<Shared>>>>);

impl Sessions {
    pub(super) fn of(&self, url: &str) -> Arc<Shared> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match sessions.get(url) {
            Some(shared) => Arc::clone(shared),
            None => Arc::clone(sessions.entry(url.to_owned()).or_default()),
        }
    }
}

/// The session of one bucket.
#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Held by who makes the next session.
    renewing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    session: Option<Arc<Session>>,
    /// When a request last began to make a session before the last one had ended.
    renewed: Option<SystemTime>,
    /// How often no session could be made when there was none, and why at last.
    failures: u64,
    failure: Option<(FailureKind, String)>,
}

impl State {
    fn live(&self, now: SystemTime) -> Option<Arc<Session>> {
        self.session.clone().filter(|session| session.left(now) > Duration::ZERO)
    }

    /// Whether it is time to make the next session while this one lasts.
    fn is_due(&self, now: SystemTime) -> bool {
        let ends_soon = self.session.as_ref().is_some_and(|session| session.left(now) <= SESSION_RENEWAL);
        ends_soon && self.renewed.is_none_or(|then| now.duration_since(then).is_ok_and(|age| age >= SESSION_RETRY))
    }
}

impl Shared {
    /// The session to sign a request with; `make` makes one.
    pub(super) async fn session<M>(&self, now: SystemTime, make: impl FnOnce() -> M) -> Result<Arc<Session>, Failure>
    where
        M: Future<Output = Result<Session, Failure>>,
    {
        let (live, is_due, failures) = {
            let state = self.state();
            (state.live(now), state.is_due(now), state.failures)
        };
        let Some(session) = live else { return self.after_its_end(now, failures, make).await };
        let renewing = is_due.then(|| self.renewing.try_lock().ok()).flatten();
        if renewing.is_none() || !self.begin_to_renew(now) {
            return Ok(session);
        }
        // Without the next one there is still this one, and other requests will try.
        Ok(match timeout(SESSION_PATIENCE, make()).await {
            Ok(Ok(next)) => self.keep(next),
            _ => session,
        })
    }

    /// `false` if another request was faster.
    fn begin_to_renew(&self, now: SystemTime) -> bool {
        let mut state = self.state();
        let is_due = state.is_due(now);
        if is_due {
            state.renewed = Some(now);
        }
        is_due
    }

    async fn after_its_end<M>(
        &self,
        now: SystemTime,
        failures: u64,
        make: impl FnOnce() -> M,
    ) -> Result<Arc<Session>, Failure>
    where
        M: Future<Output = Result<Session, Failure>>,
    {
        let _renewing = self.renewing.lock().await;
        {
            let state = self.state();
            if let Some(session) = state.live(now) {
                return Ok(session);
            }
            if let (true, Some((kind, cause))) = (state.failures > failures, &state.failure) {
                return Err(Failure { kind: *kind, cause: cause.clone().into() });
            }
        }
        match make().await {
            Ok(session) => Ok(self.keep(session)),
            Err(failure) => {
                let mut state = self.state();
                state.failures += 1;
                state.failure = Some((failure.kind, chain(&*failure.cause)));
                Err(failure)
            }
        }
    }

    fn keep(&self, session: Session) -> Arc<Session> {
        let session = Arc::new(session);
        let mut state = self.state();
        (state.session, state.renewed) = (Some(Arc::clone(&session)), None);
        session
    }

    /// S3 has refused this session: it is used no more.
    pub(super) fn forget(&self, refused: &Arc<Session>) {
        let mut state = self.state();
        if state.session.as_ref().is_some_and(|session| Arc::ptr_eq(session, refused)) {
            state.session = None;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
