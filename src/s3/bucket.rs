//! Where a bucket is: its address, and the name its requests are signed for.
//!
//! The SDK's own rules decide both, for buckets, access points, regions and partitions alike. They run once, at
//! start-up, instead of for every request.

use aws_sdk_s3::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use futures_util::FutureExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a key may have in a URL as it is: RFC 3986's unreserved characters, and slashes.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// A bucket, a directory bucket (S3 Express One Zone) or an access point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Scheme and authority, and for path-style addressing the bucket; without a slash at the end.
    url: String,
    pub(super) region: String,
    pub(super) service: String,
    pub(super) access: Access,
}

/// Whose credentials sign the requests for its objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Access {
    /// The role's own.
    #[default]
    Role,
    /// A session's: it is a directory bucket.
    Session,
}

impl Bucket {
    /// The bucket with this name or ARN. `endpoint` is another S3 than Amazon's, addressed path-style.
    ///
    /// `None` if there can't be such a bucket, or if it is a multi-region access point: that one needs another kind of
    /// signature.
    #[must_use]
    pub fn resolve(name: &str, region: &str, endpoint: Option<&str>) -> Option<Self> {
        let params = Params::builder()
            .bucket(name)
            .region(region)
            .set_endpoint(endpoint.map(Into::into))
            .force_path_style(endpoint.is_some())
            .build()
            .ok()?;
        let endpoint = DefaultResolver::new().resolve_endpoint(&params).now_or_never()?.ok()?;
        let (scheme, access) = endpoint.auth_schemes().iter().find_map(|scheme| match scheme.name() {
            "sigv4" => Some((scheme, Access::Role)),
            "sigv4-s3express" => Some((scheme, Access::Session)),
            _ => None,
        })?;
        let property = |name| Some(scheme.get(name)?.as_string()?.to_owned());
        Some(Self {
            url: endpoint.url().trim_end_matches('/').to_owned(),
            region: property("signingRegion")?,
            service: property("signingName")?,
            access,
        })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of the object with this key.
    pub(super) fn url_of(&self, key: &str) -> String {
        format!("{}/{}", self.url, utf8_percent_encode(key, ESCAPED))
    }

    /// The URL that hands out sessions for it.
    pub(super) fn url_of_session(&self) -> String {
        format!("{}/?session", self.url)
    }
}
