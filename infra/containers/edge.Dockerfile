# The edge host with the functions component. Build from the top of the repository:
#   docker build -f infra/containers/edge.Dockerfile -t tidegate-edge .
ARG RUST_IMAGE=docker.io/library/rust:1.95-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1
ARG BASE_IMAGE=gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f

FROM ${RUST_IMAGE} AS build
WORKDIR /source
COPY . .
RUN rustup target add wasm32-wasip2
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/target \
    export CARGO_TARGET_DIR=/target \
    && cargo build --locked -p tidegate-spin --target wasm32-wasip2 --profile wasm \
    && cargo build --locked --release -p tidegate-host \
    && cp /target/wasm32-wasip2/wasm/tidegate_spin.wasm /functions.wasm \
    && cp /target/release/tidegate-host /tidegate-host

FROM ${BASE_IMAGE}
COPY --from=build /tidegate-host /usr/local/bin/tidegate-host
COPY --from=build /functions.wasm /usr/share/tidegate/functions.wasm
# The compiled component is kept in a folder that may be a volume of its own: the root file system is read-only.
ENV TIDEGATE_LISTEN=0.0.0.0:8080 TIDEGATE_COMPONENT=/usr/share/tidegate/functions.wasm TIDEGATE_CACHE=/var/cache/tidegate
EXPOSE 8080
USER 65532:65532
# There is no other program in the image to ask with.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["/usr/local/bin/tidegate-host", "--check"]
ENTRYPOINT ["/usr/local/bin/tidegate-host"]
