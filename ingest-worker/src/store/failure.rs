use std::error::Error as _;

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

use super::bucket::{PutError, StoreError};

/// Where a request went, for the sentences about what went wrong.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) bucket: String,
    /// `None`: AWS itself.
    pub(super) endpoint: Option<String>,
}

/// Why a request to a store has failed, as far as somebody can do something about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    NoKey,
    NoBucket(String),
    BucketIsThere,
    /// 412.
    Condition,
    Unavailable(String),
    Refused(String),
}

impl Place {
    /// Puts an error of the package into one sentence.
    pub(super) fn explain<E: ProvideErrorMetadata + std::error::Error + 'static>(&self, error: &SdkError<E, HttpResponse>) -> Failure {
        match error {
            SdkError::ServiceError(answer) => {
                let status = answer.raw().status().as_u16();
                self.explain_answer(status, answer.err().code().unwrap_or_default(), answer.err().message().unwrap_or_default())
            }
            SdkError::TimeoutError(_) => Failure::Unavailable(format!("the store at {} did not answer in time", self.address())),
            SdkError::DispatchFailure(failure) => {
                let innermost = failure.as_connector_error().map(|error| {
                    let mut source = error.source();
                    let mut text = error.to_string();
                    while let Some(inner) = source {
                        text = inner.to_string();
                        source = inner.source();
                    }
                    text
                });
                let why = innermost.unwrap_or_else(|| "no connection".into());
                Failure::Unavailable(format!("the store at {} cannot be reached ({why}): is it running?", self.address()))
            }
            SdkError::ResponseError(answer) => self.explain_answer(answer.raw().status().as_u16(), "", "its answer makes no sense"),
            // A request that cannot be built: no credentials, a region or an address that is none.
            other => Failure::Refused(format!("the request cannot be made: {}", innermost(other))),
        }
    }

    fn explain_answer(&self, status: u16, code: &str, message: &str) -> Failure {
        let Self { bucket, .. } = self;
        let at = self.address();
        match (status, code) {
            (_, "InvalidAccessKeyId") => {
                Failure::Refused(format!("the store at {at} does not know the access key: check AWS_ACCESS_KEY_ID"))
            }
            (_, "SignatureDoesNotMatch") => {
                Failure::Refused(format!("the store at {at} does not accept the secret key: check AWS_SECRET_ACCESS_KEY"))
            }
            // Credentials are renewed and clocks set right while a worker runs: what it holds is written then.
            (_, "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired") => {
                Failure::Unavailable(format!("the credentials for {at} are no longer valid: get new ones"))
            }
            (_, "RequestTimeTooSkewed") => Failure::Unavailable(format!("this machine's clock differs from that of {at}: set it right")),
            (_, "NoSuchBucket") => Failure::NoBucket(format!("there is no bucket `{bucket}` at {at}: create it, or correct its name")),
            (_, "BucketAlreadyOwnedByYou" | "BucketAlreadyExists") => Failure::BucketIsThere,
            (_, "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException") | (301, _) => {
                Failure::Refused(format!("the bucket `{bucket}` is in another region: set AWS_REGION to it ({message})"))
            }
            (404, _) => Failure::NoKey,
            (412, _) => Failure::Condition,
            (501, _) => Failure::Refused(format!("the store at {at} cannot do this: {message}")),
            (507, _) | (_, "StorageFull" | "XMinioStorageFull") => {
                Failure::Unavailable(format!("the disk of the store at {at} is full: free some space"))
            }
            (403, _) => Failure::Refused(format!(
                "the keys may not do this in the bucket `{bucket}` at {at}: if it is yours, allow s3:GetObject, s3:PutObject, s3:DeleteObject \
                 and s3:ListBucket; if it is somebody else's, name another"
            )),
            (408 | 409 | 429 | 500.., _) => Failure::Unavailable(format!("the store at {at} answered {status} {code}")),
            _ => Failure::Refused(format!("the store at {at} answered {status} {code}: {message}")),
        }
    }

    fn address(&self) -> &str {
        self.endpoint.as_deref().unwrap_or("AWS S3")
    }
}

/// The last of the causes of an error, which is the one that says something.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unavailable(why) => Self::Unavailable(why),
            Failure::NoBucket(why) | Failure::Refused(why) => Self::Refused(why),
            Failure::NoKey => Self::Refused("there is no such object".into()),
            Failure::BucketIsThere => Self::Refused("the bucket is there already".into()),
            Failure::Condition => Self::Unavailable("a condition that was not asked for does not hold".into()),
        }
    }
}

impl From<Failure> for PutError {
    fn from(failure: Failure) -> Self {
        StoreError::from(failure).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_say_what_to_do() {
        let place = Place { bucket: "live".into(), endpoint: Some("http://127.0.0.1:9000".into()) };
        let said = |status, code| match place.explain_answer(status, code, "") {
            Failure::Refused(why) | Failure::Unavailable(why) | Failure::NoBucket(why) => why,
            Failure::NoKey | Failure::BucketIsThere | Failure::Condition => String::new(),
        };
        assert_eq!(
            said(403, "SignatureDoesNotMatch"),
            "the store at http://127.0.0.1:9000 does not accept the secret key: check AWS_SECRET_ACCESS_KEY"
        );
        assert_eq!(said(404, "NoSuchBucket"), "there is no bucket `live` at http://127.0.0.1:9000: create it, or correct its name");
        assert_eq!(
            said(403, "InvalidAccessKeyId"),
            "the store at http://127.0.0.1:9000 does not know the access key: check AWS_ACCESS_KEY_ID"
        );
        for (status, code) in [(400, "AuthorizationHeaderMalformed"), (301, "PermanentRedirect"), (301, "")] {
            assert!(said(status, code).starts_with("the bucket `live` is in another region: set AWS_REGION to it"), "{status} {code}");
        }
        // A bucket of somebody else, or one whose rights are not enough: S3 says the same of both.
        assert_eq!(
            said(403, "AccessDenied"),
            "the keys may not do this in the bucket `live` at http://127.0.0.1:9000: if it is yours, allow s3:GetObject, s3:PutObject, \
             s3:DeleteObject and s3:ListBucket; if it is somebody else's, name another"
        );
        assert_eq!(said(507, "StorageFull"), "the disk of the store at http://127.0.0.1:9000 is full: free some space");
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let place = Place { bucket: "live".into(), endpoint: None };
        for (status, code) in [
            (500, "InternalError"),
            (503, "SlowDown"),
            (409, "ConditionalRequestConflict"),
            (429, ""),
            (507, ""),
            (403, "RequestTimeTooSkewed"),
            (400, "ExpiredToken"),
        ] {
            assert!(matches!(place.explain_answer(status, code, ""), Failure::Unavailable(_)), "{status}");
        }
        for (status, code) in [(403, "AccessDenied"), (400, "InvalidArgument"), (301, ""), (501, "NotImplemented")] {
            assert!(matches!(place.explain_answer(status, code, ""), Failure::Refused(_)), "{status}");
        }
        assert_eq!(place.explain_answer(412, "PreconditionFailed", ""), Failure::Condition);
    }
}
