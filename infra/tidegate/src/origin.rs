//! Other origins, as documents in the bucket.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use tidegate_ingest_worker::store::{Bucket as _, Condition};
use tidegate_origin::Document;
use tidegate_stream::{MetaKey, OriginId, OriginPath};

use crate::{cli::BucketOptions, stream::open};

/// Commands about other origins.
#[derive(Subcommand, Debug)]
pub enum OriginCommand {
    /// Say whether a document of an origin can be used.
    Check {
        /// The document, as JSON.
        file: PathBuf,
    },
    /// Put the document of an origin into the bucket, so that edges show its playlists.
    Put {
        /// The name of the origin in addresses: a-z, 0-9, `-` and `_`.
        name: OriginId,
        /// The document, as JSON.
        file: PathBuf,
        /// The bucket.
        #[command(flatten)]
        bucket: BucketOptions,
    },
    /// Take the document of an origin away.
    Remove {
        /// The name of the origin.
        name: OriginId,
        /// The bucket.
        #[command(flatten)]
        bucket: BucketOptions,
    },
}

pub(crate) async fn run(command: OriginCommand) -> anyhow::Result<()> {
    match command {
        OriginCommand::Check { file } => {
            read(&file)?;
            println("the document can be used");
        }
        OriginCommand::Put { name, file, bucket } => {
            let document = read(&file)?;
            let store = open(&bucket).await?;
            store.put(&MetaKey::Origin { name: name.clone() }.into(), document.into(), Condition::Any).await?;
            println(&format!("{}… is there within some seconds", OriginPath::folder(&name)));
        }
        OriginCommand::Remove { name, bucket } => {
            open(&bucket).await?.delete(&[MetaKey::Origin { name: name.clone() }.into()]).await?;
            println(&format!("the origin {name} is gone within some seconds"));
        }
    }
    Ok(())
}

/// The bytes of a document that can be used; they go into the bucket as they are, with what is for other readers.
fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    Document::parse(&bytes).with_context(|| format!("{} cannot be used", file.display()))?;
    Ok(bytes)
}

#[allow(clippy::print_stdout, reason = "the answer to the command")]
fn println(text: &str) {
    println!("{text}");
}
