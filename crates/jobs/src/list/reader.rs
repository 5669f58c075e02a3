//! Status files, read as the function reads them, several at a time and each version once.
//!
//! All of it runs on one thread, and from the last byte of a file to its row nothing else does. So one
//! file at most is unpacked and checked at a time.

use std::{collections::HashMap, error::Error, pin::pin, rc::Rc, time::Duration};

use aws_sdk_s3::{
    Client,
    error::ProvideErrorMetadata,
    operation::get_object::GetObjectOutput,
    primitives::{ByteStream, ByteStreamError},
};
use futures_util::{StreamExt, stream};
use job_status::{JobId, chain, decompress, limits::MAX_STATUS_FILE};
use tokio::{sync::Semaphore, time::timeout};

use super::{listing::Listed, row::Row};
use crate::{
    failure::Failure,
    output::line,
    s3::{self, Scope, Store},
};

/// Files that are asked for at a time.
const AT_ONCE: usize = 16;
/// The largest status file that the function reads, in bytes.
#[allow(clippy::cast_possible_truncation)] // it is 32 MiB
const LARGEST: usize = MAX_STATUS_FILE as usize;
/// Content in memory at a time, in KiB. A file that is larger has it for itself.
const MEMORY: u32 = 16 * 1024;
/// Attempts at a file whose content breaks off. The SDK repeats what is not answered.
const ATTEMPTS: u32 = 3;
/// What the content of one file may take.
const CONTENT: Duration = Duration::from_mins(1);
const READ_PERMISSION: &str = "the credentials need s3:GetObject on the status files, and kms:Decrypt if they have a KMS key: see docs/operations.md#see-the-jobs";

/// Reads the status files of one place.
pub struct Reader {
    client: Client,
    store: Store,
    unfinished: Vec<String>,
    memory: Semaphore,
    /// Whether the same files are asked for again.
    keeps: bool,
    /// What was read of them.
    known: HashMap<JobId, Rc<Row>>,
}

impl Reader {
    pub fn new(client: Client, store: Store, unfinished: Vec<String>, keeps: bool) -> Self {
        Self { client, store, unfinished, memory: Semaphore::new(MEMORY as usize), keeps, known: HashMap::new() }
    }

    /// Hands on the rows of these files in their order, until `takes` says that it has enough.
    ///
    /// # Errors
    /// S3 can't be asked, or says no to all.
    pub async fn read(&mut self, files: &[Rc<Listed>], takes: impl FnMut(Rc<Row>) -> bool) -> Result<(), Failure> {
        let mut known = std::mem::take(&mut self.known);
        let unchanged = files.iter().filter_map(|file| known.remove(&file.id).filter(|row| row.listed == *file));
        self.known = unchanged.map(|row| (row.listed.id, row)).collect();
        let mut fresh = Vec::new();
        let read = self.read_to(files, &mut fresh, takes).await;
        self.known.extend(fresh.into_iter().map(|row| (row.listed.id, row)));
        read
    }

    async fn read_to(
        &self,
        files: &[Rc<Listed>],
        fresh: &mut Vec<Rc<Row>>,
        mut takes: impl FnMut(Rc<Row>) -> bool,
    ) -> Result<(), Failure> {
        let row = async |file: &Rc<Listed>| match self.known.get(&file.id) {
            Some(row) => Ok(Some(Rc::clone(row))),
            None => Ok(self.row(file).await?.map(Rc::new)),
        };
        let mut rows = pin!(stream::iter(files).map(row).buffered(AT_ONCE));
        while let Some(row) = rows.next().await {
            let Some(row) = row? else { continue };
            if self.keeps {
                fresh.push(Rc::clone(&row));
            }
            if !takes(row) {
                break;
            }
        }
        Ok(())
    }

    /// The row of one file; `None` if it is gone.
    async fn row(&self, file: &Rc<Listed>) -> Result<Option<Row>, Failure> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let object = match self.get(file.id).await? {
                Answer::Object(object) => object,
                Answer::Gone => return Ok(None),
                Answer::Refused(why) => return Ok(Some(Row::new(Rc::clone(file), file.written, Err(why), &[]))),
            };
            let written = object.last_modified.unwrap_or(file.written);
            let length = object.content_length.and_then(|length| length.try_into().ok()).unwrap_or(LARGEST);
            if length > LARGEST {
                let why = format!("it has {length} bytes, and the function reads {LARGEST} at most");
                return Ok(Some(Row::new(Rc::clone(file), written, Err(why), &[])));
            }
            let memory = u32::try_from(length / 1024 + 1).unwrap_or(MEMORY).min(MEMORY);
            let _memory = self.memory.acquire_many(memory).await; // until the row is made
            let encoding = object.content_encoding.unwrap_or_default();
            match timeout(CONTENT, collect(object.body, length)).await {
                Ok(Ok(bytes)) => {
                    let content = decompress(&encoding, bytes, MAX_STATUS_FILE).map_err(|error| line(&chain(&error)));
                    return Ok(Some(Row::new(Rc::clone(file), written, content, &self.unfinished)));
                }
                Ok(Err(error)) if attempts == ATTEMPTS => return Err(self.broken_off(file.id, &error)),
                Err(error) if attempts == ATTEMPTS => return Err(self.broken_off(file.id, &error)),
                _ => {}
            }
        }
    }

    async fn get(&self, id: JobId) -> Result<Answer, Failure> {
        let key = self.store.key(id);
        match self.client.get_object().bucket(&self.store.bucket).key(&key).send().await {
            Ok(object) => Ok(Answer::Object(Box::new(object))),
            Err(error) => match (s3::status(&error), error.code()) {
                (_, Some("NoSuchKey")) => Ok(Answer::Gone),
                (Some(_), code) if s3::scope(&error) == Scope::Object && code != Some("AccessDenied") => {
                    Ok(Answer::Refused(line(&s3::reason(&error))))
                }
                (status, _) => {
                    let failure = s3::failure(&format!("reading {}", self.store.url(id)), &error);
                    let is_denied = status == Some(403) && s3::scope(&error) == Scope::Object;
                    Err(if is_denied { failure.advise(READ_PERMISSION) } else { failure })
                }
            },
        }
    }

    fn broken_off(&self, id: JobId, error: &(dyn Error + 'static)) -> Failure {
        Failure::unreachable(format!("reading {}", self.store.url(id)), error)
            .advise("try again: the connection was lost")
    }
}

/// What S3 says to a request for a file.
enum Answer {
    Object(Box<GetObjectOutput>),
    Gone,
    /// This file can't be read.
    Refused(String),
}

/// A body, in a buffer of its own size. One that is longer than it may be is cut.
async fn collect(mut body: ByteStream, length: usize) -> Result<Vec<u8>, ByteStreamError> {
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() <= length
        && let Some(chunk) = body.try_next().await?
    {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
