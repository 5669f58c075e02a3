//! Where the keyring is: an object in S3 or a file. No update is ever lost.
//!
//! An object is written only if it still is what was read (`If-Match`), a new one only if there is
//! none (`If-None-Match: *`). Who comes second reads again. For a file see [`mod@file`].

mod file;

use std::{
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use aws_config::retry::RetryConfig;
use aws_sdk_s3::{Client, error::ProvideErrorMetadata, primitives::ByteStream};
use file::NextFile;

use crate::{
    failure::Failure,
    keys::document::{Document, is_too_large},
    platform,
    s3::{self, Location},
};

/// Writes that may lose against others in a row. Of fifty writers at once the last loses 49 times.
const ATTEMPTS: u32 = 100;
/// Longest random wait after the first lost one; it doubles with each further one.
const BACKOFF: Duration = Duration::from_millis(20);
/// Where it stops doubling.
const MAX_BACKOFF: Duration = Duration::from_secs(1);

/// Where the keyring is.
#[derive(Clone)]
pub enum Store {
    Object(Location),
    File(PathBuf),
}

impl FromStr for Store {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.starts_with("s3://") {
            return Ok(Self::File(text.into()));
        }
        let location: Location = text.parse()?;
        if location.key.is_empty() || location.key.ends_with('/') {
            return Err("it names no object: give s3://bucket/key".into());
        }
        Ok(Self::Object(location))
    }
}

impl std::fmt::Display for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Object(location) => location.fmt(f),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl Store {
    /// Reads the keyring.
    pub async fn read(&self) -> Result<Document, Failure> {
        let read = match self {
            Self::Object(location) => get(&s3_client().await?, location).await?.map(|(bytes, _)| bytes),
            Self::File(path) => self.read_file(path).await?,
        };
        self.parse(&read.ok_or_else(|| self.missing())?)
    }

    /// Changes the keyring, unless `edit` says that there is nothing to change. Others may come first:
    /// then it is asked again, of what they have left.
    pub async fn change(
        &self,
        create: bool,
        edit: impl FnMut(&mut Document) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        match self {
            Self::Object(location) => self.change_object(location, create, edit).await,
            Self::File(path) => self.change_file(path, create, edit).await,
        }
    }

    async fn change_object(
        &self,
        location: &Location,
        create: bool,
        mut edit: impl FnMut(&mut Document) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let client = s3_client().await?;
        for attempt in 0..ATTEMPTS {
            let (read, etag) = get(&client, location).await?.unzip();
            let Some(text) = self.edited(read, create, &mut edit)? else { return Ok(()) };
            let put = client.put_object().bucket(&location.bucket).key(&location.key).content_type("application/json");
            let put = match etag {
                None => put.if_none_match("*"),
                Some(Some(etag)) => put.if_match(etag),
                Some(None) => {
                    return Err(Failure::no(format!(
                        "S3 gives no ETag for {self}: nothing was written, because a change could undo somebody else's"
                    ))
                    .advise("keep the keyring in an S3 that has ETags, or in a file"));
                }
            };
            match put.body(ByteStream::from(text.into_bytes())).send().await {
                Ok(_) => return Ok(()),
                // Changed since; being changed right now; deleted since.
                Err(error) if matches!(s3::status(&error), Some(412 | 409)) || error.code() == Some("NoSuchKey") => {
                    let longest = BACKOFF.saturating_mul(1 << attempt.min(10)).min(MAX_BACKOFF);
                    tokio::time::sleep(longest.mul_f64(fastrand::f64())).await;
                }
                Err(error) => return Err(s3::failure(&format!("writing {self}"), &error)),
            }
        }
        Err(Failure::no(format!("others keep changing {self}: nothing was written")).advise("try again later"))
    }

    async fn change_file(
        &self,
        path: &Path,
        create: bool,
        mut edit: impl FnMut(&mut Document) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let unwritable = |error: io::Error| match error.kind() {
            io::ErrorKind::TimedOut => {
                Failure::no(error.to_string()).advise("end it, then try again: nothing was written")
            }
            _ => Failure::unreachable(format!("writing {self}"), &error)
                .advise("run this as the file's owner, and see that its directory exists and can be written to"),
        };
        let next = NextFile::lock(path).await.map_err(unwritable)?;
        let read = self.read_file(path).await?;
        match self.edited(read, create, &mut edit)? {
            Some(text) => next.replace(&text).await.map_err(unwritable),
            None => Ok(()),
        }
    }

    async fn read_file(&self, path: &Path) -> Result<Option<Vec<u8>>, Failure> {
        match platform::patiently(|| fs::read(path)).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                Err(Failure::unreachable(format!("reading {self}"), &error).advise("see that you may read it"))
            }
        }
    }

    /// The edited text, if anything changes. It is a valid keyring, and the function can read it.
    fn edited(
        &self,
        read: Option<Vec<u8>>,
        create: bool,
        edit: &mut impl FnMut(&mut Document) -> Result<bool, Failure>,
    ) -> Result<Option<String>, Failure> {
        let mut document = match read {
            Some(bytes) => self.parse(&bytes)?,
            None if create => Document::default(),
            None => return Err(self.missing()),
        };
        if !edit(&mut document)? {
            return Ok(None);
        }
        let text = document.text().map_err(|error| {
            Failure::usage(format!("with this change, {self} {error}")).advise("nothing was written")
        })?;
        // One that is too large may shrink.
        if is_too_large(text.len()) && text.len() >= document.size() {
            return Err(self.too_large(text.len()).advise("revoke expired keys first; nothing was written"));
        }
        Ok(Some(text))
    }

    fn parse(&self, bytes: &[u8]) -> Result<Document, Failure> {
        Document::parse(bytes).map_err(|error| {
            Failure::no(format!("{self} {error}")).advise("correct it by hand: an invalid keyring is not touched")
        })
    }

    fn missing(&self) -> Failure {
        Failure::no(format!("there is no keyring at {self}"))
            .advise("check its name (--ring or JOBS_RING), or make a new one with jobs keys add … --create")
    }

    /// The function would refuse a keyring of this size.
    pub fn too_large(&self, size: usize) -> Failure {
        let most = job_status::limits::MAX_KEYRING;
        Failure::no(format!("{self} is too large: it has {size} bytes, and the function reads {most} at most"))
    }
}

async fn s3_client() -> Result<Client, Failure> {
    s3::client(RetryConfig::standard()).await
}

/// The object and its ETag, if there is one.
async fn get(client: &Client, location: &Location) -> Result<Option<(Vec<u8>, Option<String>)>, Failure> {
    let doing = || format!("reading {location}");
    match client.get_object().bucket(&location.bucket).key(&location.key).send().await {
        Ok(object) => {
            let bytes =
                object.body.collect().await.map_err(|error| {
                    Failure::unreachable(doing(), &error).advise("try again: the connection was lost")
                })?;
            Ok(Some((bytes.to_vec(), object.e_tag)))
        }
        Err(error) if error.code() == Some("NoSuchKey") => Ok(None),
        Err(error) => Err(s3::failure(&doing(), &error)),
    }
}
