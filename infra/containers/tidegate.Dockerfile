# Everything in one process, for a first look: `docker run --rm -p 8080:8080 -p 1935:1935 -p 9000:9000 tidegate`.
#   docker build -f infra/containers/tidegate.Dockerfile -t tidegate .
ARG RUST_IMAGE=docker.io/library/rust:1.95-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1
ARG NODE_IMAGE=docker.io/library/node:22-bookworm-slim@sha256:43ac6c60b8f89723f746e8a92ce91abd5017e627ce1ddfe4238355d3a30b772c
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim-bookworm@sha256:ed86c82274b3c69b52fb5820f358f0bd7df0b603332063cb5c6e32bd220c3e6e
ARG BASE_IMAGE=gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f

FROM ${NODE_IMAGE} AS node

# The image of Rust has a Python without pip.
FROM ${PYTHON_IMAGE} AS ffmpeg
RUN pip install --no-cache-dir --target /wheel imageio-ffmpeg==0.8.1 \
    && cp /wheel/imageio_ffmpeg/binaries/ffmpeg-* /ffmpeg && chmod 0755 /ffmpeg && /ffmpeg -hide_banner -version

FROM ${RUST_IMAGE} AS build
COPY --from=ffmpeg /ffmpeg /usr/local/bin/ffmpeg
ENV TIDEGATE_FFMPEG=/usr/local/bin/ffmpeg
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules /usr/local/lib/node_modules
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/root/.cache/tidegate \
    infra/tools && infra/build \
    && mkdir -p /out && cp -r /root/.cache/tidegate/target/tidegate /out/web && cp /root/.cache/tidegate/target/debug/tidegate /out/

FROM ${BASE_IMAGE}
COPY --from=ffmpeg /ffmpeg /usr/local/bin/ffmpeg
COPY --from=build /out/tidegate /usr/local/bin/tidegate
COPY --from=build /out/web /usr/share/tidegate
ENV TIDEGATE_WEB=/usr/share/tidegate TIDEGATE_FFMPEG=/usr/local/bin/ffmpeg TIDEGATE_DATA=/home/nonroot/data \
    TIDEGATE_LISTEN=0.0.0.0:8080 TIDEGATE_RTMP=0.0.0.0:1935 TIDEGATE_STORE_LISTEN=0.0.0.0:9000
VOLUME /home/nonroot
EXPOSE 1935 8080 9000
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["/usr/local/bin/tidegate", "up", "--check"]
ENTRYPOINT ["/usr/local/bin/tidegate", "up"]
