# The ingest worker with its ffmpeg. Build from the top of the repository:
#   docker build -f infra/containers/worker.Dockerfile -t tidegate-worker .
# `infra/containers/pin` writes the digests of the base images of today; a release is built with them.
ARG RUST_IMAGE=docker.io/library/rust:1.95-bookworm
ARG BASE_IMAGE=gcr.io/distroless/cc-debian12:nonroot
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim-bookworm

FROM ${RUST_IMAGE} AS build
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/target \
    CARGO_TARGET_DIR=/target cargo build --locked --release -p tidegate-ingest-worker \
    && cp /target/release/tidegate-ingest-worker /tidegate-ingest-worker

# A static ffmpeg 9 comes out of a wheel: distributions still ship 5.1 and 7.1, which lose time on several cores.
FROM ${PYTHON_IMAGE} AS ffmpeg
RUN pip install --no-cache-dir --target /wheel imageio-ffmpeg==0.8.1 \
    && cp /wheel/imageio_ffmpeg/binaries/ffmpeg-* /ffmpeg && chmod 0755 /ffmpeg && /ffmpeg -hide_banner -version

FROM ${BASE_IMAGE}
COPY --from=ffmpeg /ffmpeg /usr/local/bin/ffmpeg
COPY --from=build /tidegate-ingest-worker /usr/local/bin/tidegate-ingest-worker
COPY ingest-worker/config.toml /etc/tidegate/worker.toml
ENV TIDEGATE_CONFIG=/etc/tidegate/worker.toml TIDEGATE_FFMPEG=/usr/local/bin/ffmpeg TIDEGATE_METRICS_LISTEN=0.0.0.0:9464
# What waits for a store that is away (`store.spool_mb` for each stream): on a disk, and writable where the root is not.
VOLUME /tmp
# RTMP; /metrics, /healthz and /readyz.
EXPOSE 1935 9464
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/tidegate-ingest-worker"]
