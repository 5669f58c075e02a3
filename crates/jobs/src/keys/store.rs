//! Where the ring is: an object in S3 or a file. No update is ever lost.
//!
//! An object is written only if it still is what was read (`If-Match`), a new one only if there is
//! none (`If-None-Match: *`). Who comes second reads again. A file is locked while it is changed and
//! replaced as a whole, so that a reader sees the old ring or the new one.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, fchown},
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use aws_config::retry::RetryConfig;
use aws_sdk_s3::{Client, error::ProvideErrorMetadata, primitives::ByteStream};
use job_status::limits::MAX_KEYRING;
use tempfile::NamedTempFile;

use crate::{
    failure::Failure,
    keys::document::{Document, EMPTY},
    s3::{self, Location},
};

/// Writes that may lose against others in a row. Of fifty writers at once the last loses 49 times.
const ATTEMPTS: u32 = 100;
/// Longest random wait after the first lost one; it doubles with each further one.
const BACKOFF: Duration = Duration::from_millis(20);
/// Where it stops doubling.
const MAX_BACKOFF: Duration = Duration::from_secs(1);

/// Where the ring is.
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
    /// Reads the ring.
    pub async fn read(&self) -> Result<Document, Failure> {
        let read = match self {
            Self::Object(location) => get(&s3_client().await?, location).await?.map(|(bytes, _)| bytes),
            Self::File(path) => match fs::read(path) {
                Ok(bytes) => Some(bytes),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(self.unreadable(&error)),
            },
        };
        self.parse(read.ok_or_else(|| self.missing())?)
    }

    /// Changes the ring. `edit` makes the new text of the ring as it is, or `None` if there is nothing
    /// to change. Others may come first: then it is asked again, of what they have left.
    pub async fn change(
        &self,
        create: bool,
        edit: impl FnMut(&Document) -> Result<Option<String>, Failure>,
    ) -> Result<(), Failure> {
        match self {
            Self::Object(location) => self.change_object(location, create, edit).await,
            Self::File(path) => self.change_file(path, create, edit),
        }
    }

    async fn change_object(
        &self,
        location: &Location,
        create: bool,
        mut edit: impl FnMut(&Document) -> Result<Option<String>, Failure>,
    ) -> Result<(), Failure> {
        let client = s3_client().await?;
        for attempt in 0..ATTEMPTS {
            let (document, etag) = match get(&client, location).await? {
                Some((bytes, etag)) => (self.parse(bytes)?, Some(etag)),
                None if create => (self.parse(EMPTY.into())?, None),
                None => return Err(self.missing()),
            };
            let Some(text) = self.edited(&document, &mut edit)? else { return Ok(()) };
            let put = client.put_object().bucket(&location.bucket).key(&location.key).content_type("application/json");
            let put = match etag {
                Some(etag) => put.if_match(etag),
                None => put.if_none_match("*"),
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

    fn change_file(
        &self,
        path: &Path,
        create: bool,
        mut edit: impl FnMut(&Document) -> Result<Option<String>, Failure>,
    ) -> Result<(), Failure> {
        let unwritable = |error: io::Error| {
            Failure::unreachable(format!("writing {self}"), &error)
                .advise("run this as the file's owner, and see that its directory exists and can be written to")
        };
        loop {
            // Through links, so that what they lead to is replaced and not they themselves.
            let path = path.canonicalize().unwrap_or_else(|_| path.into());
            let Some((mut locked, owner)) = lock(&path).map_err(|error| self.unreadable(&error))? else {
                if !create {
                    return Err(self.missing());
                }
                let Some(text) = self.edited(&self.parse(EMPTY.into())?, &mut edit)? else { return Ok(()) };
                match written(&path, &text).map_err(unwritable)?.persist_noclobber(&path) {
                    Ok(_) => return sync_directory(&path).map_err(unwritable),
                    Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => continue,
                    Err(error) => return Err(unwritable(error.error)),
                }
            };
            let mut bytes = Vec::new();
            locked.read_to_end(&mut bytes).map_err(|error| self.unreadable(&error))?;
            let Some(text) = self.edited(&self.parse(bytes)?, &mut edit)? else { return Ok(()) };
            let replace = || {
                let new = written(&path, &text)?;
                let made = new.as_file().metadata()?;
                if (made.uid(), made.gid()) != (owner.uid(), owner.gid()) {
                    fchown(new.as_file(), Some(owner.uid()), Some(owner.gid()))?;
                }
                new.as_file().set_permissions(owner.permissions())?;
                new.as_file().sync_all()?;
                new.persist(&path)?;
                sync_directory(&path)
            };
            return replace().map_err(unwritable);
        }
    }

    /// The edited text, if it is another one. It is a valid ring, and the function can read it.
    fn edited(
        &self,
        document: &Document,
        edit: &mut impl FnMut(&Document) -> Result<Option<String>, Failure>,
    ) -> Result<Option<String>, Failure> {
        let Some(text) = edit(document)? else { return Ok(None) };
        Document::parse(text.as_str()).map_err(|error| {
            Failure::usage(format!("with this change, {self} {error}")).advise("nothing was written")
        })?;
        if text.len() as u64 > MAX_KEYRING {
            return Err(Failure::no(format!(
                "{self} would have more than {MAX_KEYRING} bytes, which the function refuses"
            ))
            .advise("revoke expired keys first; nothing was written"));
        }
        Ok(Some(text))
    }

    fn parse(&self, bytes: Vec<u8>) -> Result<Document, Failure> {
        Document::parse(bytes).map_err(|error| {
            Failure::no(format!("{self} {error}")).advise("mend it by hand: an invalid ring is not touched")
        })
    }

    fn missing(&self) -> Failure {
        Failure::no(format!("there is no keyring at {self}"))
            .advise("check its name (--ring or JOBS_RING), or make a new one with jobs keys add … --create")
    }

    fn unreadable(&self, error: &io::Error) -> Failure {
        Failure::unreachable(format!("reading {self}"), error).advise("see that you may read it")
    }
}

async fn s3_client() -> Result<Client, Failure> {
    s3::client(RetryConfig::standard()).await
}

/// The object and its ETag, if there is one.
async fn get(client: &Client, location: &Location) -> Result<Option<(Vec<u8>, String)>, Failure> {
    let doing = || format!("reading {location}");
    match client.get_object().bucket(&location.bucket).key(&location.key).send().await {
        Ok(object) => {
            let etag = object.e_tag.unwrap_or_default();
            let bytes =
                object.body.collect().await.map_err(|error| {
                    Failure::unreachable(doing(), &error).advise("try again: the connection was lost")
                })?;
            Ok(Some((bytes.to_vec(), etag)))
        }
        Err(error) if error.code() == Some("NoSuchKey") => Ok(None),
        Err(error) => Err(s3::failure(&doing(), &error)),
    }
}

/// The file, locked until it is dropped, and whose it is; `None` if there is none.
fn lock(path: &Path) -> io::Result<Option<(File, fs::Metadata)>> {
    loop {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        file.lock()?;
        let (locked, current) = (file.metadata()?, fs::metadata(path));
        // Whoever had the lock before has put another file in its place.
        if current.is_ok_and(|current| (current.dev(), current.ino()) == (locked.dev(), locked.ino())) {
            return Ok(Some((file, locked)));
        }
    }
}

/// A file beside `path` with this text, on the disk.
fn written(path: &Path, text: &str) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new_in(directory(path))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(directory(path))?.sync_all()
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
