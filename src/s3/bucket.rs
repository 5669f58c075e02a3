//! Where a bucket is: its address, and the name its requests are signed for.
//!
//! The SDK's own rules decide both, for buckets, access points, regions and partitions alike. They run once, at
//! start-up, instead of for every request.

use aws_sdk_s3::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use futures_util::FutureExt;

/// A bucket, a directory bucket (S3 Express One Zone) or an access point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    url: String,
    pub(super) region: String,
    pub(super) service: String,
    /// A directory bucket is read in sessions.
    pub(super) is_directory: bool,
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
        let (scheme, is_directory) = endpoint.auth_schemes().iter().find_map(|scheme| match scheme.name() {
            "sigv4" => Some((scheme, false)),
            "sigv4-s3express" => Some((scheme, true)),
            _ => None,
        })?;
        let property = |name| Some(scheme.get(name)?.as_string()?.to_owned());
        Some(Self {
            url: endpoint.url().trim_end_matches('/').to_owned(),
            region: property("signingRegion")?,
            service: property("signingName")?,
            is_directory,
        })
    }

    /// Scheme and authority, and for path-style addressing the bucket; without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}
