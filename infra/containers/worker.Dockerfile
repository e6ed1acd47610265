# The ingest worker with its ffmpeg. Build from the top of the repository:
#   docker build -f infra/containers/worker.Dockerfile -t tidegate-worker .
# Base images are pinned; `infra/containers/pin` writes the digests that their tags have today.
ARG RUST_IMAGE=docker.io/library/rust:1.95-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1
ARG BASE_IMAGE=gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim-bookworm@sha256:ed86c82274b3c69b52fb5820f358f0bd7df0b603332063cb5c6e32bd220c3e6e

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
# RTMP; /metrics, /healthz and /readyz. SRT (UDP) where TIDEGATE_SRT names ports.
EXPOSE 1935 9464
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["/usr/local/bin/tidegate-ingest-worker", "--check"]
ENTRYPOINT ["/usr/local/bin/tidegate-ingest-worker"]
