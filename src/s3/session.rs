//! The sessions of directory buckets (S3 Express One Zone): credentials of five minutes, for one bucket, which the
//! role's own credentials are exchanged for.
//!
//! All requests for a bucket share one. In its last minute one request makes the next, while the others go on with
//! the old one. If that fails, so does this request, and another tries again after [`SESSION_RETRY`]. If there is no
//! session, the requests wait for the one that makes it.
//!
//! Ages come from the wall clock: the monotonic one may stand still while Lambda has the environment frozen.

use std::{collections::HashMap, time::SystemTime};

use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use tokio::sync::Mutex;

use crate::{
    limits::{SESSION_RENEWAL, SESSION_RETRY},
    s3::{failure::Failure, xml},
};

/// A session. It has no `Debug`: nothing prints its credentials by mistake.
pub(super) struct Session {
    credentials: Credentials,
    end: SystemTime,
    /// From then on a request makes the next session.
    renew_from: SystemTime,
}

impl Session {
    /// Reads S3's answer.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Failure> {
        let [key, secret, token, end] =
            xml::texts(body, ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"]);
        let end = DateTime::from_str(&end, DateTimeFormat::DateTime).ok();
        let end: Option<SystemTime> = end.and_then(|end| end.try_into().ok());
        let Some(end) = end.filter(|_| [&key, &secret, &token].iter().all(|part| !part.is_empty())) else {
            return Err(Failure::unexpected("S3's answer to CreateSession has no credentials"));
        };
        let credentials = Credentials::new(key, secret, Some(token), None, "CreateSession");
        Ok(Self { credentials, end, renew_from: end - SESSION_RENEWAL })
    }
}

/// The sessions in use, by the URLs of their buckets.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Session>>);

impl Sessions {
    /// The credentials to sign a request with. `make` makes a session.
    pub(super) async fn credentials(
        &self,
        bucket: &str,
        now: SystemTime,
        make: impl Future<Output = Result<Session, Failure>>,
    ) -> Result<Credentials, Failure> {
        let mut sessions = self.0.lock().await;
        // Whoever waited for the lock finds here what another request has made.
        let Some(session) = sessions.get_mut(bucket).filter(|session| now < session.end) else {
            return Ok(keep(&mut sessions, bucket, make.await?));
        };
        let credentials = session.credentials.clone();
        if now < session.renew_from {
            return Ok(credentials);
        }
        // The others go on with this session meanwhile, and so does this request if it cannot make the next.
        session.renew_from = now + SESSION_RETRY;
        drop(sessions);
        match make.await {
            Ok(next) => Ok(keep(&mut *self.0.lock().await, bucket, next)),
            Err(_) => Ok(credentials),
        }
    }

    /// S3 has refused these credentials: they are used no more.
    pub(super) async fn forget(&self, bucket: &str, refused: &Credentials) {
        let mut sessions = self.0.lock().await;
        if sessions.get(bucket).is_some_and(|session| session.credentials == *refused) {
            sessions.remove(bucket);
        }
    }
}

fn keep(sessions: &mut HashMap<String, Session>, bucket: &str, session: Session) -> Credentials {
    let credentials = session.credentials.clone();
    sessions.insert(bucket.to_owned(), session);
    credentials
}
