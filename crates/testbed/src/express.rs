//! A directory bucket of S3 Express One Zone: it hands out sessions, and objects to requests in one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use time::{OffsetDateTime, PrimitiveDateTime, format_description::well_known::Rfc3339, macros::format_description};

use crate::fault_s3::{Act, FaultS3, error_document, no_such_key};

/// The bucket's name.
pub const DIRECTORY_BUCKET: &str = "jobs--use1-az4--x-s3";

const LIFETIME: Duration = Duration::from_mins(5);

/// The directory bucket. Its clock is that of its requests.
pub struct Express {
    /// Where it is. What this is told to do comes first.
    pub server: FaultS3,
    state: Arc<Mutex<State>>,
}

/// What makes an answer of a request's head.
type Answering = Box<dyn FnMut(&str) -> Vec<u8> + Send>;

struct State {
    /// When each session ends, by its token.
    sessions: HashMap<String, OffsetDateTime>,
    sessions_made: u32,
    object: Answering,
    /// Whether a session may write.
    writes: bool,
    takes: Option<Duration>,
}

impl Express {
    /// An empty one.
    pub async fn start() -> Self {
        let server = FaultS3::start().await;
        let state = State {
            sessions: HashMap::new(),
            sessions_made: 0,
            object: Box::new(|_| no_such_key()),
            writes: false,
            takes: None,
        };
        let state = Arc::new(Mutex::new(state));
        let answering = Arc::clone(&state);
        server.always_by(move |head| {
            let mut state = answering.lock().unwrap_or_else(PoisonError::into_inner);
            let answer = state.answer(head);
            state.takes.map_or_else(|| Act::Answer(answer.clone()), |takes| Act::Late(takes, answer.clone()))
        });
        Self { server, state }
    }

    /// What requests for objects get, by their heads.
    pub fn hold(&self, object: impl FnMut(&str) -> Vec<u8> + Send + 'static) {
        self.state.lock().unwrap().object = Box::new(object);
    }

    /// Allows sessions to write, as a worker's role does. Who asks for no mode gets one to write then.
    pub fn allow_writing(&self) {
        self.state.lock().unwrap().writes = true;
    }

    /// What each answer takes.
    pub fn take(&self, time: Duration) {
        self.state.lock().unwrap().takes = Some(time);
    }

    /// Ends all sessions before their time.
    pub fn end_sessions(&self) {
        self.state.lock().unwrap().sessions.clear();
    }
}

impl State {
    fn answer(&mut self, head: &str) -> Vec<u8> {
        let format = format_description!("[year][month][day]T[hour][minute][second]Z");
        let now = PrimitiveDateTime::parse(header(head, "x-amz-date"), format).unwrap().assume_utc();
        if is_create_session(head) {
            return self.create_session(head, now);
        }
        let token = header(head, "x-amz-s3session-token");
        let signed_with = format!("Credential={}/", access_key(token));
        match self.sessions.get(token) {
            Some(_) if head.starts_with("PUT ") && !self.writes => {
                error_document("403 Forbidden", "AccessDenied", "Access Denied")
            }
            Some(ends) if *ends > now && header(head, "authorization").contains(&signed_with) => (self.object)(head),
            Some(_) => error_document("400 Bad Request", "ExpiredToken", "The provided token has expired."),
            None => error_document("400 Bad Request", "InvalidToken", "The provided token is malformed or invalid."),
        }
    }

    /// At first only sessions to read are allowed, as to the template's role. Who asks for no mode gets that one.
    fn create_session(&mut self, head: &str, now: OffsetDateTime) -> Vec<u8> {
        if header(head, "x-amz-create-session-mode") == "ReadWrite" && !self.writes {
            return error_document("403 Forbidden", "AccessDenied", "Access Denied");
        }
        self.sessions_made += 1;
        let [key, secret, token] = session(self.sessions_made);
        let ends = now + LIFETIME;
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CreateSessionResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Credentials><SessionToken>{token}</SessionToken><SecretAccessKey>{secret}</SecretAccessKey><AccessKeyId>{key}</AccessKeyId><Expiration>{}</Expiration></Credentials></CreateSessionResult>",
            ends.format(&Rfc3339).unwrap()
        );
        self.sessions.insert(token, ends);
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }
}

/// Whether a request, by its head, is for a session.
pub fn is_create_session(head: &str) -> bool {
    head.lines().next().is_some_and(|line| line.contains("/?session "))
}

/// The access key, secret and token of the `number`th session.
pub fn session(number: u32) -> [String; 3] {
    let token = format!("session-token-{number}");
    [access_key(&token), "session-secret".into(), token]
}

fn access_key(token: &str) -> String {
    format!("ASIA{}", token.replace('-', "").to_ascii_uppercase())
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_default()
}
