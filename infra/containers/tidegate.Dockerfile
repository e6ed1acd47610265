# Everything in one process, for a first look: `docker run --rm -p 8080:8080 -p 1935:1935 -p 9000:9000 tidegate`.
#   docker build -f infra/containers/tidegate.Dockerfile -t tidegate .
ARG RUST_IMAGE=docker.io/library/rust:1.95-bookworm
ARG NODE_IMAGE=docker.io/library/node:22-bookworm-slim
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim-bookworm
ARG BASE_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${NODE_IMAGE} AS node

FROM ${RUST_IMAGE} AS build
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules /usr/local/lib/node_modules
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/root/.cache/tidegate \
    infra/tools && infra/build \
    && mkdir -p /out && cp -r /root/.cache/tidegate/target/tidegate /out/web && cp /root/.cache/tidegate/target/debug/tidegate /out/ \
    && cp /root/.cache/tidegate/tools/bin/ffmpeg /out/

FROM ${BASE_IMAGE}
COPY --from=build /out/ffmpeg /out/tidegate /usr/local/bin/
COPY --from=build /out/web /usr/share/tidegate
ENV TIDEGATE_WEB=/usr/share/tidegate TIDEGATE_FFMPEG=/usr/local/bin/ffmpeg TIDEGATE_DATA=/home/nonroot/data \
    TIDEGATE_LISTEN=0.0.0.0:8080 TIDEGATE_RTMP=0.0.0.0:1935 TIDEGATE_STORE_LISTEN=0.0.0.0:9000
VOLUME /home/nonroot
EXPOSE 1935 8080 9000
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/tidegate", "up"]
