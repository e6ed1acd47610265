use wasmtime::{Engine, component::Component};

/// What a component may import so that it runs on Spin as well as here: WASI 0.3 HTTP and clocks, and the part of WASI 0.2
/// that Rust's standard library brings along. No files, no sockets.
const ALLOWED_IMPORTS: [(&str, &str); 6] = [
    ("wasi:http/", "@0.3.0"),
    ("wasi:clocks/", "@0.3.0"),
    ("wasi:clocks/", "@0.2."),
    ("wasi:cli/", "@0.2."),
    ("wasi:io/", "@0.2."),
    ("wasi:random/", "@0.2."),
];
/// What the component has to export.
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
}

/// Checks that a component imports no more than every host of functions has, and exports an HTTP handler.
pub fn check_imports(engine: &Engine, component: &Component) -> Result<(), ImportError> {
    let kind = component.component_type();
    for (name, _) in kind.imports(engine) {
        if !ALLOWED_IMPORTS.iter().any(|(interface, version)| name.starts_with(interface) && versioned(name, version)) {
            return Err(ImportError::Import(name.into()));
        }
    }
    match kind.exports(engine).any(|(name, _)| name == HANDLER) {
        true => Ok(()),
        false => Err(ImportError::NoHandler),
    }
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

    fn check(text: &str) -> Result<(), ImportError> {
        let mut config = wasmtime::Config::new();
        config.wasm_component_model_async(true);
        let engine = Engine::new(&config).unwrap();
        check_imports(&engine, &Component::new(&engine, text).unwrap())
    }

    #[test]
    fn files_sockets_and_drafts_are_refused() {
        for name in [
            "wasi:filesystem/types@0.2.6",
            "wasi:sockets/tcp@0.2.6",
            "wasi:http/types@0.3.0-rc-2026-03-15",
            "spin:key-value/key-value@3.0.0",
        ] {
            let text = format!(r#"(component (import "{name}" (instance)))"#);
            assert_eq!(check(&text), Err(ImportError::Import(name.into())));
        }
    }

    #[test]
    fn a_component_without_handler_is_refused() {
        assert_eq!(check(r#"(component (import "wasi:io/poll@0.2.6" (instance)))"#), Err(ImportError::NoHandler));
    }
}
