# For workerd by itself: `workerd serve workerd.capnp` in the folder that functions/workerd/build made. Cloudflare reads the same modules.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "functions", worker = .functions),
    # The bucket may be on this machine or in this network; what is not ours is loaded from the open internet alone, which is the default.
    (name = "bucket", network = (allow = ["public", "private", "local"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8787", http = (), service = "functions")],
);

const functions :Workerd.Worker = (
  modules = [
    (name = "worker.mjs", esModule = embed "worker.mjs"),
    (name = "sign.mjs", esModule = embed "sign.mjs"),
    (name = "functions.wasm", wasm = embed "functions.wasm"),
  ],
  compatibilityDate = "2026-06-01",
  bindings = [
    (name = "TIDEGATE_NETWORK", service = "bucket"),
    (name = "TIDEGATE_UPSTREAM", fromEnvironment = "TIDEGATE_UPSTREAM"),
    (name = "TIDEGATE_ACCESS_KEY", fromEnvironment = "TIDEGATE_ACCESS_KEY"),
    (name = "TIDEGATE_SECRET_KEY", fromEnvironment = "TIDEGATE_SECRET_KEY"),
    (name = "TIDEGATE_REGION", fromEnvironment = "TIDEGATE_REGION"),
    (name = "TIDEGATE_PLAYLISTS", fromEnvironment = "TIDEGATE_PLAYLISTS"),
    (name = "TIDEGATE_COUNTRY_HEADER", fromEnvironment = "TIDEGATE_COUNTRY_HEADER"),
    (name = "TIDEGATE_NETWORK_HEADER", fromEnvironment = "TIDEGATE_NETWORK_HEADER"),
    (name = "TIDEGATE_ADDRESS_HEADER", fromEnvironment = "TIDEGATE_ADDRESS_HEADER"),
    (name = "TIDEGATE_EDGE", fromEnvironment = "TIDEGATE_EDGE"),
  ],
);
