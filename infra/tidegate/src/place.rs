//! Where things lie on this machine.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};

/// What the build has made for the edge and the browser.
pub(crate) struct Web {
    /// The functions component.
    pub(crate) component: PathBuf,
    /// The folder with the player.
    pub(crate) player: PathBuf,
}

/// What to do without it.
pub(crate) const GET_WEB: &str =
    "run infra/build web in a checkout, or name the folder that has functions.wasm and player/ in TIDEGATE_WEB";

/// Finds what the build has made; in a source checkout where it is missing, builds it.
pub(crate) fn web() -> anyhow::Result<Web> {
    let folder = web_folder()?;
    let web = Web { component: folder.join("functions.wasm"), player: folder.join("player") };
    if web.component.is_file() && web.player.is_dir() {
        return Ok(web);
    }
    // Cargo says to what it runs (`cargo run`) where its crate lies.
    let script =
        env::var_os("CARGO_MANIFEST_DIR").map(|crate_folder| Path::new(&crate_folder).join("../build")).filter(|script| script.is_file());
    let Some(script) = script.filter(|_| env::var_os("TIDEGATE_WEB").is_none()) else {
        bail!("{} is missing: {GET_WEB}", web.component.display());
    };
    tracing::warn!("the component and the player are not built: running infra/build web");
    let target = folder.parent().context("the folder of the build has no parent")?;
    let status = Command::new(&script).arg("web").env("CARGO_TARGET_DIR", target).status().context("infra/build does not start")?;
    if !(status.success() && web.component.is_file()) {
        bail!("infra/build web failed: see above");
    }
    Ok(web)
}

/// Whether the build has made what the edge and the browser need.
pub(crate) fn is_built() -> anyhow::Result<PathBuf> {
    let component = web_folder()?.join("functions.wasm");
    if component.is_file() { Ok(component) } else { bail!("{} is missing", component.display()) }
}

fn web_folder() -> anyhow::Result<PathBuf> {
    if let Some(named) = env::var_os("TIDEGATE_WEB") {
        return Ok(named.into());
    }
    let binary = env::current_exe().context("the path of this program is not known")?;
    Ok(folder_of(&binary, &cache()?))
}

/// A built binary (`<target>/debug/tidegate`) has what was built with it beside (`<target>/tidegate`). An installed one (`<prefix>/bin/tidegate`, as
/// `cargo install` does it) has `<prefix>/share/tidegate`, or else what `infra/build web` leaves where it builds when nothing is said.
fn folder_of(binary: &Path, cache: &Path) -> PathBuf {
    let built = |folder: &&Path| folder.join("CACHEDIR.TAG").is_file() || folder.join("tidegate/functions.wasm").is_file();
    if let Some(target) = binary.ancestors().skip(1).find(built) {
        return target.join("tidegate");
    }
    let shared = binary.ancestors().nth(2).map(|prefix| prefix.join("share/tidegate"));
    let shared = shared.filter(|folder| folder.join("functions.wasm").is_file());
    shared.unwrap_or_else(|| cache.join("target/tidegate"))
}

/// Where streams, keys and objects are kept when nothing else is said.
pub(crate) fn data() -> anyhow::Result<PathBuf> {
    let base = folder("XDG_DATA_HOME", ".local/share")?;
    Ok(base.join("tidegate"))
}

/// Where tools and compiled components are kept; losing it costs time only.
pub(crate) fn cache() -> anyhow::Result<PathBuf> {
    Ok(folder("XDG_CACHE_HOME", ".cache")?.join("tidegate"))
}

fn folder(variable: &str, below_home: &str) -> anyhow::Result<PathBuf> {
    // The XDG rules: a relative path counts as not set.
    if let Some(set) = env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute()) {
        return Ok(set);
    }
    let home = env::var_os("HOME").filter(|home| !home.is_empty()).context("HOME is not set: name a folder with --data")?;
    Ok(PathBuf::from(home).join(below_home))
}

/// Finds a program: named by a variable, installed by infra/tools, or on the PATH.
pub(crate) fn tool(name: &str, variable: &str) -> Option<PathBuf> {
    if let Some(named) = env::var_os(variable) {
        return Some(named.into());
    }
    let ours = cache().ok().map(|cache| cache.join("tools/bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    ours.into_iter().chain(env::split_paths(&path)).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The ffmpeg that is used, or the sentence that says how to get one.
pub(crate) fn ffmpeg() -> anyhow::Result<PathBuf> {
    let found = tool("ffmpeg", "TIDEGATE_FFMPEG")
        .context("there is no ffmpeg: run infra/tools, install ffmpeg >= 5.1, or name one in TIDEGATE_FFMPEG")?;
    let answers = Command::new(&found).args(["-hide_banner", "-version"]).output().is_ok_and(|output| output.status.success());
    if !answers {
        bail!("{} is no ffmpeg that runs: run infra/tools, or name another in TIDEGATE_FFMPEG", found.display());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_was_built_is_found_from_where_the_program_lies() {
        let root = tempfile::tempdir().unwrap();
        let (root, cache) = (root.path(), root.path().join("cache"));
        let touch = |file: &str| {
            let file = root.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        };
        // `cargo install` puts a program `tidegate` where a folder `tidegate` would have been looked for.
        touch("home/bin/tidegate");
        assert_eq!(folder_of(&root.join("home/bin/tidegate"), &cache), cache.join("target/tidegate"));
        touch("home/share/tidegate/functions.wasm");
        assert_eq!(folder_of(&root.join("home/bin/tidegate"), &cache), root.join("home/share/tidegate"));
        touch("target/CACHEDIR.TAG");
        assert_eq!(folder_of(&root.join("target/debug/tidegate"), &cache), root.join("target/tidegate"));
        assert_eq!(folder_of(&root.join("target/debug/deps/integration-1"), &cache), root.join("target/tidegate"));
        touch("copied/tidegate/functions.wasm");
        assert_eq!(folder_of(&root.join("copied/bin/tidegate"), &cache), root.join("copied/tidegate"));
    }
}
