# The operator as one static program in an otherwise empty image.
FROM rust:1-slim AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential ca-certificates musl-tools \
    && rustup target add "$(uname -m)-unknown-linux-musl"
WORKDIR /source
COPY . .
RUN deploy/image/build /image --release

FROM scratch
COPY --from=build /image/ /
USER 65532:65532
ENTRYPOINT ["/gatewaybinding-operator"]
CMD ["run"]
