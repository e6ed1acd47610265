use tidegate_function::TURNS;
use wasmtime::{Engine, component::Component};

/// What a component may import so that it runs on Spin as well as here: WASI 0.3 HTTP, clocks and randomness, and the part of WASI 0.2
/// that Rust's standard library brings along. No files, no sockets.
const ALLOWED_IMPORTS: [(&str, &str); 7] = [
    ("wasi:http/", "@0.3.0"),
    ("wasi:clocks/", "@0.3.0"),
    ("wasi:random/", "@0.3.0"),
    ("wasi:clocks/", "@0.2."),
    ("wasi:cli/", "@0.2."),
    ("wasi:io/", "@0.2."),
    ("wasi:random/", "@0.2."),
];
/// What the component has to export for other hosts.
const HANDLER: &str = "wasi:http/handler@0.3.0";

/// Why a component is not one of ours.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ImportError {
    /// An import that Spin, or this host, does not have.
    #[error("the component imports `{0}`, which not every host of functions has")]
    Import(String),
    /// No HTTP handler.
    #[error("the component does not export `{HANDLER}`")]
    NoHandler,
    /// A component of another time.
    #[error(
        "the functions component speaks version {component} of the words between host and functions, this host version {host}: {}",
        if component > host { "update the host" } else { "build the component anew" }
    )]
    Version {
        /// What the component speaks; 0 where it speaks none.
        component: u32,
        /// What this host speaks.
        host: u32,
    },
}

/// Checks that a component imports no more than every host of functions has, and exports both ways in.
pub fn check_imports(engine: &Engine, component: &Component) -> Result<(), ImportError> {
    let kind = component.component_type();
    check_names(kind.imports(engine).map(|(name, _)| name), kind.exports(engine).map(|(name, _)| name))
}

fn check_names<'a>(mut imports: impl Iterator<Item = &'a str>, exports: impl Iterator<Item = &'a str>) -> Result<(), ImportError> {
    let allowed = |name: &str| ALLOWED_IMPORTS.iter().any(|(interface, version)| name.starts_with(interface) && versioned(name, version));
    if let Some(name) = imports.find(|name| !allowed(name)) {
        return Err(ImportError::Import(name.into()));
    }
    let exports: Vec<_> = exports.collect();
    if !exports.contains(&HANDLER) {
        return Err(ImportError::NoHandler);
    }
    if exports.contains(&TURNS) {
        return Ok(());
    }
    Err(ImportError::Version { component: exports.iter().find_map(|name| version(name)).unwrap_or(0), host: version(TURNS).unwrap_or(0) })
}

/// The major version of the words that an export stands for, if it does.
fn version(name: &str) -> Option<u32> {
    let (interface, _) = TURNS.split_once('@')?;
    name.strip_prefix(interface)?.strip_prefix('@')?.split('.').next()?.parse().ok()
}

/// `@0.3.0` is that version; `@0.2.` is any of that line.
fn versioned(name: &str, version: &str) -> bool {
    name.find('@')
        .and_then(|at| name.get(at..))
        .is_some_and(|own| if version.ends_with('.') { own.starts_with(version) } else { own == version })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: [&str; 5] = [
        "wasi:http/types@0.3.0",
        "wasi:http/client@0.3.0",
        "wasi:clocks/wall-clock@0.2.6",
        "wasi:cli/environment@0.2.6",
        "wasi:io/poll@0.2.9",
    ];

    #[test]
    fn http_clocks_and_what_rust_brings_along_are_allowed() {
        assert_eq!(check_names(OURS.into_iter(), [HANDLER, TURNS].into_iter()), Ok(()));
    }

    #[test]
    fn files_sockets_and_drafts_are_refused() {
        for name in [
            "wasi:filesystem/types@0.2.6",
            "wasi:sockets/tcp@0.2.6",
            "wasi:http/types@0.3.0-rc-2026-03-15",
            "wasi:http/types",
            "wasi:io/poll@0.20.0",
            "spin:key-value/key-value@3.0.0",
        ] {
            let imports = OURS.into_iter().chain([name]);
            assert_eq!(check_names(imports, [HANDLER, TURNS].into_iter()), Err(ImportError::Import(name.into())));
        }
    }

    #[test]
    fn a_component_without_handler_is_refused() {
        assert_eq!(check_names(OURS.into_iter(), ["wasi:http/incoming-handler@0.2.6", TURNS].into_iter()), Err(ImportError::NoHandler));
    }

    #[test]
    fn a_component_of_another_time_is_refused_with_what_to_update() {
        let refused = |turns| check_names(OURS.into_iter(), [HANDLER, turns].into_iter()).unwrap_err().to_string();
        let newer = refused("tidegate:functions/turns@3.0.0");
        assert!(newer.contains("speaks version 3") && newer.ends_with("update the host"), "{newer}");
        for older in ["tidegate:functions/turns@0.9.0", "tidegate:functions/other@3.0.0"] {
            assert!(refused(older).ends_with("build the component anew"), "{older}");
        }
    }
}
