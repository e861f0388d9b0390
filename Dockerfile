# One build for all programs; one small image for each. Built by docker-compose.yml, which names the program:
#   docker build --build-arg PROGRAM=order .

FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /shop
COPY . .
# The caches outlive the build, so that a change of one line costs one crate. Nothing asks a database: the queries were
# checked when they were written, and what is known of them lies in the .sqlx folders.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/shop/target \
    SQLX_OFFLINE=true cargo build --release --locked \
        --bin product-catalog --bin order --bin inventory \
        --bin search-sync --bin behavior-analytics --bin console \
    && mkdir /programs \
    && cd target/release \
    && cp product-catalog order inventory search-sync behavior-analytics console /programs/

FROM debian:12.12-slim
ARG PROGRAM
# More arenas than threads that work only hold memory that nobody uses; and thresholds that may rise rise with the largest block
# ever freed, so that what one import needed would be kept for good.
ENV MALLOC_ARENA_MAX=2 MALLOC_TRIM_THRESHOLD_=262144 MALLOC_MMAP_THRESHOLD_=524288
# Where programs keep what outlives them, owned by whom they run as: new volumes take this over.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin shop \
    && install -d -o shop -g shop /var/lib/shop /var/lib/shop/keys /var/lib/shop/index
COPY --from=build /programs/${PROGRAM} /usr/local/bin/program
COPY deploy/token /usr/local/bin/token
USER shop
ENTRYPOINT ["/usr/local/bin/program"]
CMD ["serve"]
