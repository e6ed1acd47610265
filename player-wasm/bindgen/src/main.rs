//! `tidegate-bindgen MODULE FOLDER NAME`: writes `FOLDER/NAME.js` and `FOLDER/NAME_bg.wasm` for browsers.

use anyhow::{Context as _, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [module, folder, name] = args.as_slice() else {
        bail!("usage: tidegate-bindgen MODULE FOLDER NAME");
    };
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module).out_name(name).typescript(false).omit_default_module_path(false);
    bindgen.web(true)?.generate(folder).with_context(|| format!("{module} cannot be bound"))
}
