//! Tokens that the API is used with. The first one of a bucket is made here, since the API itself wants one.

use anyhow::bail;
use clap::Subcommand;
use tidegate_stream::{Json, Scope};

use crate::{
    cli::BucketOptions,
    metadata,
    stream::{open, println},
};

/// Commands about API tokens.
#[derive(Subcommand, Debug)]
pub enum ApiTokenCommand {
    /// Make a token and print it. It is shown once; the bucket keeps its hash.
    Create {
        /// What people know it by.
        name: String,
        /// What it allows, as `streams:read`; may be given again. Without: everything.
        #[arg(long = "scope", value_name = "SCOPE", value_parser = scope)]
        scopes: Vec<Scope>,
        /// From when on it allows nothing, as `2027-01-01T00:00:00Z`.
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        /// The bucket.
        #[command(flatten)]
        bucket: BucketOptions,
    },
    /// Say which tokens there are, without the tokens.
    List {
        /// The bucket.
        #[command(flatten)]
        bucket: BucketOptions,
    },
    /// Make a token allow nothing any more.
    Revoke {
        /// The id of the token: what stands behind `tga_`, up to the next `_`.
        id: String,
        /// The bucket.
        #[command(flatten)]
        bucket: BucketOptions,
    },
}

pub(crate) async fn run(command: ApiTokenCommand) -> anyhow::Result<()> {
    const PATH: &str = "/api/v1/tokens";
    match command {
        ApiTokenCommand::Create { name, scopes, expires, bucket } => {
            let scopes = if scopes.is_empty() { Scope::ALL.to_vec() } else { scopes };
            let scopes: Vec<Json> = scopes.into_iter().map(|scope| scope.as_str().into()).collect();
            let body = Json::object().with("name", name).with("scopes", scopes).with("expires", expires);
            match metadata::ask(&open(&bucket).await?, "POST", PATH, &body).await? {
                (201, token) => println(token.text_of("token")),
                (_, problem) => bail!("{}", metadata::sentence(&problem)),
            }
        }
        ApiTokenCommand::List { bucket } => {
            let (_, list) = metadata::ask(&open(&bucket).await?, "GET", PATH, &Json::Null).await?;
            for token in list.get("items").map_or(&[][..], Json::items) {
                let scopes: Vec<&str> = token.texts_of("scopes").collect();
                println(&format!("{}  {}  {}", token.text_of("id"), token.text_of("name"), scopes.join(" ")));
            }
        }
        ApiTokenCommand::Revoke { id, bucket } => {
            match metadata::ask(&open(&bucket).await?, "DELETE", &format!("{PATH}/{id}"), &Json::Null).await? {
                (204, _) => {}
                (_, problem) => bail!("{}", metadata::sentence(&problem)),
            }
        }
    }
    Ok(())
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::parse(text).ok_or_else(|| format!("use some of {}", Scope::ALL.map(Scope::as_str).join(", ")))
}
