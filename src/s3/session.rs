//! The sessions that directory buckets (S3 Express One Zone) want: credentials of five minutes, for one bucket, which
//! the role's own credentials are exchanged for.
//!
//! All requests for a bucket share one. In its last minute one request makes the next, while the others go on with
//! the old one; if that fails, so does this request, and another tries again after [`SESSION_RETRY`]. Where there is
//! no session, the requests wait for the one that makes it.
//!
//! Ages are told by the wall clock: the monotonic one may stand still while Lambda has the environment frozen.

use std::{collections::HashMap, sync::Arc, time::SystemTime};

use aws_sdk_s3::{
    config::Credentials,
    primitives::{DateTime, DateTimeFormat},
};
use aws_smithy_xml::decode::{Document, XmlDecodeError, try_data};
use tokio::sync::Mutex;

use crate::{
    limits::{SESSION_RENEWAL, SESSION_RETRY},
    s3::failure::Failure,
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
        session.ok_or_else(|| Failure::unexpected("S3's answer to CreateSession has no credentials"))
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
}

/// The sessions in use, by the URLs of their buckets.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Cached>>);

struct Cached {
    session: Arc<Session>,
    /// From then on a request makes the next session.
    renew_from: SystemTime,
}

impl Sessions {
    /// The session to sign a request with. `make` makes one.
    pub(super) async fn get<M>(
        &self,
        bucket: &str,
        now: SystemTime,
        make: impl FnOnce() -> M,
    ) -> Result<Arc<Session>, Failure>
    where
        M: Future<Output = Result<Session, Failure>>,
    {
        let mut sessions = self.0.lock().await;
        // Whoever waited for the lock finds here what another request has made.
        let Some(cached) = sessions.get_mut(bucket).filter(|cached| now < cached.session.ends) else {
            return Ok(keep(&mut sessions, bucket, make().await?));
        };
        let session = Arc::clone(&cached.session);
        if now < cached.renew_from {
            return Ok(session);
        }
        // The others go on with this session meanwhile, and so does this request if it cannot make the next.
        cached.renew_from = now + SESSION_RETRY;
        drop(sessions);
        match make().await {
            Ok(next) => Ok(keep(&mut *self.0.lock().await, bucket, next)),
            Err(_) => Ok(session),
        }
    }

    /// S3 has refused this session: it is used no more.
    pub(super) async fn forget(&self, bucket: &str, refused: &Arc<Session>) {
        let mut sessions = self.0.lock().await;
        if sessions.get(bucket).is_some_and(|cached| Arc::ptr_eq(&cached.session, refused)) {
            sessions.remove(bucket);
        }
    }
}

fn keep(sessions: &mut HashMap<String, Cached>, bucket: &str, session: Session) -> Arc<Session> {
    let (renew_from, session) = (session.ends - SESSION_RENEWAL, Arc::new(session));
    sessions.insert(bucket.to_owned(), Cached { session: Arc::clone(&session), renew_from });
    session
}
