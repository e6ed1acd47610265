//! The API token of whoever runs `tidegate up`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use tidegate_ingest_worker::store::{Bucket as _, Store};
use tidegate_stream::{ApiTokens, Json, MetaKey, Scope};

use super::bucket::write_private;
use crate::{metadata, webhooks::now_utc_ms};

/// A token for everything, and where it is kept for whoever has forgotten it.
pub(crate) struct Admin {
    /// The token, where it was made by this run.
    pub(crate) new: Option<String>,
    /// A file that only its owner reads.
    pub(crate) file: PathBuf,
}

/// Makes a token for everything, unless the one of an earlier run is still good here. The bucket keeps its hash.
pub(crate) async fn admin(store: &Store, data: &Path) -> anyhow::Result<Admin> {
    let file = data.join("keys").join("admin");
    if let Ok(kept) = fs::read_to_string(&file)
        && let Some(object) = store.get(&MetaKey::Tokens.into()).await?
        && let Some(tokens) = ApiTokens::parse(&object.bytes)
        && tokens.check(Some(&format!("Bearer {}", kept.trim())), Scope::TokensWrite, now_utc_ms()).is_ok()
    {
        return Ok(Admin { new: None, file });
    }
    let scopes: Vec<Json> = Scope::ALL.iter().map(|scope| scope.as_str().into()).collect();
    let body = Json::object().with("name", "tidegate up").with("scopes", scopes);
    let token = match metadata::ask(store, "POST", "/api/v1/tokens", &body).await? {
        (201, token) => token.text_of("token").to_owned(),
        (_, problem) => bail!("no API token can be made: {}", metadata::sentence(&problem)),
    };
    write_private(&file, &token).with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(Admin { new: Some(token), file })
}
