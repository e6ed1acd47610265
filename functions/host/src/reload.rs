use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::{Config, HostError, shared::Answers, tls::Certificates};

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Takes another component, or another certificate, while a host runs. No viewer notices: connections stay, calls that have begun end
/// in the component that they began in, and parked viewers wake in the new one.
#[derive(Clone)]
pub struct Reload {
    answers: Arc<Answers>,
    config: Arc<Config>,
    certificates: Option<Arc<Certificates>>,
}

impl Reload {
    pub(crate) fn new(answers: Arc<Answers>, config: Arc<Config>, certificates: Option<Arc<Certificates>>) -> Self {
        Self { answers, config, certificates }
    }

    /// Takes the files as they are now. Where that fails, the host goes on with what it has.
    pub fn now(&self) -> BoxFuture<'_, Result<(), HostError>> {
        Box::pin(self.load())
    }

    async fn load(&self) -> Result<(), HostError> {
        if let Some(certificates) = &self.certificates {
            certificates.reload()?;
        }
        let (old, config) = (self.answers.guest(), self.config.clone());
        let new = tokio::task::spawn_blocking(move || old.beside(&config)).await;
        let new = new.map_err(|error| HostError::Engine(wasmtime::Error::msg(error.to_string())))??;
        new.greet().await?;
        self.answers.replace(new);
        tracing::info!(component = %self.config.component.display(), "another component answers");
        Ok(())
    }

    /// Reloads whenever a file has changed, until `stop`.
    #[must_use = "nothing happens before it is awaited"]
    pub fn watch(self, stop: CancellationToken) -> BoxFuture<'static, ()> {
        Box::pin(self.look(stop))
    }

    async fn look(self, stop: CancellationToken) {
        let mut files = vec![self.config.component.clone()];
        files.extend(self.certificates.iter().flat_map(|certificates| certificates.files()));
        let mut loaded = state(&files);
        let mut seen = loaded.clone();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            let now = state(&files);
            // Changed, and at rest since the last look: nobody is in the middle of writing.
            let settled = now == seen;
            seen.clone_from(&now);
            if now == loaded || !settled || now.iter().any(Option::is_none) {
                continue;
            }
            if let Err(error) = self.now().await {
                tracing::error!(%error, "the host goes on with what it has");
            }
            loaded = now;
        }
    }
}

type State = Vec<Option<(SystemTime, u64)>>;

fn state(files: &[PathBuf]) -> State {
    let of = |file: &Path| fs::metadata(file).and_then(|meta| Ok((meta.modified()?, meta.len()))).ok();
    files.iter().map(|file| of(file)).collect()
}
